package object

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Kind is a kind of storage.
type Kind string

// The kinds of storages.
const (
	Filesystem Kind = "filesystem"
	S3         Kind = "s3"
	GCS        Kind = "gcs"
	Azure      Kind = "azure"
)

// Kinds returns the kinds of storages.
func Kinds() []Kind { return []Kind{Filesystem, S3, GCS, Azure} }

// ParseKind reads the name of a kind, in any case.
func ParseKind(s string) (Kind, error) {
	k := Kind(strings.ToLower(s))
	if slices.Contains(Kinds(), k) {
		return k, nil
	}
	return "", fault.New(fault.InvalidParameter,
		"unknown type of storage %q; use filesystem, s3, gcs or azure", clip(s))
}

// Location says where a storage is.
type Location struct {
	Kind   Kind
	Dir    string // of a filesystem: absolute and clean
	Bucket string // of the others; a container of Azure
	Prefix string // of all objects: "" or ending with a slash

	Endpoint  string // address of the service, "" for the usual one
	Region    string // of S3, "" for what the environment says
	PathStyle bool   // of S3: the bucket stands in the path, not in the host's name
	Account   string // of Azure, "" for that of the credentials
}

// schemes are the beginnings of uris, with the parameters that each reads.
var schemes = map[Kind]struct {
	scheme string
	params []string
}{
	S3:    {"s3", []string{"region", "endpoint", "path_style"}},
	GCS:   {"gs", []string{"endpoint"}},
	Azure: {"azblob", []string{"endpoint", "account"}},
}

func badURI(format string, args ...any) error {
	return fault.New(fault.InvalidParameter, "uri: "+format, args...)
}

// ParseLocation reads a uri: file:///folder or a plain absolute path,
// s3://bucket/prefix?region=r&endpoint=https://host&path_style=true,
// gs://bucket/prefix, azblob://container/prefix?account=a. Messages never hold
// the uri, which may have been given a secret.
func ParseLocation(kind Kind, uri string) (Location, error) {
	switch {
	case uri == "":
		return Location{}, badURI("it is missing; say where the files are to lie")
	case len(uri) > 1000:
		return Location{}, badURI("it is longer than 1000 bytes")
	case kind == Filesystem:
		return parseFolder(uri)
	}
	s, ok := schemes[kind]
	if !ok {
		return Location{}, fault.New(fault.InvalidParameter, "unknown type of storage %q",
			clip(string(kind)))
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Opaque != "" || u.Fragment != "":
		return Location{}, badURI("it does not read as %s://name/prefix", s.scheme)
	case u.Scheme != s.scheme:
		return Location{}, badURI("one of type %s begins with %s://", kind, s.scheme)
	case u.User != nil || u.Port() != "":
		return Location{}, badURI("it names a bucket and no host or user; " +
			"use the parameter endpoint, and credentials for secrets")
	case !bucketName.MatchString(u.Host):
		return Location{}, badURI("%q is no name of a bucket", clip(u.Host))
	}
	l := Location{Kind: kind, Bucket: u.Host}
	if l.Prefix = strings.Trim(u.Path, "/"); l.Prefix != "" {
		if err := checkPath(l.Prefix, false); err != nil || len(l.Prefix) > 100 {
			return Location{}, badURI("its path is no prefix of objects; " +
				"write at most 100 bytes of folder/folder")
		}
		l.Prefix += "/"
	}
	return l, l.parameters(u, s.params)
}

var bucketName = regexp.MustCompile(`^[A-Za-z0-9$][A-Za-z0-9._-]{1,221}$`)

func (l *Location) parameters(u *url.URL, known []string) error {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return badURI("its parameters do not read as a=b&c=d")
	}
	for name, values := range q {
		if !slices.Contains(known, name) || len(values) != 1 {
			return badURI("parameter %q is unknown or given twice; known are %s", clip(name),
				strings.Join(known, ", "))
		}
	}
	l.Region, l.Account = q.Get("region"), q.Get("account")
	if !plainWord.MatchString(l.Region) || !plainWord.MatchString(l.Account) {
		return badURI("region and account are letters, digits and hyphens")
	}
	if text := q.Get("endpoint"); text != "" {
		e, err := url.Parse(text)
		if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" || e.User != nil ||
			e.RawQuery != "" || e.Fragment != "" {
			return badURI("endpoint is an address such as https://host:9000, without user and parameters")
		}
		l.Endpoint = strings.TrimSuffix(text, "/")
		l.PathStyle = l.Kind == S3 // what most that are not Amazon's want
	}
	if text := q.Get("path_style"); text != "" {
		if l.PathStyle, err = strconv.ParseBool(text); err != nil {
			return badURI("path_style is true or false")
		}
	}
	return nil
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9-]{0,64}$`)

func parseFolder(uri string) (Location, error) {
	dir := uri
	if rest, ok := strings.CutPrefix(uri, "file:"); ok {
		u, err := url.Parse(uri)
		if err != nil || !strings.HasPrefix(rest, "///") || u.RawQuery != "" || u.Fragment != "" {
			return Location{}, badURI("write file:///folder, with three slashes and no parameters")
		}
		dir = u.Path
	} else if strings.Contains(uri, "://") {
		return Location{}, badURI("one of type filesystem is file:///folder or a plain path")
	}
	switch {
	case strings.ContainsRune(dir, 0):
		return Location{}, badURI("the path holds a zero byte")
	case !filepath.IsAbs(dir):
		return Location{}, badURI("the path is relative; write the whole path of the folder")
	case slices.Contains(strings.Split(dir, "/"), ".."):
		return Location{}, badURI("the path holds ..; write it out")
	case filepath.Clean(dir) == "/":
		return Location{}, badURI("the root of the file system is no folder for a storage; " +
			"name one below it")
	}
	return Location{Kind: Filesystem, Dir: filepath.Clean(dir)}, nil
}

// root returns a text that begins that of every location inside of l.
func (l Location) root() string {
	if l.Kind == Filesystem {
		return "file://" + l.Dir + "/"
	}
	return strings.Join([]string{string(l.Kind), l.Endpoint, l.Account, l.Bucket, l.Prefix}, "|")
}

// Overlaps reports whether one of two locations holds the other.
func (l Location) Overlaps(other Location) bool {
	a, b := l.root(), other.root()
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}
