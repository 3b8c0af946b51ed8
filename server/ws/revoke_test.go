package ws_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

// basic returns headers with a user and password.
func basic(user, password string) http.Header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header
}

// Whatever makes credentials void ends delivery and the connection within a
// second, and none of what is sent meanwhile is done.
func TestSocket_RevokedCredentials(t *testing.T) {
	s := servertest.WithMessages(t)
	root := servertest.Root()
	for name, revoke := range map[string]func(user string){
		"dropped": func(u string) { s.MustSQL(t, root, fmt.Sprintf("DROP USER '%s'", u)) },
		"another role": func(u string) {
			s.MustSQL(t, root, fmt.Sprintf("ALTER USER '%s' SET ROLE user", u))
		},
		"another password": func(u string) {
			s.MustSQL(t, servertest.Basic(u, "secret-secret"),
				fmt.Sprintf("ALTER USER '%s' SET PASSWORD 'other-other'", u))
		},
		"logged out": func(u string) {
			r, _ := s.Do(t, http.MethodPost, wire.PathLogout, nil, servertest.Basic(u, "secret-secret"))
			if r.StatusCode != http.StatusOK {
				t.Fatalf("logout: %d", r.StatusCode)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := "user-" + fmt.Sprint(time.Now().UnixNano())
			s.MustSQL(t, root, fmt.Sprintf("CREATE USER '%s' WITH PASSWORD 'secret-secret' ROLE service", u))
			c := dial(t, s, basic(u, "secret-secret"))
			c.expect(wire.TypeAuthSuccess)
			c.subscribe("a", "SELECT * FROM chat.messages")
			c.ready("a")
			other := login(t, s, "alice")
			other.subscribe("a", "SELECT * FROM chat.messages")
			other.ready("a")
			start := time.Now()
			revoke(u)
			if m := c.expect(wire.TypeUnsubscribed); m.text("reason") != "access_revoked" {
				t.Errorf("unsubscribed = %v", m)
			}
			c.send(`{"type":"query","id":"q","sql":"SELECT * FROM system.users"}`)
			for {
				f, err := c.next()
				if err != nil {
					t.Fatal(err)
				}
				if f.Header.OpCode == ws.OpClose {
					code, reason := ws.ParseCloseFrameData(f.Payload)
					if r := wire.ParseCloseReason(reason); r.Code != "INVALID_CREDENTIALS" || r.Reconnect {
						t.Errorf("closed: %d %+v", code, r)
					}
					break
				}
				if string(f.Payload[:15]) == `{"type":"result` {
					t.Errorf("a statement ran: %s", f.Payload)
				}
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			other.send(`{"type":"ping"}`)
			other.expect(wire.TypePong)
		})
	}
}

// Whoever acts for a user who is dropped is told nothing more of theirs.
func TestSocket_ActingForWhoIsDropped(t *testing.T) {
	s := servertest.WithMessages(t)
	s.MustSQL(t, servertest.Root(), "CREATE USER 'carol' WITH PASSWORD 'carols-secret' ROLE user")
	h := basic("root", servertest.RootPassword)
	h.Set("X-USER-ID", "carol")
	c := dial(t, s, h)
	c.expect(wire.TypeAuthSuccess)
	c.subscribe("a", "SELECT * FROM chat.messages")
	c.ready("a")
	s.MustSQL(t, servertest.Root(), "DROP USER 'carol'")
	if m := c.expect(wire.TypeUnsubscribed); m.text("reason") != "access_revoked" {
		t.Errorf("unsubscribed = %v", m)
	}
	if _, r := c.expectClose(); r.Code != "INVALID_CREDENTIALS" {
		t.Errorf("closed: %+v", r)
	}
}

func TestSocket_ExpiryIsToldAndKept(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIVE_PING_INTERVAL=100ms")
	c := dial(t, s, http.Header{"Authorization": {"Bearer " + servertest.Token("alice", 2*time.Second)}})
	m := c.expect(wire.TypeAuthSuccess)
	c.subscribe("a", "SELECT * FROM chat.messages")
	c.ready("a")
	warned := c.expect(wire.TypeAuthExpiring)
	if warned.text("expires_at") == "" || m.text("expires_at") == "" {
		t.Errorf("auth_success %v, auth_expiring %v", m, warned)
	}
	c.send(`{"type":"authenticate","method":"jwt","token":%q}`,
		servertest.Token("alice", 3*time.Second))
	c.expect(wire.TypeAuthSuccess)
	s.MustSQL(t, user("alice"), "INSERT INTO chat.messages VALUES (1, 'still here')")
	c.expect(wire.TypeChange)
	c.expect(wire.TypeAuthExpiring)
	code, r := c.expectClose()
	if r.Code != "TOKEN_EXPIRED" || code != 1008 {
		t.Errorf("closed: %d %+v", code, r)
	}
}
