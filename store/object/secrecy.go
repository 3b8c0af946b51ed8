package object

import (
	"regexp"
)

// hidden matches what libraries may put of a request into their errors that is
// as good as the credentials: query parameters of signed addresses, and headers.
var hidden = regexp.MustCompile(
	`(?i)((?:[?&](?:sig|x-amz-[a-z-]+|x-goog-[a-z-]+|se|sp|sv|sr|skoid|sktid)=)|` +
		`(?:(?:authorization|access_token|client_secret|private_key|account_?key|` +
		`secret[a-z_]*)"?[:=]\s*"?))[^&\s"]+`)

// hide returns err without what must not be seen. Its chain is kept for
// errors.Is.
func hide(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	clean := hidden.ReplaceAllString(text, "${1}***")
	if len(clean) > 1000 {
		clean = clean[:1000] + "..."
	}
	if clean == text {
		return err
	}
	return &redacted{clean, err}
}

type redacted struct {
	text string
	err  error
}

// Error implements error.
func (r *redacted) Error() string { return r.text }

// Unwrap returns the cause, whose text is not to be shown.
func (r *redacted) Unwrap() error { return r.err }
