package caller_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/server/caller"
)

// names is an Auth that believes what it is told.
type names struct{}

func (names) Verify(_ context.Context, token string) (session.Identity, error) {
	return session.Identity{Caller: ident.UserID("jwt:" + token)}, nil
}

func (names) Basic(_ context.Context, user, _ string) (session.Identity, error) {
	return session.Identity{Caller: ident.UserID("basic:" + user)}, nil
}

func (names) ActAs(_ context.Context, id session.Identity, user string) (session.Identity, error) {
	id.As = ident.UserID(user)
	return id, nil
}

func (names) Current(session.Identity) error { return nil }

func (names) Trusted(_ context.Context, user string) (session.Identity, error) {
	return session.Identity{Caller: ident.UserID("trusted:" + user)}, nil
}

func TestResolver_Identify(t *testing.T) {
	const here, away = "127.0.0.1:5000", "203.0.113.7:5000"
	tests := []struct {
		name     string
		dev, hdr bool
		peer     string
		host     string
		headers  http.Header
		want     string // caller, acting user
		code     fault.Code
	}{
		{name: "nothing", peer: here, code: fault.AuthRequired},
		{name: "a name alone", peer: here, headers: http.Header{"X-User-Id": {"a"}},
			code: fault.AuthRequired},
		{name: "a token", peer: away, headers: http.Header{"Authorization": {"bearer t"}},
			want: "jwt:t,"},
		{name: "a token and a name", peer: away,
			headers: http.Header{"Authorization": {"Bearer t"}, "X-User-Id": {"a"}}, want: "jwt:t,a"},
		{name: "two names", peer: away,
			headers: http.Header{"Authorization": {"Bearer t"}, "X-User-Id": {"a", "b"}},
			code:    fault.InvalidParameter},
		{name: "dev", dev: true, peer: here, want: "trusted:,"},
		{name: "dev over IPv6", dev: true, peer: "[::1]:1", host: "[::1]:8080", want: "trusted:,"},
		{name: "dev with a name", dev: true, peer: here, headers: http.Header{"X-User-Id": {"a"}},
			want: "trusted:a,"},
		{name: "dev from away", dev: true, peer: away, code: fault.AuthRequired},
		{name: "dev through a proxy", dev: true, peer: here,
			headers: http.Header{"X-Forwarded-For": {"x"}}, code: fault.PermissionDenied},
		{name: "dev by another name", dev: true, peer: here, host: "localhost.evil.example",
			code: fault.PermissionDenied},
		{name: "dev with an empty name", dev: true, peer: here,
			headers: http.Header{"X-User-Id": {""}}, code: fault.InvalidParameter},
		{name: "a trusted proxy", hdr: true, peer: here, host: "db.example",
			headers: http.Header{"X-User-Id": {"a"}}, want: "trusted:a,"},
		{name: "a trusted proxy without a name", hdr: true, peer: here, code: fault.AuthRequired},
		{name: "a stranger for a proxy", hdr: true, peer: away,
			headers: http.Header{"X-User-Id": {"a"}}, code: fault.AuthRequired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodGet, "http://localhost:8080"+wire.PathMe, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.RemoteAddr = tt.peer; tt.host != "" {
				r.Host = tt.host
			}
			if tt.headers != nil {
				r.Header = tt.headers
			}
			c := &caller.Resolver{Auth: names{}, Dev: tt.dev, TrustedUserHeader: tt.hdr}
			id, err := c.Identify(r)
			if got := fault.CodeOf(err); got != tt.code {
				t.Fatalf("err = %v, want %q", err, tt.code)
			}
			if got := string(id.Caller + "," + id.As); err == nil && got != tt.want {
				t.Errorf("identity = %q, want %q", got, tt.want)
			}
		})
	}
}
