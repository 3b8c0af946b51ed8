// Package caller finds out who sends a request: from its credentials, or,
// where the configuration says so, from its peer being on this host. It also
// keeps web pages of strangers from using a browser's place on this host.
//
// It checks no passwords and tokens itself, knows no answers and keeps no
// state.
package caller

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/session"
)

// Auth checks credentials. core/auth.Service is one.
type Auth interface {
	// Verify returns the identity in an access token.
	Verify(ctx context.Context, accessToken string) (session.Identity, error)
	// Basic returns the identity of a user and password.
	Basic(ctx context.Context, user, password string) (session.Identity, error)
	// ActAs returns id acting for user, if its role allows that.
	ActAs(ctx context.Context, id session.Identity, user string) (session.Identity, error)
	// Current returns an error when id, which was returned before, is void now.
	Current(id session.Identity) error
	// Trusted returns root for "", else user with their stored role or role user.
	Trusted(ctx context.Context, user string) (session.Identity, error)
}

// Resolver tells who is asking. It is safe for concurrent use.
type Resolver struct {
	Auth              Auth
	Dev               bool     // loopback peers need no credentials
	TrustedUserHeader bool     // loopback peers may name the user by X-USER-ID
	AllowedOrigins    []string // besides the server's own
}

// Identify returns the identity that r asks as, its acting user set from
// X-USER-ID. A request without credentials is a fault.AuthRequired.
func (c *Resolver) Identify(r *http.Request) (session.Identity, error) {
	user, named, err := userHeader(r)
	if err != nil {
		return session.Identity{}, err
	}
	if len(r.Header.Values("Authorization")) == 0 {
		return c.withoutCredentials(r, user, named)
	}
	id, err := c.credentials(r)
	if err != nil || !named {
		return id, err
	}
	return c.Auth.ActAs(r.Context(), id, user)
}

// HasCredentials reports whether Identify has anything to go by: without it a
// WebSocket may still authenticate by its first message.
func (c *Resolver) HasCredentials(r *http.Request) bool {
	if len(r.Header.Values("Authorization")) > 0 {
		return true
	}
	_, named, err := userHeader(r)
	return Loopback(r) && (c.Dev || c.TrustedUserHeader && (named || err != nil))
}

func (c *Resolver) withoutCredentials(
	r *http.Request, user string, named bool,
) (session.Identity, error) {
	switch {
	case !Loopback(r):
	case c.Dev:
		if !Local(r) {
			return session.Identity{}, fault.New(fault.PermissionDenied,
				"without credentials the server is reached by a loopback name only, not by %.64q "+
					"or through a proxy", r.Host)
		}
		return c.Auth.Trusted(r.Context(), user)
	case c.TrustedUserHeader && named:
		return c.Auth.Trusted(r.Context(), user)
	}
	return session.Identity{}, fault.New(fault.AuthRequired,
		"no credentials; send Authorization: Bearer with a token of %s, or Basic", wire.PathLogin)
}

func (c *Resolver) credentials(r *http.Request) (session.Identity, error) {
	bad := func(why string) (session.Identity, error) {
		return session.Identity{}, fault.New(fault.InvalidCredentials,
			"the Authorization header %s", why)
	}
	values := r.Header.Values("Authorization")
	if len(values) > 1 {
		return bad("is there more than once")
	}
	if token, ok := Bearer(r); ok {
		return c.Auth.Verify(r.Context(), token)
	}
	if user, password, ok := r.BasicAuth(); ok {
		return c.Auth.Basic(r.Context(), user, password)
	}
	return bad("is neither Bearer with a token nor Basic with a user and password")
}

// Bearer returns the token of the Authorization header.
func Bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, ok && token != "" && strings.EqualFold(scheme, "Bearer")
}

// userHeader returns the user that X-USER-ID names. An empty header is an
// error: it must not stand for no header, which gives more rights.
func userHeader(r *http.Request) (user string, named bool, err error) {
	values := r.Header.Values(wire.HeaderUserID)
	switch {
	case len(values) == 0:
		return "", false, nil
	case len(values) > 1 || values[0] == "":
		return "", false, fault.New(fault.InvalidParameter,
			"%s must name one user", wire.HeaderUserID)
	}
	return values[0], true, nil
}

// CheckOrigin refuses a request that a browser sends for a page of another
// origin than the server's own or the allowed ones.
func (c *Resolver) CheckOrigin(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if origin == "" || c.Allowed(origin) {
		return nil
	}
	u, err := url.Parse(origin)
	if err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return nil
	}
	return fault.New(fault.PermissionDenied,
		"pages of origin %.64q may not call this server; list it in auth.allowed_origins", origin)
}

// Allowed reports whether an origin is one of the allowed ones.
func (c *Resolver) Allowed(origin string) bool { return slices.Contains(c.AllowedOrigins, origin) }

// Address returns the address in host:port, or all of it when there is no port.
func Address(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// Loopback reports whether r's peer is on this host.
func Loopback(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

// loopbackHost reports whether a Host header names this host. A page that
// rebinds its own name to 127.0.0.1 sends that name.
func loopbackHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// Local reports whether r came from this host to a name of this host, and so
// neither from a page that rebinds its name nor through a proxy.
func Local(r *http.Request) bool {
	return Loopback(r) && loopbackHost(r.Host) &&
		r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
}
