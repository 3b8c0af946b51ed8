// Package fault is the one error type that crosses module borders: a code from
// a closed list, a message that says what to do next, and the cause.
//
// Inside a package plain errors are fine; what leaves a module is a *Error, so
// that HTTP, WebSocket and library callers see the same thing. The package
// holds no state and does no I/O.
package fault

import (
	"context"
	"errors"
	"fmt"
)

// Error is an error with a code. The zero value is not useful; use New or Wrap.
// An Error is immutable once returned, except that the statement runner sets
// Statement and Position on a copy.
type Error struct {
	Code    Code
	Message string // for the caller: what is wrong and what to do next
	Err     error  // the cause, for logs and errors.Is; never sent to clients

	Statement int // from 1, in a request of several statements; 0 when not known
	Position  int // byte from 1 in the whole text; 0 when not known
}

// New returns an Error with a formatted message.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns an Error with a formatted message and a cause. When err already
// is a *Error its code wins, and its message is kept behind the new one.
func Wrap(code Code, err error, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	var inner *Error
	if errors.As(err, &inner) {
		code, msg = inner.Code, msg+": "+inner.Message
	}
	return &Error{Code: code, Message: msg, Err: err}
}

// Error returns code, message and cause in one line.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	var inner *Error
	if e.Err != nil && !errors.As(e.Err, &inner) {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// At returns a copy that names the statement and position it is about.
// Values of 0 leave what is there.
func (e *Error) At(statement, position int) *Error {
	c := *e
	if statement > 0 {
		c.Statement = statement
	}
	if position > 0 {
		c.Position = position
	}
	return &c
}

// From returns err as a *Error: itself when it is one, Cancelled or
// StatementTimeout for a context's end, else Internal with err as the cause.
// From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{
			Code: StatementTimeout, Message: "the statement took longer than allowed", Err: err,
		}
	case errors.Is(err, context.Canceled):
		return &Error{Code: Cancelled, Message: "the request was cancelled", Err: err}
	}
	return &Error{
		Code: Internal, Message: "internal error; the server's log has the details", Err: err,
	}
}

// CodeOf returns the code From(err) would carry, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return From(err).Code
}

// Is reports whether err carries code.
func Is(err error, code Code) bool { return CodeOf(err) == code }
