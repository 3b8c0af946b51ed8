// Package reply writes the JSON answers of the HTTP interface: bodies that are
// not results of statements, and errors with their status and headers.
//
// It decides nothing and keeps no state.
package reply

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// retryAfter is what Retry-After says, in seconds.
const retryAfter = "1"

// realm is what WWW-Authenticate says. Basic is accepted and not offered, so
// that browsers don't open their own login window.
const realm = `Bearer realm="kalamdb"`

// NoTook leaves the time out of an answer.
const NoTook = time.Duration(-1)

// JSON writes v with a status. took is left out when it is NoTook.
func JSON(w http.ResponseWriter, status int, v any, took time.Duration) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if took >= 0 {
		comma := ","
		if len(body) == 2 {
			comma = ""
		}
		body = append(body[:len(body)-1], comma+`"took":`...)
		body = append(wire.Millis(took).AppendJSON(body), '}')
	}
	return Body(w, status, body)
}

// Error writes err with its status from the code table.
func Error(w http.ResponseWriter, err error, took time.Duration) error {
	return ErrorStatus(w, Headers(w, err), err, took)
}

// ErrorStatus writes err with a status that says more than the code table's.
func ErrorStatus(w http.ResponseWriter, status int, err error, took time.Duration) error {
	return JSON(w, status, wire.ErrorResponse{Status: wire.Failure, Error: wire.ErrorOf(err)}, took)
}

// Headers sets the headers that go with err and returns its status.
func Headers(w http.ResponseWriter, err error) int {
	status := wire.HTTPStatus(err)
	switch status {
	case http.StatusUnauthorized:
		challenge := realm
		if !fault.Is(err, fault.AuthRequired) {
			challenge += `, error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	return status
}

// Body writes a complete JSON body.
func Body(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	h["Content-Type"] = contentType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

var contentType = []string{"application/json; charset=utf-8"}
