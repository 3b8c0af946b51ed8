package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/app"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func user(name string) servertest.Header {
	return servertest.Bearer(servertest.Token(name, time.Hour))
}

func TestSQL_TwoUsersSeeTheirOwnRows(t *testing.T) {
	s := servertest.WithMessages(t)
	res := s.MustSQL(t, user("alice"), "INSERT INTO chat.messages VALUES (?, ?)", 1, "of alice")
	if res[0].RowCount != 1 || !strings.Contains(res[0].Seq, ":") {
		t.Errorf("insert = %+v", res[0])
	}
	s.MustSQL(t, user("bob"), "INSERT INTO chat.messages VALUES ($1, $2)", 1, "of bob")
	for _, name := range []string{"alice", "bob"} {
		r := s.MustSQL(t, user(name), "SELECT id, body FROM chat.messages")[0]
		if fmt.Sprint(r.Rows) != fmt.Sprintf("[[1 of %s]]", name) || r.RowCount != 1 {
			t.Errorf("%s sees %v", name, r.Rows)
		}
		want := []wire.Column{
			{Name: "id", DataType: "BigInt", Index: 0,
				Flags: []wire.Flag{wire.PrimaryKey, wire.NotNull}},
			{Name: "body", DataType: "Text", Index: 1, Flags: []wire.Flag{wire.NotNull}},
		}
		if fmt.Sprint(r.Schema) != fmt.Sprint(want) {
			t.Errorf("schema = %v, want %v", r.Schema, want)
		}
	}
}

func TestSQL_AnswerShape(t *testing.T) {
	s := servertest.WithMessages(t)
	res, body := s.Do(t, http.MethodPost, wire.PathSQL,
		strings.NewReader(`{"sql":"SELECT 1 AS a","request_id":"r-1"}`), user("alice"))
	if res.StatusCode != http.StatusOK ||
		res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if !bytes.HasPrefix(body, []byte(`{"status":"success","results":[{"schema":[{"name":"a"`)) {
		t.Errorf("body = %s", body)
	}
	var answer map[string]any
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	if took, _ := answer["took"].(float64); took <= 0 || answer["request_id"] != "r-1" {
		t.Errorf("body = %s", body)
	}

	status, failed := s.SQL(t, user("alice"), wire.SQLRequest{
		SQL: "SELECT 1; SELECT * FROM chat.mesages; SELECT 2",
	})
	if status != http.StatusNotFound || failed.Status != wire.Failure || len(failed.Results) != 1 ||
		failed.Error.Code != fault.TableNotFound || failed.Error.Statement != 2 ||
		failed.Took == nil {
		t.Errorf("%d %+v %+v", status, failed, failed.Error)
	}
	if !strings.Contains(failed.Error.Message, "chat.messages") {
		t.Errorf("message = %q", failed.Error.Message)
	}
}

func TestSQL_TookCanBeTurnedOff(t *testing.T) {
	s := servertest.Start(t, "KALAMDB_API_INCLUDE_TOOK=false")
	if _, answer := s.SQL(t, user("a"), wire.SQLRequest{SQL: "SELECT 1"}); answer.Took != nil {
		t.Errorf("answer = %+v", answer)
	}
	if _, body := s.Do(t, http.MethodGet, wire.PathMe, nil); bytes.Contains(body, []byte("took")) {
		t.Errorf("body = %s", body)
	}
}

func TestSQL_Parameters(t *testing.T) {
	s := servertest.WithMessages(t)
	body := `{"sql":"INSERT INTO chat.messages VALUES (?, ?)",` +
		`"params":[9223372036854775807,{"b":[1,2.50],"a":null}]}`
	if res, b := s.Do(t, http.MethodPost, wire.PathSQL, strings.NewReader(body),
		user("alice")); res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", res.StatusCode, b)
	}
	r := s.MustSQL(t, user("alice"), "SELECT id, body FROM chat.messages")[0]
	if r.Rows[0][0] != "9223372036854775807" || !strings.Contains(r.Rows[0][1].(string), "2.50") {
		t.Errorf("rows = %v", r.Rows)
	}
}

func TestSQL_RepeatedRequestIsAppliedOnce(t *testing.T) {
	s := servertest.WithMessages(t)
	insert := wire.SQLRequest{SQL: "INSERT INTO chat.messages VALUES (1, 'x')", RequestID: "r1"}
	_, first := s.SQL(t, user("alice"), insert)
	_, again := s.SQL(t, user("alice"), insert)
	insert.RequestID = ""
	_, header := s.SQL(t, user("alice"), insert, servertest.With(wire.HeaderIdempotencyKey, "r1"))
	for _, a := range []wire.SQLResponse{first, again, header} {
		if a.Error != nil || a.Results[0].Seq != first.Results[0].Seq || a.RequestID != "r1" {
			t.Errorf("answer = %+v %+v", a, a.Error)
		}
	}
	insert.RequestID = "r2"
	status, differ := s.SQL(t, user("alice"), insert,
		servertest.With(wire.HeaderIdempotencyKey, "r1"))
	if status != http.StatusBadRequest || differ.Error.Code != fault.InvalidParameter {
		t.Errorf("%d %+v", status, differ.Error)
	}
}

func TestSQL_NamespaceOfTheRequest(t *testing.T) {
	s := servertest.WithMessages(t)
	status, a := s.SQL(t, user("alice"),
		wire.SQLRequest{SQL: "SELECT * FROM messages", NamespaceID: "Chat"})
	if status != http.StatusOK {
		t.Errorf("%d %+v", status, a.Error)
	}
	status, a = s.SQL(t, user("alice"),
		wire.SQLRequest{SQL: "SELECT * FROM messages", NamespaceID: "nowhere"})
	if status != http.StatusNotFound {
		t.Errorf("%d %+v", status, a.Error)
	}
}

func TestSQL_ActingForOthers(t *testing.T) {
	s := servertest.WithMessages(t)
	as := func(id string) servertest.Header { return servertest.With(wire.HeaderUserID, id) }
	insert := wire.SQLRequest{SQL: "INSERT INTO chat.messages VALUES (1, 'x')"}
	if status, a := s.SQL(t, servertest.Root(), insert, as("alice")); status != http.StatusOK ||
		a.Results[0].AsUser != "alice" {
		t.Errorf("%d %+v %+v", status, a, a.Error)
	}
	if rows := s.MustSQL(t, user("alice"), "SELECT id FROM chat.messages")[0].Rows; len(rows) != 1 {
		t.Errorf("alice has %v", rows)
	}
	for id, want := range map[string]fault.Code{
		"alice": "", "bob": fault.PermissionDenied, "Alice": fault.PermissionDenied,
		"alic": fault.PermissionDenied, "": fault.InvalidParameter,
		"../alice": fault.PermissionDenied, "system": fault.InvalidParameter,
	} {
		_, a := s.SQL(t, user("alice"), wire.SQLRequest{SQL: "SELECT * FROM chat.messages"}, as(id))
		if got := codeOf(a.Error); got != want {
			t.Errorf("alice as %q: %q, want %q", id, got, want)
		}
	}
}

func codeOf(e *wire.Error) fault.Code {
	if e == nil {
		return ""
	}
	return e.Code
}

func TestSQL_BadCredentials(t *testing.T) {
	s := servertest.Start(t)
	now := time.Now()
	claims := func(more map[string]any) map[string]any {
		c := map[string]any{"sub": "alice", "role": "user", "exp": now.Add(time.Hour).Unix()}
		for k, v := range more {
			c[k] = v
		}
		return c
	}
	hs256 := map[string]any{"alg": "HS256", "typ": "JWT"}
	good := servertest.Sign(hs256, claims(nil), servertest.Secret)
	none := servertest.Sign(map[string]any{"alg": "none"}, claims(nil), "")
	tests := []struct {
		name, header string
		want         fault.Code
	}{
		{"a forged token", servertest.Sign(hs256, claims(nil), "another secret"),
			fault.InvalidCredentials},
		{"a changed token", strings.Replace(good, ".", ".e", 1), fault.InvalidCredentials},
		{"alg none", none, fault.InvalidCredentials},
		{"alg none without a signature", none[:strings.LastIndex(none, ".")+1],
			fault.InvalidCredentials},
		{"another algorithm", servertest.Sign(map[string]any{"alg": "RS256"}, claims(nil),
			servertest.Secret), fault.InvalidCredentials},
		{"an expired token", servertest.Sign(hs256,
			claims(map[string]any{"exp": now.Add(-time.Hour).Unix()}), servertest.Secret),
			fault.TokenExpired},
		{"a refresh token", servertest.Sign(hs256, claims(map[string]any{"typ": "refresh"}),
			servertest.Secret), fault.InvalidCredentials},
		{"a role nobody gave", servertest.Sign(hs256, claims(map[string]any{"role": "dba"}),
			servertest.Secret), fault.InvalidCredentials},
		{"the internal role", servertest.Sign(hs256,
			claims(map[string]any{"sub": "system", "role": "system"}), servertest.Secret),
			fault.InvalidCredentials},
		{"no token", "", fault.InvalidCredentials},
		{"rubbish", "x.y.z", fault.InvalidCredentials},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.NewReader(`{"sql":"SELECT 1"}`)
			res, b := s.Do(t, http.MethodPost, wire.PathSQL, body, servertest.Bearer(tt.header))
			if res.StatusCode != http.StatusUnauthorized || !bytes.Contains(b, []byte(tt.want)) {
				t.Errorf("%d %s, want %s", res.StatusCode, b, tt.want)
			}
			if !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("headers = %v", res.Header)
			}
		})
	}
	for name, h := range map[string]servertest.Header{
		"a wrong password":  servertest.Basic("root", "x"),
		"an unknown user":   servertest.Basic("nobody", "x"),
		"another scheme":    servertest.With("Authorization", "Digest x"),
		"broken base64":     servertest.With("Authorization", "Basic !"),
		"two Authorization": func(h http.Header) { h["Authorization"] = []string{"Bearer a", "Bearer b"} },
	} {
		if status, a := s.SQL(t, h, wire.SQLRequest{SQL: "SELECT 1"}); status != 401 ||
			a.Error.Code != fault.InvalidCredentials {
			t.Errorf("%s: %d %+v", name, status, a.Error)
		}
	}
	status, a := s.SQL(t, nil, wire.SQLRequest{SQL: "SELECT 1"},
		servertest.With(wire.HeaderUserID, "root"))
	if status != http.StatusUnauthorized || a.Error.Code != fault.AuthRequired {
		t.Errorf("none at all: %d %+v", status, a.Error)
	}
}

func TestSQL_BadRequests(t *testing.T) {
	s := servertest.WithMessages(t)
	nested := strings.Repeat("(", 1_000_000)
	tests := []struct {
		name, body string
		status     int
		want       fault.Code
	}{
		{"no JSON", `{"sql"`, 400, fault.MalformedRequest},
		{"nothing", ``, 400, fault.MalformedRequest},
		{"something behind it", `{"sql":"SELECT 1"} {}`, 400, fault.MalformedRequest},
		{"a repeated key", `{"sql":"SELECT 1","sql":"SELECT 2"}`, 400, fault.MalformedRequest},
		{"a key repeated in another spelling", `{"sql":"SELECT 1","s\u0071l":"SELECT 2"}`, 400,
			fault.MalformedRequest},
		{"invalid UTF-8", "{\"sql\":\"SELECT '\xff'\"}", 400, fault.MalformedRequest},
		{"deep nesting", strings.Repeat("[", 100_000), 400, fault.MalformedRequest},
		{"a number for SQL", `{"sql":1}`, 400, fault.MalformedRequest},
		{"an object for params", `{"sql":"SELECT ?","params":{}}`, 400, fault.MalformedRequest},
		{"no SQL", `{}`, 400, fault.EmptySQL},
		{"blank SQL", `{"sql":" ; -- nothing\n"}`, 400, fault.EmptySQL},
		{"no statement", `{"sql":"HELLO"}`, 400, fault.InvalidSQL},
		{"a million parentheses", `{"sql":"SELECT ` + nested + `1"}`, 0, ""},
		{"an unknown column", `{"sql":"SELECT nope FROM chat.messages"}`, 400, fault.ColumnNotFound},
		{"NULL in NOT NULL", `{"sql":"INSERT INTO chat.messages VALUES (1, NULL)"}`, 400,
			fault.NotNullViolation},
		{"a wrong type", `{"sql":"INSERT INTO chat.messages VALUES ('x', 'y')"}`, 400,
			fault.TypeMismatch},
		{"a duplicate key",
			`{"sql":"INSERT INTO chat.messages VALUES (1,'a'),(1,'b')"}`, 409, fault.DuplicateKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, b := s.Do(t, http.MethodPost, wire.PathSQL, strings.NewReader(tt.body),
				user("alice"))
			var a wire.SQLResponse
			if err := json.Unmarshal(b, &a); err != nil || a.Error == nil {
				t.Fatalf("%d %s: %v", res.StatusCode, b, err)
			}
			if tt.want != "" && (res.StatusCode != tt.status || a.Error.Code != tt.want) {
				t.Errorf("%d %+v, want %d %s", res.StatusCode, a.Error, tt.status, tt.want)
			}
			if a.Error.Code == fault.Internal {
				t.Errorf("%+v", a.Error)
			}
		})
	}
	if rows := s.MustSQL(t, user("alice"), "SELECT * FROM chat.messages")[0].Rows; len(rows) != 0 {
		t.Errorf("rows = %v", rows)
	}
}

func TestSQL_LimitsOfSize(t *testing.T) {
	s := servertest.Start(t, "KALAMDB_LIMITS_BODY_SIZE=64KiB", "KALAMDB_LIMITS_SQL_SIZE=16KiB",
		"KALAMDB_LIMITS_RESULT_SIZE=16KiB")
	t.Run("a body that says its length is not read", func(t *testing.T) {
		conn, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: 104857600\r\n\r\n",
			wire.PathSQL, servertest.Token("alice", time.Hour))
		expectStatus(t, conn, "413")
	})
	t.Run("a body in chunks is read up to the limit", func(t *testing.T) {
		endless := io.MultiReader(strings.NewReader(`{"sql":"SELECT '`),
			io.LimitReader(repeated('x'), 1<<20))
		res, b := s.Do(t, http.MethodPost, wire.PathSQL, endless, user("alice"))
		if res.StatusCode != http.StatusRequestEntityTooLarge ||
			!bytes.Contains(b, []byte(fault.PayloadTooLarge)) {
			t.Errorf("%d %s", res.StatusCode, b)
		}
	})
	t.Run("a statement", func(t *testing.T) {
		status, a := s.SQL(t, user("alice"),
			wire.SQLRequest{SQL: "SELECT '" + strings.Repeat("x", 20<<10) + "'"})
		if status != http.StatusRequestEntityTooLarge || a.Error.Code != fault.PayloadTooLarge {
			t.Errorf("%d %+v", status, a.Error)
		}
	})
	t.Run("a result keeps those before it", func(t *testing.T) {
		status, a := s.SQL(t, user("alice"),
			wire.SQLRequest{SQL: "SELECT 1; SELECT REPEAT('x', 20000)"})
		if status != http.StatusBadRequest || a.Error.Code != fault.ResultTooLarge ||
			len(a.Results) != 1 || a.Error.Statement != 2 {
			t.Errorf("%d %+v %+v", status, a.Results, a.Error)
		}
	})
}

// repeated reads one byte without end.
type repeated byte

func (r repeated) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r)
	}
	return len(b), nil
}

func expectStatus(t *testing.T, conn net.Conn, status string) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("HTTP/1.1 413"))
	if _, err := io.ReadFull(conn, line); err != nil || !strings.HasSuffix(string(line), status) {
		t.Errorf("%q, %v, want %s", line, err, status)
	}
}

func TestAPI_MethodsAndTypes(t *testing.T) {
	s := servertest.Start(t)
	for _, tt := range []struct {
		method, path, contentType string
		want                      int
	}{
		{"GET", wire.PathSQL, "", 405},
		{"DELETE", wire.PathLogin, "", 405},
		{"POST", wire.PathMe, "", 405},
		{"POST", wire.PathHealth, "", 405},
		{"BREW", wire.PathSQL, "", 405},
		{"GET", "/nothing", "", 404},
		{"GET", "/v1/api/sql/more", "", 404},
		{"POST", wire.PathSQL, "text/plain", 415},
		{"POST", wire.PathSQL, "application/x-www-form-urlencoded", 200},
		{"POST", wire.PathSQL, "application/json; charset=utf-8", 200},
		{"POST", wire.PathLogin, "text/plain", 415},
	} {
		res, b := s.Do(t, tt.method, tt.path, strings.NewReader(`{"sql":"SELECT 1"}`),
			user("alice"), servertest.With("Content-Type", tt.contentType))
		if res.StatusCode != tt.want || !json.Valid(b) {
			t.Errorf("%s %s %s: %d %s, want %d", tt.method, tt.path, tt.contentType,
				res.StatusCode, b, tt.want)
		}
		if tt.want == 405 && res.Header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", tt.method, tt.path)
		}
	}
}

func TestAPI_Origins(t *testing.T) {
	s := servertest.Start(t, "KALAMDB_AUTH_ALLOWED_ORIGINS=https://app.example")
	for origin, want := range map[string]int{
		s.URL: 200, "https://app.example": 200, "https://evil.example": 403, "null": 403,
	} {
		res, b := s.Do(t, "POST", wire.PathSQL, strings.NewReader(`{"sql":"SELECT 1"}`),
			user("alice"), servertest.With("Origin", origin))
		if res.StatusCode != want {
			t.Errorf("%s: %d %s", origin, res.StatusCode, b)
		}
	}
	res, _ := s.Do(t, http.MethodOptions, wire.PathSQL, nil,
		servertest.With("Origin", "https://app.example"))
	if res.StatusCode != http.StatusNoContent ||
		res.Header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("preflight: %d %v", res.StatusCode, res.Header)
	}
}

func TestAuth_LoginRefreshLogout(t *testing.T) {
	s := servertest.Start(t)
	post := func(path, body string, who ...servertest.Header) (int, wire.TokenResponse) {
		t.Helper()
		res, b := s.Do(t, http.MethodPost, path, strings.NewReader(body), who...)
		var a wire.TokenResponse
		if err := json.Unmarshal(b, &a); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		return res.StatusCode, a
	}
	status, tokens := post(wire.PathLogin,
		`{"user":"root","password":"`+servertest.RootPassword+`"}`)
	if status != 200 || tokens.User.ID != "root" || tokens.User.Role != "dba" ||
		!tokens.ExpiresAt.After(time.Now()) || !tokens.RefreshExpiresAt.After(tokens.ExpiresAt) {
		t.Fatalf("%d %+v", status, tokens)
	}
	res, b := s.Do(t, http.MethodGet, wire.PathMe, nil, servertest.Bearer(tokens.AccessToken))
	var me wire.MeResponse
	if err := json.Unmarshal(b, &me); err != nil || res.StatusCode != 200 || me.User.ID != "root" {
		t.Errorf("me: %d %s", res.StatusCode, b)
	}
	if status, a := post(wire.PathRefresh, `{"refresh_token":"`+tokens.RefreshToken+`"}`); status != 200 ||
		a.AccessToken == "" {
		t.Errorf("refresh by body: %d", status)
	}
	if status, _ := post(wire.PathRefresh, "", servertest.Bearer(tokens.RefreshToken)); status != 200 {
		t.Errorf("refresh by bearer: %d", status)
	}
	for name, body := range map[string]string{
		"an access token": `{"refresh_token":"` + tokens.AccessToken + `"}`,
		"nothing":         `{}`,
	} {
		if status, _ := post(wire.PathRefresh, body); status != http.StatusUnauthorized {
			t.Errorf("refresh by %s: %d", name, status)
		}
	}
	if status, _ := post(wire.PathLogin, `{"user":"root","password":"wrong"}`); status != 401 {
		t.Errorf("wrong password: %d", status)
	}
	if status, _ := post(wire.PathLogout, "", servertest.Bearer(tokens.AccessToken)); status != 200 {
		t.Errorf("logout: %d", status)
	}
	if status, _ := s.SQL(t, servertest.Bearer(tokens.AccessToken),
		wire.SQLRequest{SQL: "SELECT 1"}); status != 401 {
		t.Errorf("after the logout: %d", status)
	}
}

func TestAuth_SetupOnlyOnce(t *testing.T) {
	s := servertest.Start(t)
	_, b := s.Do(t, http.MethodGet, wire.PathStatus, nil)
	if !bytes.Contains(b, []byte(`"needs_setup":false`)) {
		t.Errorf("status = %s", b)
	}
	res, b := s.Do(t, http.MethodPost, wire.PathSetup, strings.NewReader(`{"password":"mine"}`))
	if res.StatusCode != http.StatusConflict {
		t.Errorf("setup: %d %s", res.StatusCode, b)
	}
}

func TestHealth(t *testing.T) {
	s := servertest.Start(t, "KALAMDB_STORAGE_ENGINE=pebble", "KALAMDB_AUTH_ROOT_PASSWORD=")
	_, b := s.Do(t, http.MethodGet, wire.PathHealth, nil)
	var h wire.HealthResponse
	if err := json.Unmarshal(b, &h); err != nil || h.Status != wire.Healthy || h.APIVersion != "v1" {
		t.Fatalf("%s: %v", b, err)
	}
	password, err := os.ReadFile(h.RootPasswordFile)
	if err != nil || bytes.Contains(b, bytes.TrimSpace(password)) {
		t.Fatalf("password file: %v; answer %s", err, b)
	}
	info, err := os.Stat(h.RootPasswordFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v", info.Mode(), err)
	}
	s.MustSQL(t, servertest.Basic("root", strings.TrimSpace(string(password))), "SELECT 1")
	for name, h := range map[string]servertest.Header{
		"a rebound name": servertest.With("Host", "evil.example"),
		"a page":         servertest.With("Origin", "https://evil.example"),
		"a proxy":        servertest.With("X-Forwarded-For", "203.0.113.9"),
	} {
		if _, b := s.Do(t, http.MethodGet, wire.PathHealth, nil, h); bytes.Contains(b,
			[]byte("root_password")) {
			t.Errorf("%s is told %s", name, b)
		}
	}
	for _, path := range []string{wire.PathLive, wire.PathReady} {
		if res, b := s.Do(t, http.MethodGet, path, nil); res.StatusCode != 200 {
			t.Errorf("%s: %d %s", path, res.StatusCode, b)
		}
	}
}

func TestDev(t *testing.T) {
	s := servertest.StartWith(t, app.Options{Config: servertest.Config(t), Dev: true})
	who := wire.SQLRequest{SQL: "SELECT CURRENT_USER_ID(), CURRENT_ROLE()"}
	as := func(id string) servertest.Header { return servertest.With(wire.HeaderUserID, id) }
	for name, tt := range map[string]struct {
		header servertest.Header
		want   string
	}{
		"nobody is root":           {nil, "[[root dba]]"},
		"a header names the user":  {as("alice"), "[[alice user]]"},
		"an account has its role":  {as("root"), "[[root dba]]"},
		"credentials are in force": {user("carol"), "[[carol user]]"},
	} {
		if _, a := s.SQL(t, tt.header, who); a.Error != nil ||
			fmt.Sprint(a.Results[0].Rows) != tt.want {
			t.Errorf("%s: %+v %+v", name, a.Results, a.Error)
		}
	}
	for name, h := range map[string]servertest.Header{
		"a foreign origin": servertest.With("Origin", "http://evil.example"),
		"a rebound name":   servertest.With("Host", "evil.example"),
		"an empty user":    as(""),
		"a bad token":      servertest.Bearer("x"),
	} {
		if status, a := s.SQL(t, h, who); status < 400 {
			t.Errorf("%s: %d %+v", name, status, a)
		}
	}
	if !strings.Contains(s.Log.String(), "development mode") {
		t.Error("the log does not tell of the development mode")
	}
}

func TestTrustedUserHeader(t *testing.T) {
	s := servertest.Start(t, "KALAMDB_AUTH_TRUSTED_USER_HEADER=true")
	sql := wire.SQLRequest{SQL: "SELECT CURRENT_USER_ID()"}
	if _, a := s.SQL(t, nil, sql, servertest.With(wire.HeaderUserID, "alice")); a.Error != nil ||
		fmt.Sprint(a.Results[0].Rows) != "[[alice]]" {
		t.Errorf("%+v %+v", a.Results, a.Error)
	}
	if status, _ := s.SQL(t, nil, sql); status != http.StatusUnauthorized {
		t.Errorf("without the header: %d", status)
	}
}

func TestLog_HoldsNoSecrets(t *testing.T) {
	s := servertest.WithMessages(t)
	s.MustSQL(t, user("alice"), "INSERT INTO chat.messages VALUES (?, 'a-literal')", 1)
	s.SQL(t, user("alice"), wire.SQLRequest{SQL: "SELECT * FROM chat.no WHERE x = 'a-literal'"})
	for _, secret := range []string{servertest.RootPassword, servertest.Secret, "a-literal"} {
		if strings.Contains(s.Log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
