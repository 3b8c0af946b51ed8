package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// promised are the codes that clients are written against.
const promised = `INVALID_SQL UNSUPPORTED TABLE_NOT_FOUND COLUMN_NOT_FOUND NAMESPACE_NOT_FOUND
ALREADY_EXISTS NOT_EMPTY IN_USE DUPLICATE_KEY NOT_NULL_VIOLATION CHECK_VIOLATION TYPE_MISMATCH
VALUE_OUT_OF_RANGE INVALID_PARAMETER EMPTY_SQL AUTH_REQUIRED INVALID_CREDENTIALS TOKEN_EXPIRED
ACCOUNT_LOCKED PERMISSION_DENIED USER_REQUIRED USER_NOT_FOUND LIVE_SHARED_TABLE
LIVE_UNSUPPORTED_QUERY SUBSCRIPTION_LIMIT SLOW_CONSUMER CURSOR_TOO_OLD RATE_LIMIT_EXCEEDED
PAYLOAD_TOO_LARGE RESULT_TOO_LARGE STATEMENT_TIMEOUT CANCELLED TRANSACTION_CONFLICT
CROSS_SHARD_TRANSACTION NOT_LEADER NO_QUORUM FORWARD_FAILED STORAGE_UNAVAILABLE STORAGE_FULL
FILE_NOT_FOUND FILE_TOO_LARGE QUOTA_EXCEEDED CORRUPTION SHUTTING_DOWN INTERNAL
NOT_FOUND MALFORMED_REQUEST`

func TestTable_has_each_promised_code_once(t *testing.T) {
	var codes []string
	for _, i := range fault.Table() {
		codes = append(codes, string(i.Code))
	}
	want := strings.Fields(promised)
	slices.Sort(codes)
	slices.Sort(want)
	if !slices.Equal(codes, want) {
		t.Errorf("the table has\n%v\nclients expect\n%v", codes, want)
	}
}

func TestTable_is_complete(t *testing.T) {
	statuses := []int{400, 401, 403, 404, 409, 413, 429, 500, 503}
	for _, i := range fault.Table() {
		if i.Code.Info() != i {
			t.Errorf("%s is not found by its code", i.Code)
		}
		if !slices.Contains(statuses, i.HTTP) {
			t.Errorf("%s has HTTP status %d", i.Code, i.HTTP)
		}
		if i.Close < 1007 || i.Close > 1013 {
			t.Errorf("%s has close code %d", i.Code, i.Close)
		}
		if i.Retryable && i.HTTP < 403 {
			t.Errorf("%s is the caller's mistake and retryable", i.Code)
		}
		if !strings.HasSuffix(i.Summary, ".") {
			t.Errorf("%s has no summary", i.Code)
		}
	}
	fault.Table()[0].HTTP = 0
	if fault.Table()[0].HTTP == 0 {
		t.Error("a caller can change the table")
	}
	if got := fault.Code("NO_SUCH_CODE").Info().Code; got != fault.Internal {
		t.Errorf("an unknown code reads as %s", got)
	}
}

func TestCode_is_its_text_in_JSON(t *testing.T) {
	b, err := json.Marshal(fault.TableNotFound)
	if err != nil || string(b) != `"TABLE_NOT_FOUND"` {
		t.Errorf("%s, %v", b, err)
	}
	var c fault.Code
	if err := json.Unmarshal(b, &c); err != nil || c != fault.TableNotFound {
		t.Errorf("%s, %v", c, err)
	}
}

func TestWrap_keeps_the_code_and_message_of_an_inner_Error(t *testing.T) {
	inner := fault.New(fault.TableNotFound, "table %q does not exist", "x")
	e := fault.Wrap(fault.Internal, fmt.Errorf("plan: %w", inner), "statement 2")
	if e.Code != fault.TableNotFound || e.Message != `statement 2: table "x" does not exist` {
		t.Errorf("%v", e)
	}
	if !errors.Is(e, inner) {
		t.Error("the cause is lost")
	}
	if n := strings.Count(e.Error(), "does not exist"); n != 1 {
		t.Errorf("the message stands %d times in %q", n, e.Error())
	}
	plain := fault.Wrap(fault.StorageFull, io.ErrShortWrite, "write %d bytes", 3)
	if got := plain.Error(); got != "STORAGE_FULL: write 3 bytes: short write" {
		t.Error(got)
	}
}

func TestError_At_leaves_the_original(t *testing.T) {
	e := fault.New(fault.InvalidSQL, "no")
	at := e.At(2, 15)
	if e.Statement != 0 || at.Statement != 2 || at.Position != 15 {
		t.Errorf("%+v from %+v", at, e)
	}
	if again := at.At(0, 7); again.Statement != 2 || again.Position != 7 {
		t.Errorf("%+v", again)
	}
}

func TestFrom(t *testing.T) {
	own := fault.New(fault.InUse, "used")
	for _, test := range []struct {
		err  error
		want fault.Code
	}{
		{own, fault.InUse},
		{fmt.Errorf("x: %w", own), fault.InUse},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), fault.StatementTimeout},
		{context.Canceled, fault.Cancelled},
		{io.EOF, fault.Internal},
	} {
		e := fault.From(test.err)
		if e.Code != test.want || fault.CodeOf(test.err) != test.want || !fault.Is(test.err, test.want) {
			t.Errorf("%v gives %v", test.err, e)
		}
		if !errors.Is(e, test.err) && !errors.Is(test.err, e) {
			t.Errorf("%v is lost in %v", test.err, e)
		}
	}
	if e := fault.From(io.EOF); strings.Contains(e.Message, "EOF") {
		t.Errorf("a cause is told to clients: %q", e.Message)
	}
	if fault.From(nil) != nil || fault.CodeOf(nil) != "" || fault.Is(nil, fault.Internal) {
		t.Error("nil is an error")
	}
}
