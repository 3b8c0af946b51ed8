package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

func FuzzParseClient(f *testing.F) {
	for _, test := range clientMessages {
		f.Add([]byte(test.text))
	}
	f.Add([]byte(`{"type":"subscribe","subscription":{"id":"s","sql":"x","options":{"from":7}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.ParseClient(data)
		if err == nil {
			readsBack(t, wire.ParseClient, m)
		} else if code := fault.CodeOf(err); code == fault.Internal {
			t.Fatal(err)
		}
	})
}

func FuzzParseServer(f *testing.F) {
	for _, test := range serverMessages {
		f.Add([]byte(test.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.ParseServer(data)
		if err == nil {
			readsBack(t, wire.ParseServer, m)
		} else if code := fault.CodeOf(err); code == fault.Internal {
			t.Fatal(err)
		}
		wire.ParseCloseReason(string(data))
	})
}

// readsBack checks that a message that was read is written as one that reads
// the same.
func readsBack(t *testing.T, parse func([]byte) (any, error), m any) {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatalf("%#v has no text: %v", m, err)
	}
	again, err := parse(text)
	if err != nil {
		t.Fatalf("%s does not read: %v", text, err)
	}
	if second, err := json.Marshal(again); err != nil || string(second) != string(text) {
		t.Fatalf("%s reads as %s: %v", text, second, err)
	}
}
