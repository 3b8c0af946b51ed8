package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// Request is one call of the SQL endpoint.
type Request struct {
	SQL string // one or more statements
	// Params fill $1 or ? of a single statement. []byte goes as base64 and
	// time.Time as UTC; int64 and uint64 keep all their digits. Anything else
	// goes as encoding/json writes it.
	Params []any

	Namespace string // instead of Options.Namespace
	As        string // instead of Options.As

	// RequestID names the request: a server applies a write of one id and
	// statement once, for 24 hours. The default is a fresh random one, under
	// which the client itself repeats a request that got no answer.
	RequestID string
	// MinSeq makes a read see the writes whose Result.Seq this is, on any
	// node.
	MinSeq string
}

// Results is what a request gave.
type Results struct {
	Results   []*Result     // one for each statement, in order
	Took      time.Duration // in the server; 0 when it does not tell
	RequestID string
}

// Result is what one statement gave. It is the caller's.
type Result struct {
	Schema   *Schema // never nil
	Rows     []Row
	RowCount int64  // rows returned, or rows changed
	Message  string // what a statement without rows says
	AsUser   string // whose data it was
	Seq      string // of a write, for Request.MinSeq; opaque
}

// Query runs one statement and returns its result. Several statements are an
// error before anything is sent back, so use Exec for them.
func (c *Client) Query(ctx context.Context, sql string, params ...any) (*Result, error) {
	rs, err := c.Do(ctx, Request{SQL: sql, Params: params})
	if err != nil {
		return nil, err
	}
	if n := len(rs.Results); n != 1 {
		return nil, fault.New(fault.InvalidParameter,
			"the text gave %d results where one was expected; use Exec", n)
	}
	return rs.Results[0], nil
}

// Exec runs one or more statements. When one fails, the results of those
// before it come back beside the error.
func (c *Client) Exec(ctx context.Context, sql string, params ...any) (*Results, error) {
	return c.Do(ctx, Request{SQL: sql, Params: params})
}

// Do runs a request. When a statement fails, the results of those before it
// come back beside the error, which names the statement and, where the server
// knows it, the position in the text.
func (c *Client) Do(ctx context.Context, r Request) (*Results, error) {
	if r.RequestID == "" {
		r.RequestID = newID()
	}
	params, err := encodeParams(r.Params)
	if err != nil {
		return &Results{RequestID: r.RequestID}, err
	}
	if r.Namespace == "" {
		r.Namespace = c.opts.Namespace
	}
	header := http.Header{}
	if r.As != "" {
		header.Set(wire.HeaderUserID, r.As)
	}
	if r.MinSeq != "" {
		header.Set(wire.HeaderMinSeq, r.MinSeq)
	}
	var a answer
	err = c.send(ctx, &call{method: http.MethodPost, path: wire.PathSQL, header: header,
		repeatable: true, body: wire.SQLRequest{
			SQL: r.SQL, Params: params, NamespaceID: r.Namespace, RequestID: r.RequestID,
		}}, &a)
	return a.results(r.RequestID), err
}

// newID returns 128 random bits as text.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

func encodeParams(params []any) ([]any, error) {
	if len(params) == 0 {
		return nil, nil
	}
	out := make([]any, len(params))
	for i, p := range params {
		switch v := p.(type) {
		case []byte:
			if v != nil {
				p = base64.StdEncoding.EncodeToString(v)
			}
		case time.Time:
			p = v.UTC().Format(time.RFC3339Nano)
		case string:
			if !utf8.ValidString(v) {
				return nil, fault.New(fault.InvalidParameter,
					"parameter %d is not valid UTF-8; pass bytes as []byte", i+1)
			}
		}
		out[i] = p
	}
	return out, nil
}

// answer is wire.SQLResponse with the values of rows left as JSON.
type answer struct {
	wire.SQLResponse
	Results []struct {
		wire.Result
		Rows [][]json.RawMessage `json:"rows"`
	} `json:"results"`
}

func (a *answer) results(requestID string) *Results {
	rs := &Results{RequestID: requestID}
	if a.Took != nil {
		rs.Took = time.Duration(*a.Took)
	}
	for i := range a.Results {
		from := &a.Results[i]
		r := &Result{Schema: newSchema(from.Schema), RowCount: from.RowCount,
			Message: from.Message, AsUser: from.AsUser, Seq: from.Seq}
		for _, values := range from.Rows {
			r.Rows = append(r.Rows, Row{schema: r.Schema, values: values})
		}
		rs.Results = append(rs.Results, r)
	}
	return rs
}
