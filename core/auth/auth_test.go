package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/auth"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

const secret = "0123456789abcdef0123456789abcdef"

type accounts struct {
	mu   sync.Mutex
	seq  clock.Seq
	byID map[ident.UserID]ddl.User
	seqs map[ident.UserID]clock.Seq
}

func (a *accounts) Account(id ident.UserID) (*ddl.User, clock.Seq, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u, ok := a.byID[id]
	if !ok {
		return nil, 0, nil
	}
	return &u, a.seqs[id], nil
}

func (a *accounts) PutAccount(_ context.Context, u *ddl.User, seq clock.Seq) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seqs[u.ID] != seq {
		return fault.New(fault.TransactionConflict, "changed")
	}
	a.seq++
	a.byID[u.ID], a.seqs[u.ID] = *u, a.seq
	return nil
}

type world struct {
	*auth.Service
	accounts *accounts
	now      time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{now: time.Now(), accounts: &accounts{
		byID: make(map[ident.UserID]ddl.User), seqs: make(map[ident.UserID]clock.Seq),
	}}
	s, err := auth.New(w.accounts, auth.Options{
		Secret: []byte(secret), Now: func() time.Time { return w.now }, FailuresBeforeLock: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Service = s
	if err := s.EnsureRoot(t.Context(), "root-password"); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) add(t testing.TB, id ident.UserID, role ident.Role) {
	t.Helper()
	_, seq, _ := w.accounts.Account(id)
	if err := w.accounts.PutAccount(t.Context(), &ddl.User{ID: id, Role: role}, seq); err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

func TestService_Login(t *testing.T) {
	w := newWorld(t)
	tokens, err := w.Login(t.Context(), "root", "root-password")
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.Verify(t.Context(), tokens.AccessToken)
	if err != nil || id.Caller != "root" || id.Role != ident.RoleDBA {
		t.Fatalf("the token says %+v, %v", id, err)
	}
	if tokens.User.Secret != "" {
		t.Error("a login told the hash of the password")
	}
	for _, bad := range [][2]string{{"root", "wrong"}, {"nobody", "root-password"}, {"", "x"}, {"a\x00b", "x"}} {
		_, err := w.Login(t.Context(), bad[0], bad[1])
		wantCode(t, bad[0], err, fault.InvalidCredentials)
	}
	_, err = w.Verify(t.Context(), tokens.RefreshToken)
	wantCode(t, "a refresh token as an access token", err, fault.InvalidCredentials)
	_, err = w.Refresh(t.Context(), tokens.AccessToken)
	wantCode(t, "an access token as a refresh token", err, fault.InvalidCredentials)
	if again, err := w.Refresh(t.Context(), tokens.RefreshToken); err != nil || again.AccessToken == "" {
		t.Errorf("refresh: %v", err)
	}
	w.now = w.now.Add(time.Hour)
	_, err = w.Verify(t.Context(), tokens.AccessToken)
	wantCode(t, "an old token", err, fault.TokenExpired)
}

func TestService_LockAndBasic(t *testing.T) {
	w := newWorld(t)
	for range 2 { // the second time from the cache
		if id, err := w.Basic(t.Context(), "root", "root-password"); err != nil || id.Caller != "root" {
			t.Fatalf("basic: %+v %v", id, err)
		}
	}
	for range 3 {
		_, err := w.Basic(t.Context(), "root", "wrong")
		wantCode(t, "a wrong password", err, fault.InvalidCredentials)
	}
	_, err := w.Login(t.Context(), "root", "root-password")
	wantCode(t, "after three failures", err, fault.AccountLocked)
	w.now = w.now.Add(2 * time.Minute)
	if _, err := w.Login(t.Context(), "root", "root-password"); err != nil {
		t.Errorf("after the lock: %v", err)
	}
	if err := w.EnsureRoot(t.Context(), "another-password"); err != nil {
		t.Fatal(err)
	}
	_, err = w.Basic(t.Context(), "root", "root-password")
	wantCode(t, "a verified password after it was changed", err, fault.InvalidCredentials)
}

func sign(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	s, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestService_ForgedTokens(t *testing.T) {
	w := newWorld(t)
	w.add(t, "alice", ident.RoleUser)
	soon := w.now.Add(time.Minute).Unix()
	good := jwt.MapClaims{"sub": "alice", "exp": soon}
	if id, err := w.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, []byte(secret), good)); err != nil ||
		id.Caller != "alice" {
		t.Fatalf("a good token: %+v %v", id, err)
	}
	parts := strings.Split(sign(t, jwt.SigningMethodHS256, []byte(secret), good), ".")
	root := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"root","exp":99999999999}`))
	for what, token := range map[string]string{
		"another secret": sign(t, jwt.SigningMethodHS256, []byte("another-secret-another"), good),
		"another method": sign(t, jwt.SigningMethodHS512, []byte(secret), good),
		"alg none":       sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good),
		"no expiry":      sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"sub": "alice"}),
		"no subject":     sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{"exp": soon}),
		"a claimed role without an account": sign(t, jwt.SigningMethodHS256, []byte(secret),
			jwt.MapClaims{"sub": "eve", "exp": soon, "role": "dba"}),
		"a changed body": parts[0] + "." + root + "." + parts[2],
		"no signature":   parts[0] + "." + parts[1] + ".",
		"nothing":        "", "noise": "a.b.c",
		"an expired forgery": sign(t, jwt.SigningMethodHS256, []byte("another-secret-another"),
			jwt.MapClaims{"sub": "alice", "exp": w.now.Add(-time.Hour).Unix()}),
	} {
		_, err := w.Verify(t.Context(), token)
		wantCode(t, what, err, fault.InvalidCredentials)
	}
	if id, err := w.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, []byte(secret),
		jwt.MapClaims{"sub": "alice", "exp": soon, "role": "dba"})); err != nil || id.Role != ident.RoleUser {
		t.Errorf("a claimed role of an account: %+v %v", id, err)
	}
}

func TestService_FirstLoginMakesAnAccount(t *testing.T) {
	w := newWorld(t)
	token := sign(t, jwt.SigningMethodHS256, []byte(secret), jwt.MapClaims{
		"sub": "auth0|42", "exp": w.now.Add(time.Minute).Unix(), "email": "a@example.com",
	})
	for range 2 {
		if id, err := w.Verify(t.Context(), token); err != nil || id.Role != ident.RoleUser {
			t.Fatalf("%+v %v", id, err)
		}
	}
	u, err := w.User(t.Context(), "auth0|42")
	if err != nil || u.Email != "a@example.com" {
		t.Fatalf("%+v %v", u, err)
	}
}

func TestService_Revocation(t *testing.T) {
	w := newWorld(t)
	tokens, err := w.Login(t.Context(), "root", "root-password")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Logout(t.Context(), session.Identity{Caller: "root"}); err != nil {
		t.Fatal(err)
	}
	_, err = w.Verify(t.Context(), tokens.AccessToken)
	wantCode(t, "a token from before the logout", err, fault.InvalidCredentials)
	_, err = w.Refresh(t.Context(), tokens.RefreshToken)
	wantCode(t, "a refresh token from before the logout", err, fault.InvalidCredentials)
}

func TestService_ActAs(t *testing.T) {
	w := newWorld(t)
	for id, role := range map[ident.UserID]ident.Role{
		"alice": ident.RoleUser, "bob": ident.RoleUser, "app": ident.RoleService,
		"app2": ident.RoleService, "boss": ident.RoleDBA,
	} {
		w.add(t, id, role)
	}
	gone := w.now
	if err := w.accounts.PutAccount(t.Context(),
		&ddl.User{ID: "gone", Role: ident.RoleUser, Deleted: &gone}, 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		caller ident.UserID
		as     string
		code   fault.Code
	}{
		{"alice", "alice", ""}, {"alice", "bob", fault.PermissionDenied},
		{"alice", "nobody", fault.PermissionDenied}, {"alice", "gone", fault.PermissionDenied},
		{"alice", "Alice", fault.PermissionDenied}, {"alice", "alic", fault.PermissionDenied},
		{"app", "alice", ""}, {"app", "app2", ""}, {"app", "nobody", ""},
		{"app", "boss", fault.PermissionDenied}, {"app", "gone", fault.UserNotFound},
		{"boss", "app", ""}, {"boss", "root", ""}, {"boss", "", fault.InvalidParameter},
		{"boss", "system", fault.InvalidParameter},
	} {
		u, _, _ := w.accounts.Account(c.caller)
		id, err := w.ActAs(t.Context(), session.Identity{Caller: u.ID, Role: u.Role}, c.as)
		wantCode(t, string(c.caller)+" as "+c.as, err, c.code)
		if err == nil && id.Acting() != ident.UserID(c.as) {
			t.Errorf("%s acts for %q, want %q", c.caller, id.Acting(), c.as)
		}
	}
}

func TestService_Setup(t *testing.T) {
	w := &world{now: time.Now(), accounts: &accounts{
		byID: make(map[ident.UserID]ddl.User), seqs: make(map[ident.UserID]clock.Seq),
	}}
	s, err := auth.New(w.accounts, auth.Options{Secret: []byte(secret)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.EnsureRoot(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Login(t.Context(), "root", ""); !fault.Is(err, fault.InvalidCredentials) {
		t.Fatalf("root without a password logged in: %v", err)
	}
	if needs, err := s.NeedsSetup(); err != nil || !needs {
		t.Fatalf("needs setup: %v %v", needs, err)
	}
	wantCode(t, "a short password", s.Setup(t.Context(), "short"), fault.InvalidParameter)
	if err := s.Setup(t.Context(), "long enough"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a second setup", s.Setup(t.Context(), "long enough"), fault.AlreadyExists)
	if _, err := s.Login(t.Context(), "root", "long enough"); err != nil {
		t.Fatal(err)
	}
}

func TestService_CancelledWhileWaitingToHash(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("gone"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := w.Login(ctx, "root", "wrong")
			if code := fault.CodeOf(err); code != fault.Cancelled &&
				code != fault.InvalidCredentials && code != fault.AccountLocked {
				t.Errorf("a login of a client that is gone: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestService_ACachedTokenIsCheckedForTimeAndAccount(t *testing.T) {
	w := newWorld(t)
	w.add(t, "alice", ident.RoleUser)
	token := sign(t, jwt.SigningMethodHS256, []byte(secret),
		jwt.MapClaims{"sub": "alice", "exp": w.now.Add(time.Minute).Unix()})
	for range 2 {
		if _, err := w.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Refresh(t.Context(), token); !fault.Is(err, fault.InvalidCredentials) {
		t.Errorf("a cached access token as a refresh token: %v", err)
	}
	w.now = w.now.Add(2 * time.Minute)
	_, err := w.Verify(t.Context(), token)
	wantCode(t, "a cached token that has expired", err, fault.TokenExpired)
	w.now = w.now.Add(-2 * time.Minute)
	if err := w.Logout(t.Context(), session.Identity{Caller: "alice"}); err != nil {
		t.Fatal(err)
	}
	_, err = w.Verify(t.Context(), token)
	wantCode(t, "a cached token that was revoked", err, fault.InvalidCredentials)
}

// FuzzVerify changes good tokens: no other text is a token of anybody else.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	w.add(f, "alice", ident.RoleUser)
	for _, claims := range []jwt.MapClaims{
		{"sub": "alice", "exp": w.now.Add(time.Hour).Unix()},
		{"sub": "alice", "exp": w.now.Add(-time.Hour).Unix(), "typ": "refresh", "role": "dba"},
	} {
		f.Add(sign(f, jwt.SigningMethodHS256, []byte(secret), claims))
		f.Add(sign(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims))
	}
	f.Fuzz(func(t *testing.T, token string) {
		id, err := w.Verify(t.Context(), token)
		code := fault.CodeOf(err)
		if err == nil && (id.Caller != "alice" || id.Role != ident.RoleUser) {
			t.Fatalf("%q is a token of %+v", token, id)
		}
		if err != nil && code != fault.InvalidCredentials && code != fault.TokenExpired {
			t.Fatalf("%q: %v", token, err)
		}
	})
}
