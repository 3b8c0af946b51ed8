package httpapi

import (
	"net/http"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/auth"
	"github.com/kalamdb/kalamdb-go/server/caller"
	"github.com/kalamdb/kalamdb-go/server/reply"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// done is the body of an answer that has nothing to tell.
type done struct {
	Status wire.Status `json:"status"`
}

func (a *API) ok(x *exchange, v any) error {
	x.w.Header().Set("Cache-Control", "no-store")
	a.sent(x.r, reply.JSON(x.w, http.StatusOK, v, a.took(x.start)))
	return nil
}

func (a *API) login(x *exchange) error {
	var body wire.LoginRequest
	if err := decode(x, maxLoginBytes, &body); err != nil {
		return err
	}
	tokens, err := x.Accounts.Login(x.r.Context(), body.User, body.Password)
	if err != nil {
		return err
	}
	return a.ok(x, tokenResponse(tokens))
}

// refresh takes the refresh token as bearer or in the body.
func (a *API) refresh(x *exchange) error {
	token, ok := caller.Bearer(x.r)
	if !ok {
		var body wire.RefreshRequest
		if err := decode(x, maxLoginBytes, &body); err != nil {
			return err
		}
		token = body.RefreshToken
	}
	tokens, err := x.Accounts.Refresh(x.r.Context(), token)
	if err != nil {
		return err
	}
	return a.ok(x, tokenResponse(tokens))
}

// logout ends every token of the caller.
func (a *API) logout(x *exchange) error {
	id, err := x.Callers.Identify(x.r)
	if err != nil {
		return err
	}
	if err := x.Accounts.Logout(x.r.Context(), id); err != nil {
		return err
	}
	return a.ok(x, done{wire.Success})
}

func (a *API) setup(x *exchange) error {
	var body wire.SetupRequest
	if err := decode(x, maxLoginBytes, &body); err != nil {
		return err
	}
	if err := x.Accounts.Setup(x.r.Context(), body.Password); err != nil {
		return err
	}
	return a.ok(x, done{wire.Success})
}

func (a *API) me(x *exchange) error {
	id, err := x.Callers.Identify(x.r)
	if err != nil {
		return err
	}
	me := wire.MeResponse{User: wire.User{ID: id.Caller, Role: id.Role}}
	if u, err := x.Accounts.User(x.r.Context(), id.Caller); err == nil {
		me.User.Email = u.Email
	}
	if !id.ExpiresAt.IsZero() {
		at := id.ExpiresAt.UTC()
		me.ExpiresAt = &at
	}
	return a.ok(x, me)
}

func (a *API) status(x *exchange) error {
	needs, err := x.Accounts.NeedsSetup()
	if err != nil {
		return err
	}
	return a.ok(x, wire.StatusResponse{NeedsSetup: needs})
}

func tokenResponse(t auth.Tokens) wire.TokenResponse {
	return wire.TokenResponse{
		AccessToken: t.AccessToken, RefreshToken: t.RefreshToken,
		ExpiresAt: t.ExpiresAt, RefreshExpiresAt: t.RefreshExpiresAt, User: userOf(&t.User),
	}
}

func userOf(u *ddl.User) wire.User {
	return wire.User{ID: u.ID, Role: u.Role, Email: u.Email}
}
