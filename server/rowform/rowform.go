// Package rowform writes the rows of one result in the forms that stream:
// newline-delimited JSON, CSV and Arrow.
//
// A form is chosen by the media type that a client accepts. Rows are written as
// they are read, in chunks, so that a result of any size takes the memory of
// one chunk. The package knows no HTTP and no sockets; it starts no goroutines
// and keeps no state between results.
package rowform

import (
	"context"
	"errors"
	"io"
	"mime"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// Form is a form of rows.
type Form struct {
	// MediaType is what a client accepts to get the form.
	MediaType string
	// ContentType is what the answer says of itself.
	ContentType string
	open        func(columns []predicate.Column) (encoder, error)
}

// encoder appends the parts of one result to dst.
type encoder interface {
	head(dst []byte) []byte
	row(dst []byte, vals []value.Value) ([]byte, error)
	// tail ends a result that is whole.
	tail(dst []byte) ([]byte, error)
	// failure appends a last line that tells of err. ok is false in a form
	// that has no way to say it.
	failure(dst []byte, err error) (_ []byte, ok bool)
}

// The forms.
var (
	// NDJSON is one JSON object by column name on each line. A failure after
	// the first rows is a last line {"error": {...}}.
	NDJSON = &Form{
		MediaType: "application/x-ndjson", ContentType: "application/x-ndjson; charset=utf-8",
		open: openNDJSON,
	}
	// CSV is RFC 4180 with a header; NULL is an empty field, an empty text is
	// "". A failure after the first rows cuts it off.
	CSV = &Form{
		MediaType: "text/csv", ContentType: "text/csv; charset=utf-8; header=present",
		open: openCSV,
	}
	// Arrow is a stream of the Arrow IPC format. A failure after the first rows
	// cuts it off before the end of the stream.
	Arrow = &Form{
		MediaType:   "application/vnd.apache.arrow.stream",
		ContentType: "application/vnd.apache.arrow.stream",
		open:        openArrow,
	}
)

var forms = []*Form{NDJSON, CSV, Arrow}

// Choose returns the form that the values of an Accept header ask for, or nil
// for JSON: when it is asked for no less, when anything goes, and when nothing
// that is offered is named.
func Choose(accept []string) *Form {
	var best *Form
	weight := 0.0
	for _, list := range accept {
		for item := range strings.SplitSeq(list, ",") {
			kind, params, err := mime.ParseMediaType(strings.TrimSpace(item))
			if err != nil {
				continue
			}
			f, known := byType(kind)
			if q := quality(params["q"]); known && q > weight {
				best, weight = f, q
			}
		}
	}
	return best
}

// byType returns the form of a media type; nil and true for JSON.
func byType(kind string) (_ *Form, known bool) {
	switch kind {
	case "application/json", "application/*", "*/*":
		return nil, true
	}
	for _, f := range forms {
		if f.MediaType == kind {
			return f, true
		}
	}
	return nil, false
}

// quality returns the weight that q=... gives, 0 for one that is none.
func quality(text string) float64 {
	if text == "" {
		return 1
	}
	q, err := strconv.ParseFloat(text, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// chunk is how many bytes gather before they are written. A row that is larger
// is a chunk of its own.
const chunk = 32 << 10

// Writer writes one result. It is used by one goroutine.
type Writer struct {
	form *Form
	to   io.Writer
	enc  encoder
	buf  []byte
}

// NewWriter returns a Writer of a form. Each call of to.Write gets whole rows.
func NewWriter(f *Form, to io.Writer) *Writer { return &Writer{form: f, to: to} }

// Write writes the rows of res, which it reads under ctx and does not close.
// Nothing is written before the first chunk is complete or the last row read,
// so that an error in a small result leaves to untouched.
func (w *Writer) Write(ctx context.Context, res *engine.Result) (err error) {
	if w.enc, err = w.form.open(res.Columns); err != nil {
		return err
	}
	w.buf = w.enc.head(make([]byte, 0, chunk+chunk/4))
	for {
		vals, err := res.Rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			if w.buf, err = w.enc.tail(w.buf); err != nil {
				return err
			}
			return w.flush()
		}
		if err != nil {
			return err
		}
		whole := len(w.buf)
		if w.buf, err = w.enc.row(w.buf, vals); err != nil {
			w.buf = w.buf[:whole]
			return err
		}
		if len(w.buf) >= chunk {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
}

func (w *Writer) flush() error {
	_, err := w.to.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// Fail writes the rows that wait and, behind them, that the result ended with
// cause. It returns false when the form can't say so or it could not be
// written; the answer must then be cut off, so that nobody takes it for whole.
func (w *Writer) Fail(cause error) bool {
	if w.enc == nil {
		return false
	}
	buf, ok := w.enc.failure(w.buf, cause)
	if !ok {
		return false
	}
	w.buf = buf
	return w.flush() == nil
}
