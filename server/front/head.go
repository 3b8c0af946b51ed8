package front

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
)

// The bounds of a request that is read here.
const (
	maxHead    = 8 << 10
	maxHeaders = 32
	// maxBody is what net/http reads of a body that its handler did not read,
	// so as to keep the connection.
	maxBody = 256 << 10
)

// head is the head of a request. It is kept for the next one: clients send the
// same again, but for the length of the body.
type head struct {
	before, after []byte // what stands around the digits of Content-Length
	host          string
	header        http.Header

	length int // of the body
	size   int // of the head itself
}

// verdict is what becomes of the bytes at the begin of a request.
type verdict int

const (
	incomplete verdict = iota // they may become a request that is read here
	complete                  // the head is there, and is one to be read here
	foreign                   // they are for net/http
)

// read reads the head at the begin of b. line is the request line to expect.
func (h *head) read(b, line []byte) verdict {
	if h.again(b) {
		return complete
	}
	if n := min(len(b), len(line)); !bytes.Equal(b[:n], line[:n]) {
		return foreign
	}
	end := bytes.Index(b, endOfHead)
	switch {
	case end > maxHead || end < 0 && len(b) > maxHead:
		return foreign
	case end < 0:
		return incomplete
	case !h.parse(b[:end+len(endOfHead)], len(line)):
		h.before = nil
		return foreign
	}
	return complete
}

var endOfHead = []byte("\r\n\r\n")

// again reports whether b begins with the head that was read last, but for the
// length of the body.
func (h *head) again(b []byte) bool {
	if h.before == nil || !bytes.HasPrefix(b, h.before) {
		return false
	}
	rest := b[len(h.before):]
	length, digits := number(rest)
	if digits == 0 || !bytes.HasPrefix(rest[digits:], h.after) {
		return false
	}
	if length != h.length {
		h.header["Content-Length"] = []string{string(rest[:digits])}
	}
	h.length, h.size = length, len(h.before)+digits+len(h.after)
	return true
}

// number reads a length of at most maxBody without leading zeros. digits is 0
// when there is none.
func number(b []byte) (n, digits int) {
	for digits < len(b) && '0' <= b[digits] && b[digits] <= '9' {
		n = 10*n + int(b[digits]-'0')
		if digits++; n > maxBody || n == 0 && digits > 1 {
			return 0, 0
		}
	}
	return n, digits
}

// parse reads a whole head whose request line takes first bytes. It returns
// false unless each line is one that has one meaning only.
func (h *head) parse(b []byte, first int) bool {
	fields := make(http.Header)
	host, lengthAt, digits, length := "", 0, 0, 0
	for at, lines := first, 0; ; lines++ {
		end := at + bytes.IndexByte(b[at:], '\r')
		if b[end+1] != '\n' || lines > maxHeaders {
			return false
		}
		line := b[at:end]
		if len(line) == 0 {
			break
		}
		name, value, from, ok := field(line)
		if !ok || len(fields[name]) > 0 || special(name, value) {
			return false
		}
		switch name {
		case "Host":
			if host != "" || !plainHost(value) {
				return false
			}
			host = value
			at = end + 2
			continue
		case "Content-Length":
			lengthAt = at + from
			if length, digits = number([]byte(value)); digits != len(value) || digits == 0 {
				return false
			}
		}
		fields[name] = []string{value}
		at = end + 2
	}
	if host == "" || digits == 0 {
		return false
	}
	h.before = append(h.before[:0], b[:lengthAt]...)
	h.after = append(h.after[:0], b[lengthAt+digits:]...)
	h.host, h.header, h.length, h.size = host, fields, length, len(b)
	return true
}

// field takes a header line apart; from is where its value begins. What is not
// plain printable ASCII is not ok.
func field(line []byte) (name, value string, from int, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return "", "", 0, false
	}
	for _, c := range line[:colon] {
		if !letterOrDigit(c) && c != '-' && c != '_' {
			return "", "", 0, false
		}
	}
	for _, c := range line[colon:] {
		if c < ' ' || c > '~' {
			return "", "", 0, false
		}
	}
	from = colon + 1
	for from < len(line) && line[from] == ' ' {
		from++
	}
	name = textproto.CanonicalMIMEHeaderKey(string(line[:colon]))
	return name, string(bytes.TrimRight(line[from:], " ")), from, true
}

func letterOrDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// special reports whether a header changes how a request is read or answered.
func special(name, value string) bool {
	switch name {
	case "Connection":
		return !strings.EqualFold(value, "keep-alive")
	case "Expect", "Http2-Settings", "Pragma", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// plainHost reports whether a Host is a name or an address with a port or none.
func plainHost(host string) bool {
	for i := range len(host) {
		if c := host[i]; !letterOrDigit(c) && strings.IndexByte(".-:[]", c) < 0 {
			return false
		}
	}
	return host != ""
}
