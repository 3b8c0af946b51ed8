package blackbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Client sends SQL to a server as one caller. It is safe for concurrent use;
// its fields are set before the first call.
type Client struct {
	URL           string
	Authorization string       // "Basic ..." or "Bearer ..."; "" sends none
	As            string       // X-USER-ID; "" sends none
	Namespace     string       // namespace_id of the requests; "" sends none
	HTTP          *http.Client // nil means http.DefaultClient
}

// WithUser returns a copy that acts for user.
func (c *Client) WithUser(user string) *Client {
	copied := *c
	copied.As = user
	return &copied
}

// Result is one result of an answer.
type Result struct {
	Schema []struct {
		Name     string   `json:"name"`
		DataType string   `json:"data_type"`
		Index    int      `json:"index"`
		Flags    []string `json:"flags"`
	} `json:"schema"`
	Rows     [][]any `json:"rows"` // numbers are json.Number
	RowCount int     `json:"row_count"`
	Message  string  `json:"message"`
	AsUser   string  `json:"as_user"`
	Seq      string  `json:"seq"`
}

// Error is the error object of an answer; it is returned as an error.
type Error struct {
	HTTP      int    `json:"-"` // status of the answer
	Code      string `json:"code"`
	Message   string `json:"message"`
	Statement int    `json:"statement"`
	Position  int    `json:"position"`
	Retryable bool   `json:"retryable"`
}

// Error returns status, code and message in one line.
func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.HTTP, e.Code, e.Message) }

// Answer is the body of POST /v1/api/sql.
type Answer struct {
	HTTP      int         `json:"-"`
	Status    string      `json:"status"`
	Results   []Result    `json:"results"`
	Took      json.Number `json:"took"`
	RequestID string      `json:"request_id"`
	Error     *Error      `json:"error"`
}

// Request is the body of POST /v1/api/sql as a client writes it.
type Request struct {
	SQL       string `json:"sql"`
	Params    []any  `json:"params,omitempty"`
	Namespace string `json:"namespace_id,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// SQL runs one statement and returns its result, the last one when there are
// several. An error answer is returned as *Error, with the results before it
// lost; use Do to see both.
func (c *Client) SQL(ctx context.Context, sql string, params ...any) (*Result, error) {
	a, err := c.Do(ctx, Request{SQL: sql, Params: params, Namespace: c.Namespace})
	switch {
	case err != nil:
		return nil, err
	case a.Error != nil:
		return nil, a.Error
	case len(a.Results) == 0:
		return &Result{}, nil
	}
	return &a.Results[len(a.Results)-1], nil
}

// Do sends a request. An error answer is no error here.
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return c.Post(ctx, "/v1/api/sql", "application/json", bytes.NewReader(body))
}

// Post sends any body to a path and reads the answer, which must be JSON.
func (c *Client) Post(ctx context.Context, path, kind string, body io.Reader) (*Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+path, body)
	if err != nil {
		return nil, err
	}
	req.Header = c.Header()
	req.Header.Set("Content-Type", kind)
	resp, err := c.client().Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return readAnswer(resp)
}

// Header returns the headers that say who is asking.
func (c *Client) Header() http.Header {
	h := http.Header{}
	if c.Authorization != "" {
		h.Set("Authorization", c.Authorization)
	}
	if c.As != "" {
		h.Set("X-USER-ID", c.As)
	}
	return h
}

func (c *Client) client() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return http.DefaultClient
}

func readAnswer(resp *http.Response) (*Answer, error) {
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	a := &Answer{HTTP: resp.StatusCode}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(a); err != nil {
		return nil, fmt.Errorf("answer %d is not JSON: %w: %s", resp.StatusCode, err, clip(text))
	}
	if a.Error != nil {
		a.Error.HTTP = resp.StatusCode
	}
	return a, nil
}

func clip(b []byte) string {
	return strings.ToValidUTF8(string(b[:min(len(b), 300)]), "?")
}

// Strings returns the rows with each value as text: NULL as "NULL", all else
// as JSON without quotes around strings.
func (r *Result) Strings() [][]string {
	out := make([][]string, len(r.Rows))
	for i, row := range r.Rows {
		for _, v := range row {
			out[i] = append(out[i], text(v))
		}
	}
	return out
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		return v
	case json.Number:
		return v.String()
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
