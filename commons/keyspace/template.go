package keyspace

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Template says below which folder of a storage the segments of a table lie:
// "{namespace}/{table}/{user}". It was checked by ParseTemplate.
type Template string

// The templates of a storage that names none.
const (
	SharedTemplate Template = "{namespace}/{table}"
	UserTemplate   Template = "{namespace}/{table}/{user}"
)

// The placeholders of templates.
const (
	holdNamespace = "{namespace}"
	holdTable     = "{table}"
	holdShard     = "{shard}"
	holdUser      = "{user}"
)

// maxTemplate bounds a template in bytes, so that paths fit every storage.
const maxTemplate = 256

// tableRunsOn finds what would run into the number of a table.
var tableRunsOn = regexp.MustCompile(`\{table\}[0-9{]`)

// ParseTemplate checks a template of user tables, or of shared ones. It must
// keep tables apart, and users where a table has them. The error is an
// INVALID_PARAMETER that says what is wrong with it.
func ParseTemplate(s string, perUser bool) (Template, error) {
	bad := func(why string) (Template, error) {
		return "", fault.New(fault.InvalidParameter, "path template %q %s", clip(s), why)
	}
	rest := s
	for _, h := range []string{holdNamespace, holdTable, holdShard, holdUser} {
		rest = strings.ReplaceAll(rest, h, "")
	}
	switch {
	case s == "":
		return bad("is empty; leave it out for the default")
	case len(s) > maxTemplate:
		return bad("is too long; shorten it")
	case strings.ContainsAny(rest, "{}"):
		return bad("has an unknown placeholder; known are {namespace}, {table}, {shard} and {user}")
	case !strings.Contains(s, holdTable):
		return bad("has no {table}, so that tables would share a folder; add it")
	case perUser && !strings.Contains(s, holdUser):
		return bad("has no {user}, so that users would share a folder; add it")
	case !perUser && strings.Contains(s, holdUser):
		return bad("names {user}, which a shared table has not; leave it out")
	case tableRunsOn.MatchString(s):
		return bad("goes on with a number behind {table}, which ends with one; put - or / between")
	case strings.HasPrefix(s, "/"):
		return bad("is absolute; write it relative to the uri of the storage")
	case !plainPath(rest):
		return bad("holds more than letters, digits, and - _ = . /; leave the rest out")
	}
	for element := range strings.SplitSeq(s, "/") {
		switch {
		case element == "" || element == "." || element == "..":
			return bad("has an empty element, . or ..; leave it out")
		case strings.HasPrefix(element, "."):
			return bad("has an element that begins with a dot; rename it")
		case strings.Count(element, holdUser) > 0 && element != holdUser &&
			!strings.HasSuffix(element, "="+holdUser):
			return bad("mixes {user} with other text; give it an element of its own, or write user={user}")
		}
	}
	return Template(s), nil
}

// plainPath reports whether s has only letters, digits, '-', '_', '=', '.' and '/'.
func plainPath(s string) bool {
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte("-_=./", c) >= 0 {
			continue
		}
		return false
	}
	return true
}

// Place is where rows belong: what the placeholders of a template stand for.
type Place struct {
	Namespace ident.NamespaceID
	Table     ident.TableName
	ID        ident.TableID
	Shard     ident.ShardID
	User      ident.UserID // "" for a shared table
}

// Folder returns the folder of a place, relative to the root of its storage.
// The table's part is its name and number, "messages-12", so that a table made
// under an old name, or of the same name in another namespace, shares no folder
// with it.
func (t Template) Folder(p Place) string {
	return strings.NewReplacer(
		holdNamespace, pathElement(string(p.Namespace)),
		holdTable, pathElement(string(p.Table))+"-"+p.ID.String(),
		holdShard, p.Shard.String(),
		holdUser, pathElement(string(p.User)),
	).Replace(string(t))
}

// SegmentFile returns the path of a segment in the folder of its place.
func (t Template) SegmentFile(p Place, id ident.SegmentID) string {
	return t.Folder(p) + "/" + id.String() + segmentSuffix
}

const segmentSuffix = ".parquet"

// ParseSegmentFile returns the number of the segment that a file without its folder
// is called after; ok is false for the name of anything else.
func ParseSegmentFile(name string) (id ident.SegmentID, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	n, err := strconv.ParseUint(digits, 10, 64)
	id = ident.SegmentID(n)
	return id, ok && err == nil && id.String() == digits
}

// maxElement bounds an element of a path in bytes: file systems stop at 255.
const maxElement = 200

// pathElement is EscapePath, but for what would be too long for a file system:
// that is cut, and told apart by a hash. "%-" stands in no escaped text.
func pathElement(s string) string {
	escaped := EscapePath(s)
	if len(escaped) <= maxElement {
		return escaped
	}
	sum := sha256.Sum256([]byte(s))
	const kept = 130
	return EscapePath(s[:kept/3]) + "%-" + hex.EncodeToString(sum[:])
}

// clip shortens what a caller sent before it stands in a message.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "..."
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}
