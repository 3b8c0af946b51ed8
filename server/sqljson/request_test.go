package sqljson_test

import (
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/sqljson"
)

var bodies = []string{
	`{"sql":"SELECT 1"}`, ` { "sql" : "a\nb \"ß\" \u00e4 \ud83d" , "params" : [ ] } `,
	`{"sql":"x","params":[1,-5,0,"a",true,false,null,"\t"],"namespace_id":"n","request_id":"r"}`,
	`{"params":[999999999999999999,-999999999999999999],"sql":"x"}`,
	`{"sql":"x","params":[9223372036854775807,-9223372036854775808,18446744073709551615]}`,
	`{"sql":"x","params":[1.5,1e3,-0,0.0,1E400,{"a":[1]},[2]]}`, `{"sql":"x","params":[01]}`,
	`{"sql":"x","params":[-]}`, `{"sql":"x","params":[1 2]}`, `{"sql":"x","params":[1,]}`,
	`{"sql":"x","params":[nullx]}`, `{"sql":"x","params":[truefalse]}`, `{"sql":"x","params":null}`,
	`{"SQL":"x"}`, `{"sql":"a","sql":"b"}`, `{"sql":"a","other":1}`, `{"sql":null}`, `{"sql":1}`,
	`{}`, `{"sql":"x"} `, `{"sql":"x"}x`, `{"sql":"x"`, `{"sql":"x`, `{"sql":"x\`, `[]`, ``, `null`, `"`,
	"{\"sql\":\"a\x01\"}", "{\"sql\":\"a\xff\"}", "{\"sql\":\"\\q\"}", "{\"s\\u0071l\":\"x\"}",
	`{"sql":"x","params":["`, `{"sql":"x","params":[`, `{"sql":"x",}`, `{,"sql":"x"}`, `{"sql" "x"}`,
}

// slowly reads a body without the short cut.
func slowly(body []byte) (sqljson.Request, error) {
	var m wire.SQLRequest
	if err := wire.DecodeStrict(body, &m); err != nil {
		return sqljson.Request{}, err
	}
	params, err := sqljson.Params(m.Params)
	return sqljson.Request{SQL: m.SQL, NamespaceID: m.NamespaceID, RequestID: m.RequestID,
		Params: params}, err
}

func alike(t *testing.T, body []byte) {
	t.Helper()
	got, err := sqljson.ReadRequest(body)
	want, wantErr := slowly(body)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("%q: error %v, want %v", body, err, wantErr)
	}
	if err == nil && fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		t.Fatalf("%q\n got %#v\nwant %#v", body, got, want)
	}
}

func TestReadRequest_IsTheStrictReader(t *testing.T) {
	for _, body := range bodies {
		alike(t, []byte(body))
	}
}

func FuzzReadRequest(f *testing.F) {
	for _, body := range bodies {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { alike(t, body) })
}

func TestReadRequest_AllocatesLittle(t *testing.T) {
	body := []byte(`{"sql":"SELECT content FROM t WHERE a = $1 AND b = $2","params":[1,2]}`)
	n := testing.AllocsPerRun(100, func() {
		if _, err := sqljson.ReadRequest(body); err != nil {
			t.Fatal(err)
		}
	})
	if n > 2 { // the text, the parameters
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkReadRequest(b *testing.B) {
	body := []byte(`{"sql":"SELECT content FROM t WHERE a = $1 AND b = $2","params":[1,2]}`)
	for name, read := range map[string]func([]byte) (sqljson.Request, error){
		"strict": slowly, "plain": sqljson.ReadRequest,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := read(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
