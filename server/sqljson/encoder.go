// Package sqljson writes the results of statements in the JSON form that HTTP
// and WebSocket answers share: {"status", "results", "took", "request_id",
// "error"}.
//
// It writes values straight into one pooled buffer, without reflection and
// without a copy of the rows. It knows no sockets and no HTTP. The answer is
// held in memory until it is complete, since its status stands in front; its
// size is bounded by the limit that NewEncoder is given.
package sqljson

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// headRoom is kept free in front of the results for `{"status":...`, which is
// known last.
const headRoom = 40

// maxPooled is the largest buffer that is kept for the next answer, in bytes.
const maxPooled = 1 << 20

var pool = sync.Pool{New: func() any { return new(Encoder) }}

// Encoder writes one answer. It is used by one goroutine: Add for each result,
// Finish once, Release when the answer has been sent.
type Encoder struct {
	buf     []byte
	prefix  int // length of what stands in front of the status
	limit   int
	results int
}

// NewEncoder returns an Encoder for an answer whose results take at most limit
// bytes. prefix is put in front of the status: "" or complete JSON members
// with a comma behind each.
func NewEncoder(prefix string, limit int) *Encoder {
	e := pool.Get().(*Encoder)
	e.limit, e.results, e.prefix = limit, 0, len(prefix)
	e.buf = append(e.buf[:0], '{')
	e.buf = append(e.buf, prefix...)
	e.buf = append(e.buf, make([]byte, headRoom)...)
	return e
}

// Release gives the buffer back. What Finish returned must not be used after.
func (e *Encoder) Release() {
	if cap(e.buf) <= maxPooled {
		pool.Put(e)
	}
}

// Add writes one result with all its rows. On an error nothing of the result
// remains; one over the limit is a fault.ResultTooLarge. It reads the rows
// under ctx and does not close them.
func (e *Encoder) Add(ctx context.Context, res *engine.Result) error {
	start := len(e.buf)
	if e.results > 0 {
		e.buf = append(e.buf, ',')
	}
	if err := e.add(ctx, res); err != nil {
		e.buf = e.buf[:start]
		return err
	}
	e.results++
	return nil
}

func (e *Encoder) add(ctx context.Context, res *engine.Result) error {
	e.buf = append(e.buf, `{"schema":`...)
	e.buf = AppendSchema(e.buf, res.Columns)
	e.buf = append(e.buf, `,"rows":[`...)
	count, err := e.rows(ctx, res)
	if err != nil {
		return err
	}
	if len(res.Columns) == 0 || res.Kind.Info().Class == dialect.Write {
		count = res.Affected
	}
	e.buf = append(e.buf, `],"row_count":`...)
	e.buf = strconv.AppendInt(e.buf, count, 10)
	e.member("message", res.Message)
	e.member("as_user", string(res.AsUser))
	e.member("seq", res.Seq)
	e.buf = append(e.buf, '}')
	return e.checkLimit()
}

// rows writes the rows and returns their number.
func (e *Encoder) rows(ctx context.Context, res *engine.Result) (int64, error) {
	var count int64
	if res.Rows == nil {
		return 0, nil
	}
	for {
		row, err := res.Rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return count, nil
		}
		if err != nil {
			return 0, err
		}
		if count++; count > 1 {
			e.buf = append(e.buf, ',')
		}
		if err := e.row(row); err != nil {
			return 0, err
		}
	}
}

func (e *Encoder) row(row []value.Value) (err error) {
	e.buf = append(e.buf, '[')
	for i, v := range row {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		if e.buf, err = value.AppendJSON(e.buf, v); err != nil {
			return err
		}
	}
	e.buf = append(e.buf, ']')
	return e.checkLimit()
}

func (e *Encoder) checkLimit() error {
	if len(e.buf)-e.prefix-headRoom > e.limit {
		return fault.New(fault.ResultTooLarge,
			"the results are larger than %d bytes; add a LIMIT or name fewer columns", e.limit)
	}
	return nil
}

// member writes a text member unless it is empty.
func (e *Encoder) member(name, text string) {
	if text == "" {
		return
	}
	e.buf = append(e.buf, `,"`...)
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, `":`...)
	e.buf = value.AppendJSONString(e.buf, text)
}

// NoTook as Outcome.Took leaves the time out of the answer.
const NoTook = time.Duration(-1)

// Outcome is what is known when the statements have ended.
type Outcome struct {
	Err       error
	Took      time.Duration // NoTook for none
	RequestID string
}

// Finish completes the answer and returns it. The slice belongs to the
// Encoder.
func (e *Encoder) Finish(o Outcome) []byte {
	e.buf = append(e.buf, ']')
	if o.Took >= 0 {
		e.buf = append(e.buf, `,"took":`...)
		e.buf = wire.Millis(o.Took).AppendJSON(e.buf)
	}
	e.member("request_id", o.RequestID)
	status := wire.Success
	if o.Err != nil {
		status = wire.Failure
		e.buf = append(e.buf, `,"error":`...)
		e.buf = AppendError(e.buf, o.Err)
	}
	e.buf = append(e.buf, '}')
	return e.withHead(status)
}

// withHead writes the status into the room kept for it, right in front of the
// results, and moves the prefix up to it.
func (e *Encoder) withHead(status wire.Status) []byte {
	var head [headRoom]byte
	text := append(head[:0], `"status":"`...)
	text = append(text, status...)
	text = append(text, `","results":[`...)
	end := 1 + e.prefix + headRoom
	copy(e.buf[end-len(text):end], text)
	start := headRoom - len(text)
	copy(e.buf[start:], e.buf[:1+e.prefix])
	return e.buf[start:]
}

// AppendSchema appends the columns of a result as a JSON list.
func AppendSchema(dst []byte, columns []predicate.Column) []byte {
	dst = append(dst, '[')
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"name":`...)
		dst = value.AppendJSONString(dst, c.Name)
		dst = append(dst, `,"data_type":"`...)
		dst = append(dst, c.Kind.String()...)
		dst = append(dst, `","index":`...)
		dst = strconv.AppendInt(dst, int64(i), 10)
		dst = appendFlags(dst, c)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendFlags(dst []byte, c predicate.Column) []byte {
	switch {
	case c.Key && c.NotNull:
		return append(dst, `,"flags":["`+wire.PrimaryKey+`","`+wire.NotNull+`"]`...)
	case c.Key:
		return append(dst, `,"flags":["`+wire.PrimaryKey+`"]`...)
	case c.NotNull:
		return append(dst, `,"flags":["`+wire.NotNull+`"]`...)
	}
	return dst
}

// AppendError appends what a client is told of err as a JSON object.
func AppendError(dst []byte, err error) []byte {
	e := wire.ErrorOf(err)
	dst = append(dst, `{"code":"`...)
	dst = append(dst, e.Code...)
	dst = append(dst, `","message":`...)
	dst = value.AppendJSONString(dst, e.Message)
	if e.Statement > 0 {
		dst = append(dst, `,"statement":`...)
		dst = strconv.AppendInt(dst, int64(e.Statement), 10)
	}
	if e.Position > 0 {
		dst = append(dst, `,"position":`...)
		dst = strconv.AppendInt(dst, int64(e.Position), 10)
	}
	dst = append(dst, `,"retryable":`...)
	dst = strconv.AppendBool(dst, e.Retryable)
	return append(dst, '}')
}
