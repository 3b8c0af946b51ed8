package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

func TestDecodeStrict_takes_what_clients_send(t *testing.T) {
	deep := strings.Repeat("[", 62) + strings.Repeat("]", 62)
	for name, body := range map[string]string{
		"the least":                `{"sql":"SELECT 1"}`,
		"unknown fields":           `{"sql":"SELECT 1","protocol":2,"x":{"y":[]}}`,
		"white space around":       " \n{\"sql\":\"SELECT 1\"}\r\n ",
		"the same key elsewhere":   `{"sql":"SELECT 1","params":[{"a":1},{"a":2}],"x":{"sql":1}}`,
		"keys that differ in case": `{"sql":"SELECT 1","params":[{"a":1,"A":2}]}`,
		"a key as value":           `{"x":"sql","sql":"SELECT 1","y":["x","x"]}`,
		"brackets in strings":      `{"x":"{[\"}","sql":"SELECT 1"}`,
		"62 deep in params":        `{"sql":"SELECT 1","params":[` + deep + `]}`,
	} {
		var r wire.SQLRequest
		if err := wire.DecodeStrict([]byte(body), &r); err != nil || r.SQL != "SELECT 1" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestDecodeStrict_keeps_numbers_exact(t *testing.T) {
	var r wire.SQLRequest
	err := wire.DecodeStrict([]byte(`{"params":[9223372036854775807,1.10,null,"x",true]}`), &r)
	if err != nil || len(r.Params) != 5 || r.Params[0] != json.Number("9223372036854775807") ||
		r.Params[1] != json.Number("1.10") || r.Params[2] != nil {
		t.Errorf("%v, %v", r.Params, err)
	}
}

func TestDecodeStrict_refuses(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":                      ``,
		"white space":                  "  \n",
		"half an object":               `{"sql":"SELECT`,
		"no JSON":                      `SELECT 1`,
		"a comma too many":             `{"sql":"x",}`,
		"two values":                   `{"sql":"x"}{"sql":"y"}`,
		"a bracket behind":             `{"sql":"x"}]`,
		"invalid UTF-8":                "{\"sql\":\"\xff\"}",
		"a key twice":                  `{"sql":"x","sql":"y"}`,
		"a key twice, once escaped":    `{"sql":"x","\u0073ql":"y"}`,
		"a key twice further down":     `{"params":[[{"a":1,"b":{},"a":2}]]}`,
		"a key twice behind an object": `{"a":{"b":[1,2]},"a":1}`,
		"another type":                 `{"sql":5}`,
		"an array":                     `["sql"]`,
		"65 deep":                      strings.Repeat("[", 65) + strings.Repeat("]", 65),
		"a million deep":               strings.Repeat(`{"a":`, 1_000_000),
	} {
		var r wire.SQLRequest
		err := wire.DecodeStrict([]byte(body), &r)
		if !fault.Is(err, fault.MalformedRequest) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: a message of %d bytes", name, len(err.Error()))
		}
	}
}

func TestDecode_takes_rows_as_they_were_stored(t *testing.T) {
	deep := strings.Repeat("[", 90) + strings.Repeat("]", 90)
	var r wire.SQLResponse
	body := `{"status":"success","results":[{"rows":[[{"a":1,"a":2},` + deep + `]]}]}`
	if err := wire.Decode([]byte(body), &r); err != nil || len(r.Results[0].Rows[0]) != 2 {
		t.Errorf("%v", err)
	}
}

func FuzzDecodeStrict(f *testing.F) {
	f.Add([]byte(`{"sql":"x","params":[1,{"a":null}],"\u0073":"\\"}`))
	f.Add([]byte(`{"a":{"b":1,"b":2}}`))
	f.Add([]byte(`"\`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict any
		if err := wire.DecodeStrict(data, &strict); err != nil {
			if !fault.Is(err, fault.MalformedRequest) {
				t.Fatal(err)
			}
			return
		}
		// No key was lost to a second one of its name.
		var keys func(v any) int
		keys = func(v any) (n int) {
			switch v := v.(type) {
			case map[string]any:
				n = len(v)
				for _, e := range v {
					n += keys(e)
				}
			case []any:
				for _, e := range v {
					n += keys(e)
				}
			}
			return n
		}
		if got, want := keys(strict), countKeys(t, data); got != want {
			t.Fatalf("%s has %d keys, %d were read", data, want, got)
		}
	})
}

// countKeys counts by the tokens of the standard library.
func countKeys(t *testing.T, data []byte) (n int) {
	d := json.NewDecoder(strings.NewReader(string(data)))
	var objects []bool
	var strings []int
	for d.More() || len(objects) > 0 {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%s was read, but %v", data, err)
		}
		top := len(objects) - 1
		if top >= 0 && objects[top] && token != json.Delim('}') {
			if strings[top]%2 == 0 {
				n++
			}
			strings[top]++
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			objects = append(objects, token == json.Delim('{'))
			strings = append(strings, 0)
		case json.Delim('}'), json.Delim(']'):
			objects, strings = objects[:top], strings[:top]
		}
	}
	return n
}

func BenchmarkDecodeStrict(b *testing.B) {
	body := []byte(`{"sql":"INSERT INTO chat.messages (id, conversation_id, role, content) ` +
		`VALUES (?, ?, ?, ?)","params":["1","c42","user","hello there"],"request_id":"abc"}`)
	b.ReportAllocs()
	for b.Loop() {
		var r wire.SQLRequest
		if err := wire.DecodeStrict(body, &r); err != nil {
			b.Fatal(err)
		}
	}
}
