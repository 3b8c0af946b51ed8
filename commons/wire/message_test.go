package wire_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

func ptr[T any](v T) *T { return &v }

// Every message with every field, and its text, against which clients in other
// languages are written.
var clientMessages = []struct {
	message any
	text    string
}{
	{
		&wire.Authenticate{Type: wire.TypeAuthenticate, Method: wire.MethodJWT, Token: "t"},
		`{"type":"authenticate","method":"jwt","token":"t"}`,
	},
	{
		&wire.Authenticate{
			Type: wire.TypeAuthenticate, Method: wire.MethodBasic, Username: "u", Password: "p",
		},
		`{"type":"authenticate","method":"basic","username":"u","password":"p"}`,
	},
	{
		&wire.Subscribe{
			Type: wire.TypeSubscribe, Subscription: wire.Subscription{ID: "s", SQL: "q"},
		},
		`{"type":"subscribe","subscription":{"id":"s","sql":"q"}}`,
	},
	{
		&wire.Subscribe{Type: wire.TypeSubscribe, Subscription: wire.Subscription{
			ID: "s", SQL: "q", Options: wire.SubscriptionOptions{
				LastRows: ptr(0), BatchSize: ptr(10), From: ptr(wire.Seq(7)), Policy: wire.Conflate,
			},
		}},
		`{"type":"subscribe","subscription":{"id":"s","sql":"q","options":` +
			`{"last_rows":0,"batch_size":10,"from":"7","policy":"conflate"}}}`,
	},
	{
		&wire.NextBatch{
			Type: wire.TypeNextBatch, SubscriptionID: "s", LastSeqID: ptr(wire.Seq(clock.MaxSeq)),
		},
		`{"type":"next_batch","subscription_id":"s","last_seq_id":"9223372036854775807"}`,
	},
	{
		&wire.Unsubscribe{Type: wire.TypeUnsubscribe, SubscriptionID: "s"},
		`{"type":"unsubscribe","subscription_id":"s"}`,
	},
	{&wire.Ping{Type: wire.TypePing}, `{"type":"ping"}`},
	{
		&wire.Query{
			Type: wire.TypeQuery, ID: "1", SQL: "q", Params: []any{"a", nil, true},
			NamespaceID: "chat", RequestID: "r",
		},
		`{"type":"query","id":"1","sql":"q","params":["a",null,true],` +
			`"namespace_id":"chat","request_id":"r"}`,
	},
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

var schema = []wire.Column{{
	Name: "id", DataType: "BigInt", Flags: []wire.Flag{wire.PrimaryKey, wire.NotNull},
}}

const schemaText = `[{"name":"id","data_type":"BigInt","index":0,"flags":["pk","nn"]}]`

var serverMessages = []struct {
	message any
	text    string
}{
	{
		&wire.AuthSuccess{
			Type: wire.TypeAuthSuccess, User: "alice", Role: ident.RoleUser, ExpiresAt: &noon,
		},
		`{"type":"auth_success","user":"alice","role":"user","expires_at":"2026-01-02T12:00:00Z"}`,
	},
	{
		&wire.AuthError{Type: wire.TypeAuthError, Code: fault.TokenExpired, Message: "m"},
		`{"type":"auth_error","code":"TOKEN_EXPIRED","message":"m"}`,
	},
	{
		&wire.AuthExpiring{Type: wire.TypeAuthExpiring, ExpiresAt: noon},
		`{"type":"auth_expiring","expires_at":"2026-01-02T12:00:00Z"}`,
	},
	{
		&wire.SubscriptionAck{
			Type: wire.TypeSubscriptionAck, SubscriptionID: "s", Schema: schema, SchemaVersion: 3,
			BatchControl: wire.BatchControl{HasMore: true, Status: wire.Loading},
		},
		`{"type":"subscription_ack","subscription_id":"s","schema":` + schemaText +
			`,"schema_version":3,"batch_control":{"batch_num":0,"has_more":true,"status":"loading"}}`,
	},
	{
		&wire.InitialData{
			Type: wire.TypeInitialData, SubscriptionID: "s", Rows: []wire.Row{{"id": "1"}},
			BatchControl: wire.BatchControl{
				BatchNum: 1, Status: wire.Ready, LastSeqID: ptr(wire.Seq(9)),
			},
		},
		`{"type":"initial_data_batch","subscription_id":"s","rows":[{"id":"1"}],` +
			`"batch_control":{"batch_num":1,"has_more":false,"status":"ready","last_seq_id":"9"}}`,
	},
	{
		&wire.Change{
			Type: wire.TypeChange, SubscriptionID: "s", ChangeType: wire.Delete,
			Reason: wire.Leave, OldValues: []wire.Row{{"id": "1"}}, Seq: 9, Commit: true,
		},
		`{"type":"change","subscription_id":"s","change_type":"delete","reason":"leave",` +
			`"old_values":[{"id":"1"}],"seq":"9","commit":true}`,
	},
	{
		&wire.Progress{Type: wire.TypeProgress, SubscriptionID: "s", Seq: 9},
		`{"type":"progress","subscription_id":"s","seq":"9"}`,
	},
	{
		&wire.Schema{
			Type: wire.TypeSchema, SubscriptionID: "s", Schema: schema, SchemaVersion: 4,
		},
		`{"type":"schema","subscription_id":"s","schema":` + schemaText + `,"schema_version":4}`,
	},
	{
		&wire.Resync{Type: wire.TypeResync, SubscriptionID: "s", Reason: "r"},
		`{"type":"resync","subscription_id":"s","reason":"r"}`,
	},
	{
		&wire.Unsubscribed{Type: wire.TypeUnsubscribed, SubscriptionID: "s", Reason: "r"},
		`{"type":"unsubscribed","subscription_id":"s","reason":"r"}`,
	},
	{
		&wire.QueryResult{Type: wire.TypeResult, ID: "1", SQLResponse: wire.SQLResponse{
			Status: wire.Failure, Results: []wire.Result{}, Took: ptr(wire.Millis(1234567)),
			Error: &wire.Error{
				Code: fault.InvalidSQL, Message: "m", Statement: 1, Position: 15,
			},
		}},
		`{"type":"result","id":"1","status":"error","results":[],"took":1.235,"error":` +
			`{"code":"INVALID_SQL","message":"m","statement":1,"position":15,"retryable":false}}`,
	},
	{&wire.Pong{Type: wire.TypePong}, `{"type":"pong"}`},
	{
		&wire.ErrorMessage{
			Type: wire.TypeError, SubscriptionID: "s", Code: fault.LiveSharedTable, Message: "m",
		},
		`{"type":"error","subscription_id":"s","code":"LIVE_SHARED_TABLE","message":"m"}`,
	},
}

func TestParseClient_reads_every_message(t *testing.T) {
	for _, test := range clientMessages {
		checkMessage(t, wire.ParseClient, test.message, test.text)
	}
}

func TestParseServer_reads_every_message(t *testing.T) {
	for _, test := range serverMessages {
		checkMessage(t, wire.ParseServer, test.message, test.text)
	}
}

func checkMessage(t *testing.T, parse func([]byte) (any, error), message any, text string) {
	t.Helper()
	b, err := json.Marshal(message)
	if err != nil || string(b) != text {
		t.Errorf("%T is\n%s, not\n%s: %v", message, b, text, err)
	}
	got, err := parse([]byte(text))
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return
	}
	if r, ok := got.(*wire.QueryResult); ok && r.Took != nil {
		*r.Took = wire.Millis(1234567) // written with three decimals only
	}
	if !reflect.DeepEqual(got, message) {
		t.Errorf("%s is read as %+v, not %+v", text, got, message)
	}
}

func TestParseClient_refuses(t *testing.T) {
	for body, want := range map[string]fault.Code{
		`{}`:                 fault.MalformedRequest,
		`null`:               fault.MalformedRequest,
		`[]`:                 fault.MalformedRequest,
		`{"type":"no_such"}`: fault.MalformedRequest,
		`{"type":"change"}`:  fault.MalformedRequest,
		`{"type":1}`:         fault.MalformedRequest,
		`{"type":"ping","a"`: fault.MalformedRequest,
		`{"type":"query","id":"1","sql":"x","id":"2"}`: fault.MalformedRequest,
		`{"type":"next_batch","last_seq_id":"-1"}`:     fault.InvalidParameter,
		`{"type":"next_batch","last_seq_id":"a"}`:      fault.InvalidParameter,
		`{"type":"next_batch","last_seq_id":1.5}`:      fault.InvalidParameter,
		`{"type":"next_batch","last_seq_id":{}}`:       fault.InvalidParameter,
	} {
		if m, err := wire.ParseClient([]byte(body)); !fault.Is(err, want) || m != nil {
			t.Errorf("%s: %+v, %v", body, m, err)
		}
	}
}

func TestParseServer_names_messages_of_newer_servers(t *testing.T) {
	if _, err := wire.ParseServer([]byte(`{"type":"news"}`)); !fault.Is(err, fault.Unsupported) {
		t.Error(err)
	}
}

func TestSeq_is_also_read_from_a_number(t *testing.T) {
	m, err := wire.ParseClient([]byte(
		`{"type":"subscribe","subscription":{"options":{"from":9007199254740993}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if s := m.(*wire.Subscribe).Subscription.Options.From; s == nil || *s != 9007199254740993 {
		t.Errorf("%v", s)
	}
	m, err = wire.ParseClient([]byte(`{"type":"subscribe","subscription":{"options":{"from":null}}}`))
	if err != nil || m.(*wire.Subscribe).Subscription.Options.From != nil {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestErrorOf_tells_no_cause(t *testing.T) {
	cause := errors.New("secret path")
	e := wire.ErrorOf(fault.Wrap(fault.StorageFull, cause, "the disk is full").At(2, 7))
	b, err := json.Marshal(e)
	want := `{"code":"STORAGE_FULL","message":"the disk is full",` +
		`"statement":2,"position":7,"retryable":true}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	if back := e.Fault(); back.Code != fault.StorageFull || back.Position != 7 {
		t.Errorf("%+v", back)
	}
	if wire.ErrorOf(nil) != nil {
		t.Error("nil is an error")
	}
}

func TestCloseOf_fits_a_close_frame(t *testing.T) {
	status, reason := wire.CloseOf(fault.New(fault.SlowConsumer, "%s", strings.Repeat("\"é", 500)))
	if status != 1013 || len(reason) > 123 {
		t.Errorf("%d, %d bytes", status, len(reason))
	}
	r := wire.ParseCloseReason(reason)
	if r.Code != fault.SlowConsumer || !r.Reconnect || !strings.HasPrefix(r.Message, "\"é\"") {
		t.Errorf("%+v", r)
	}
	if status, reason := wire.CloseOf(nil); status != 1000 || wire.ParseCloseReason(reason).Reconnect {
		t.Errorf("%d, %s", status, reason)
	}
	if r := wire.ParseCloseReason("going away"); !r.Reconnect || r.Message != "going away" {
		t.Errorf("%+v", r)
	}
}

func TestHTTPStatus(t *testing.T) {
	for want, err := range map[int]error{
		200: nil, 404: fault.New(fault.TableNotFound, ""), 500: errors.New("x"),
	} {
		if got := wire.HTTPStatus(err); got != want {
			t.Errorf("%v gives %d", err, got)
		}
	}
}

func TestMillis_has_at_most_three_decimals(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", 999: "0.001", time.Millisecond: "1", 1234500: "1.235", time.Hour: "3600000",
	} {
		b, err := json.Marshal(wire.Millis(d))
		if err != nil || string(b) != want {
			t.Errorf("%v is %s, %v", d, b, err)
		}
		var back wire.Millis
		if err := json.Unmarshal(b, &back); err != nil || time.Duration(back)-d > time.Microsecond {
			t.Errorf("%s is read as %v, %v", b, back, err)
		}
	}
}

func TestSQLResponse_has_the_form_of_the_contract(t *testing.T) {
	r := wire.SQLResponse{
		Status: wire.Success, Took: ptr(wire.Millis(1234 * time.Microsecond)), RequestID: "r",
		Results: []wire.Result{{
			Schema: schema, Rows: [][]any{{"42", "hello"}}, RowCount: 1, Message: "m",
			AsUser: "alice", Seq: "1:2",
		}},
	}
	want := `{"status":"success","results":[{"schema":` + schemaText + `,"rows":[["42","hello"]],` +
		`"row_count":1,"message":"m","as_user":"alice","seq":"1:2"}],"took":1.234,"request_id":"r"}`
	if b, err := json.Marshal(r); err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	login := wire.TokenResponse{User: wire.User{ID: "a", Role: ident.RoleUser, Email: "e"}}
	b, err := json.Marshal(login)
	if err != nil || !strings.Contains(string(b), `"user":{"id":"a","role":"user","email":"e"}`) {
		t.Errorf("%s, %v", b, err)
	}
}
