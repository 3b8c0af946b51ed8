package wire

import (
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// CloseNormal is the status code of a close frame that tells of no error.
// Others come from fault.Info.
const CloseNormal = 1000

// maxCloseReason is what a close frame has room for, in bytes.
const maxCloseReason = 123

// CloseReason is the reason of a close frame: what happened and whether to
// connect again with the same credentials.
type CloseReason struct {
	Code      fault.Code `json:"code,omitempty"`
	Reconnect bool       `json:"reconnect"`
	Message   string     `json:"message,omitempty"`
}

// CloseOf returns status code and reason of the close frame for err; nil ends
// a connection normally.
func CloseOf(err error) (status int, reason string) {
	e := fault.From(err)
	if e == nil {
		return CloseNormal, CloseReason{}.String()
	}
	info := e.Code.Info()
	return info.Close, CloseReason{e.Code, info.Retryable, e.Message}.String()
}

// String returns r as JSON that fits a close frame; the message is cut as
// needed.
func (r CloseReason) String() string {
	for {
		b, err := json.Marshal(r)
		if err == nil && len(b) <= maxCloseReason || r.Message == "" {
			return string(b)
		}
		_, size := utf8.DecodeLastRuneInString(r.Message)
		r.Message = r.Message[:len(r.Message)-size]
	}
}

// ParseCloseReason reads the reason of a close frame. One that a proxy or a
// server that broke off gave means: connect again.
func ParseCloseReason(s string) CloseReason {
	r := CloseReason{}
	if err := json.Unmarshal([]byte(s), &r); err != nil {
		return CloseReason{Reconnect: true, Message: s}
	}
	return r
}

// HTTPStatus returns the status of the HTTP answer that carries err.
func HTTPStatus(err error) int {
	if err == nil {
		return http.StatusOK
	}
	return fault.CodeOf(err).Info().HTTP
}
