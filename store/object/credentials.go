package object

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Credentials let a storage be used. They print as nothing.
type Credentials struct{ fields map[string]string }

// String hides the credentials.
func (Credentials) String() string { return "(hidden)" }

// GoString hides the credentials.
func (Credentials) GoString() string { return "(hidden)" }

// Empty reports whether there are none: then what the environment of the server
// has is used.
func (c Credentials) Empty() bool { return len(c.fields) == 0 }

// credentialForms are the sets of fields that make credentials, by kind. What
// stands behind a question mark may be left out.
var credentialForms = map[Kind][]string{
	S3: {"access_key_id secret_access_key ?session_token"},
	GCS: {"type client_email private_key ?project_id ?private_key_id ?client_id ?auth_uri " +
		"?token_uri ?auth_provider_x509_cert_url ?client_x509_cert_url ?universe_domain", "anonymous"},
	Azure: {"account_name account_key", "account_name sas_token"},
}

// ParseCredentials reads credentials as a JSON object of texts: for s3
// access_key_id and secret_access_key, perhaps session_token; for gcs the key
// file of a service account; for azure account_name and account_key, or
// sas_token. "" is none. No message shows what was given.
func ParseCredentials(kind Kind, text string) (Credentials, error) {
	if text == "" {
		return Credentials{}, nil
	}
	forms := credentialForms[kind]
	if forms == nil {
		return Credentials{}, fault.New(fault.InvalidParameter,
			"a storage of type %s takes no credentials; leave them out", kind)
	}
	var fields map[string]string
	if len(text) > 64<<10 || json.Unmarshal([]byte(text), &fields) != nil {
		return Credentials{}, fault.New(fault.InvalidParameter,
			"the credentials are no JSON object of texts such as {\"name\": \"value\"}")
	}
	for _, form := range forms {
		if fits(form, fields) {
			return check(kind, fields)
		}
	}
	for i, form := range forms {
		forms = slices.Clone(forms)
		forms[i] = strings.Join(strings.Fields(strings.ReplaceAll(form, "?", "")), ", ")
	}
	return Credentials{}, fault.New(fault.InvalidParameter,
		"the credentials of type %s have fields missing, empty or unknown; they are %s", kind,
		strings.Join(forms, "; or "))
}

// fits reports whether fields are those of a form.
func fits(form string, fields map[string]string) bool {
	left := maps.Clone(fields)
	for name := range strings.FieldsSeq(form) {
		name, optional := strings.CutPrefix(name, "?")
		if fields[name] == "" && !optional {
			return false
		}
		delete(left, name)
	}
	return len(left) == 0
}

func check(kind Kind, fields map[string]string) (Credentials, error) {
	if t := fields["type"]; kind == GCS && fields["anonymous"] == "" && t != "service_account" {
		return Credentials{}, fault.New(fault.InvalidParameter,
			"the credentials of type gcs are the key file of a service account; its type is service_account")
	}
	return Credentials{fields}, nil
}

// JSON returns the credentials as ParseCredentials reads them, "" for none. It
// is for encrypting them.
func (c Credentials) JSON() (string, error) {
	if c.Empty() {
		return "", nil
	}
	text, err := json.Marshal(c.fields)
	if err != nil {
		return "", fault.New(fault.Internal, "the credentials can't be encoded")
	}
	return string(text), nil
}
