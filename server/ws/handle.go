package ws

import (
	"context"
	"encoding/json"
	"runtime/debug"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/server/caller"
	"github.com/kalamdb/kalamdb-go/server/sqljson"
)

// maxIDBytes bounds the ids that a client gives to subscriptions and queries.
const maxIDBytes = 256

// handleSafely handles a message; a panic is the server's fault and is told as
// INTERNAL.
func (c *conn) handleSafely(msg []byte) {
	defer func() {
		if p := recover(); p != nil {
			c.srv.opts.Logger.Error("panic in a websocket message",
				"panic", p, "stack", string(debug.Stack()))
			c.send(appendErrorMessage(nil, "",
				fault.New(fault.Internal, "internal error; the server's log has the details")))
		}
	}()
	if id, err := c.handle(msg); err != nil {
		c.send(appendErrorMessage(nil, id, err))
	}
}

// handle does what a message asks for. An error is answered by an error
// message with the id of the subscription that it is about, and the connection
// goes on.
func (c *conn) handle(msg []byte) (id string, err error) {
	var env wire.Envelope
	if err := wire.DecodeStrict(msg, &env); err != nil {
		return "", err
	}
	switch env.Type {
	case wire.TypePing:
		return "", c.sendJSON(wire.Pong{Type: wire.TypePong})
	case wire.TypeAuthenticate:
		return "", c.authenticate(msg)
	}
	who, err := c.identity()
	if err != nil {
		return "", err
	}
	switch env.Type {
	case wire.TypeSubscribe:
		return c.subscribe(who, msg)
	case wire.TypeNextBatch:
		return c.nextBatch(msg)
	case wire.TypeUnsubscribe:
		return c.unsubscribe(msg)
	case wire.TypeQuery:
		return "", c.query(who, msg)
	case wire.TypeLoadOlder:
		return c.loadOlder(msg)
	case "":
		return "", fault.New(fault.MalformedRequest, "the message has no type")
	}
	return "", fault.New(fault.MalformedRequest, "unknown message type %.64q", string(env.Type))
}

func (c *conn) sendJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.send(b)
	return nil
}

// credentials is an authenticate message. User is another name of Username.
type credentials struct {
	wire.Authenticate
	User string `json:"user"`
}

func (c *conn) authenticate(msg []byte) error {
	var m credentials
	if err := wire.Decode(msg, &m); err != nil {
		return err
	}
	if err := checkOnDisconnect(m.OnDisconnect); err != nil {
		return err
	}
	id, err := c.verify(&m)
	if before, known := c.identity(); err == nil {
		if known == nil && (before.Caller != id.Caller || before.As != id.As) {
			c.depart(before)
		}
		if m.OnDisconnect != nil {
			c.onDisconnect = m.OnDisconnect
		}
	}
	c.welcome(id, err)
	c.confirm()
	return nil
}

func (c *conn) verify(m *credentials) (session.Identity, error) {
	auth := c.srv.opts.Callers.Auth
	switch m.Method {
	case wire.MethodJWT:
		return auth.Verify(c.ctx, m.Token)
	case wire.MethodBasic:
		user := m.Username
		if user == "" {
			user = m.User
		}
		return auth.Basic(c.ctx, user, m.Password)
	}
	return session.Identity{}, fault.New(fault.InvalidParameter,
		"unknown method; use %q or %q", wire.MethodJWT, wire.MethodBasic)
}

// welcome takes the outcome of a login. The same user goes on with the new
// credentials; another one's subscriptions end before anything else is told. A
// failure closes the connection.
func (c *conn) welcome(id session.Identity, err error) {
	if err != nil {
		c.send(appendAuthError(nil, err))
		c.close(err)
		return
	}
	c.mu.Lock()
	var ended []*live.Subscription
	if c.known && (c.id.Caller != id.Caller || c.id.As != id.As) {
		ended = c.takeSubsLocked()
	}
	c.id, c.known, c.revoked = id, true, false
	c.warnAt = time.Time{}
	if left := time.Until(id.ExpiresAt); !id.ExpiresAt.IsZero() {
		c.warnAt = id.ExpiresAt.Add(-min(warnBefore, left/2))
	}
	c.mu.Unlock()
	for _, source := range ended {
		source.Close(live.Revoked)
	}
	m := wire.AuthSuccess{Type: wire.TypeAuthSuccess, User: id.Caller, Role: id.Role}
	if !id.ExpiresAt.IsZero() {
		at := id.ExpiresAt.UTC()
		m.ExpiresAt = &at
	}
	if err := c.sendJSON(m); err != nil {
		c.close(err)
	}
}

func (c *conn) subscribe(who session.Identity, msg []byte) (string, error) {
	var m wire.Subscribe
	if err := wire.Decode(msg, &m); err != nil {
		return "", err
	}
	spec := m.Subscription
	s := &sub{id: spec.ID}
	if err := c.reserve(s); err != nil {
		return spec.ID, err
	}
	s.spec = engine.Subscription{
		SQL: spec.SQL, Options: options(spec.Options), Namespace: c.namespace,
		Notify: func() { c.wake(s) }, Budget: c.budget, Peer: c.peer,
		Remote: caller.Address(c.net.RemoteAddr().String()),
	}
	source, err := c.srv.opts.Engine.Subscribe(c.ctx, who, s.spec)
	if err != nil {
		c.forget(s)
		return spec.ID, err
	}
	c.mu.Lock()
	s.live = source
	open, revoked := c.openLocked(), c.revoked
	c.wakeLocked(s)
	c.mu.Unlock()
	switch {
	case !open:
		source.Close(live.Unsubscribed)
	case revoked: // while it was opened
		source.Close(live.Revoked)
	}
	return "", nil
}

// reserve takes the id of a subscription that is about to be opened.
func (c *conn) reserve(s *sub) error {
	switch {
	case s.id == "":
		return fault.New(fault.InvalidParameter, "the subscription has no id; choose one")
	case len(s.id) > maxIDBytes:
		s.id = ""
		return fault.New(fault.InvalidParameter,
			"the id of the subscription is longer than %d bytes", maxIDBytes)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.subs[s.id]; taken {
		return fault.New(fault.AlreadyExists,
			"this connection has a subscription of that id; unsubscribe it or choose another")
	}
	if most := c.srv.opts.SubscriptionsPerSocket; len(c.subs) >= most {
		return fault.New(fault.SubscriptionLimit,
			"a connection may hold %d subscriptions; end one first", most)
	}
	if c.subs == nil {
		c.subs = make(map[string]*sub)
	}
	c.subs[s.id] = s
	return nil
}

func options(o wire.SubscriptionOptions) live.SubscribeOptions {
	opts := live.SubscribeOptions{LastRows: o.LastRows, Policy: live.Policy(o.Policy)}
	if o.BatchSize != nil {
		opts.BatchSize = *o.BatchSize
		if opts.BatchSize == 0 {
			opts.BatchSize = -1 // 0 means the default there
		}
	}
	if o.From != nil {
		from := clock.Seq(*o.From)
		opts.From = &from
	}
	return opts
}

func (c *conn) nextBatch(msg []byte) (string, error) {
	var m wire.NextBatch
	if err := wire.Decode(msg, &m); err != nil {
		return "", err
	}
	_, source, err := c.find(m.SubscriptionID)
	if err == nil {
		source.NextBatch()
	}
	return m.SubscriptionID, err
}

func (c *conn) loadOlder(msg []byte) (string, error) {
	var m wire.LoadOlder
	if err := wire.Decode(msg, &m); err != nil {
		return "", err
	}
	_, source, err := c.find(m.SubscriptionID)
	if err == nil {
		err = source.LoadOlder(m.Count)
	}
	return m.SubscriptionID, err
}

// unsubscribe frees the id at once; the last message of the subscription
// follows.
func (c *conn) unsubscribe(msg []byte) (string, error) {
	var m wire.Unsubscribe
	if err := wire.Decode(msg, &m); err != nil {
		return "", err
	}
	s, source, err := c.find(m.SubscriptionID)
	if err == nil {
		c.forget(s)
		source.Close(live.Unsubscribed)
	}
	return m.SubscriptionID, err
}

// find returns a subscription and what it is open as now.
func (c *conn) find(id string) (*sub, *live.Subscription, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.subs[id]; ok {
		return s, s.live, nil
	}
	return nil, nil, fault.New(fault.NotFound, "this connection has no subscription %.64q", id)
}

// query runs SQL and answers with a result, also when it fails.
func (c *conn) query(who session.Identity, msg []byte) error {
	start := time.Now()
	var m wire.Query
	if err := wire.Decode(msg, &m); err != nil {
		return err
	}
	if len(m.ID) > maxIDBytes {
		return fault.New(fault.InvalidParameter, "the id is longer than %d bytes", maxIDBytes)
	}
	prefix := append([]byte(nil), `"type":"`+wire.TypeResult+`","id":`...)
	prefix = append(value.AppendJSONString(prefix, m.ID), ',')
	enc := sqljson.NewEncoder(string(prefix), c.srv.opts.MaxResultBytes)
	defer enc.Release()
	passed, err := c.somewhere(who, &m, prefix, func() error {
		return c.execute(c.ctx, who, &m, enc)
	})
	if passed {
		return nil
	}
	outcome := sqljson.Outcome{Err: err, Took: sqljson.NoTook, RequestID: m.RequestID}
	if c.srv.opts.IncludeTook {
		outcome.Took = time.Since(start)
	}
	c.send(enc.Finish(outcome))
	return nil
}

func (c *conn) execute(
	ctx context.Context, who session.Identity, m *wire.Query, enc *sqljson.Encoder,
) error {
	params, err := sqljson.Params(m.Params)
	if err != nil {
		return err
	}
	if c.session == nil {
		c.session = c.srv.opts.Engine.NewSession()
	}
	req := engine.Request{
		SQL: m.SQL, Params: params, JSONParams: true, Namespace: c.namespace, RequestID: m.RequestID,
		Session: c.session, Bind: m.Bind, Remote: caller.Address(c.net.RemoteAddr().String()),
	}
	if m.NamespaceID != "" {
		req.Namespace = ident.NamespaceID(strings.ToLower(m.NamespaceID))
	}
	return c.srv.opts.Engine.Execute(ctx, who, req, func(res *engine.Result) error {
		if res.Namespace != "" {
			c.namespace = res.Namespace
		}
		return enc.Add(ctx, res)
	})
}
