package wire

// Type is the tag of a WebSocket message.
type Type string

// The messages that a client sends.
const (
	TypeAuthenticate Type = "authenticate"
	TypeSubscribe    Type = "subscribe"
	TypeNextBatch    Type = "next_batch"
	TypeLoadOlder    Type = "load_older"
	TypeUnsubscribe  Type = "unsubscribe"
	TypePing         Type = "ping"
	TypeQuery        Type = "query"
)

// Envelope is the part that all messages have. A reader decodes it first and
// the message of that type then.
type Envelope struct {
	Type Type `json:"type"`
}

// Subprotocol is the prefix of the sub-protocol that carries a token in the
// upgrade request of a browser.
const Subprotocol = "kalamdb.jwt."

// Method is how a client says who it is.
type Method string

// The methods.
const (
	MethodJWT   Method = "jwt"
	MethodBasic Method = "basic"
)

// Authenticate says who the client is. It may come again at any time: as the
// same user it refreshes the connection in place, as another it ends the first
// one's subscriptions.
type Authenticate struct {
	Type     Type   `json:"type"`
	Method   Method `json:"method"`
	Token    string `json:"token,omitempty"`    // of MethodJWT
	Username string `json:"username,omitempty"` // of MethodBasic
	Password string `json:"password,omitempty"` // of MethodBasic

	// OnDisconnect are statements that change rows. The server runs them, by the
	// user's rights, when the connection has ended, however that came. A later
	// message of the same user replaces them if it has any.
	OnDisconnect []string `json:"on_disconnect,omitempty"`
}

// Subscribe opens a live query.
type Subscribe struct {
	Type         Type         `json:"type"`
	Subscription Subscription `json:"subscription"`
}

// Subscription is a live query. The client picks the id, unique on its
// connection.
type Subscription struct {
	ID      string              `json:"id"`
	SQL     string              `json:"sql"`
	Options SubscriptionOptions `json:"options,omitzero"`
}

// SubscriptionOptions say where a live query begins. Absent ones mean the
// whole snapshot in batches of the default size. They come before the OPTIONS of
// a SUBSCRIBE statement. From comes before LastRows: it resumes with no
// snapshot, and LastRows holds for the one that a resync brings. BatchSize holds
// for every snapshot.
type SubscriptionOptions struct {
	LastRows  *int   `json:"last_rows,omitempty"`  // snapshot of the last rows only
	BatchSize *int   `json:"batch_size,omitempty"` // rows a batch
	From      *Seq   `json:"from,omitempty"`       // resume: no snapshot, what changed since
	Policy    Policy `json:"policy,omitempty"`
}

// Policy is what happens to a subscription that does not keep up.
type Policy string

// The policies; Replay is the default.
const (
	Replay     Policy = "replay"
	Conflate   Policy = "conflate"
	Disconnect Policy = "disconnect"
)

// NextBatch asks for the next batch of a snapshot.
type NextBatch struct {
	Type           Type   `json:"type"`
	SubscriptionID string `json:"subscription_id"`
	LastSeqID      *Seq   `json:"last_seq_id,omitempty"`
}

// LoadOlder asks for the rows that stand behind a window, which grows by them.
type LoadOlder struct {
	Type           Type   `json:"type"`
	SubscriptionID string `json:"subscription_id"`
	Count          int    `json:"count"` // from 1
}

// Unsubscribe ends a live query.
type Unsubscribe struct {
	Type           Type   `json:"type"`
	SubscriptionID string `json:"subscription_id"`
}

// Ping asks for a pong.
type Ping struct {
	Type Type `json:"type"`
}

// Query runs SQL over the socket. Queries are answered in their order by id.
type Query struct {
	Type        Type   `json:"type"`
	ID          string `json:"id"`
	SQL         string `json:"sql"`
	Params      []any  `json:"params,omitempty"`
	NamespaceID string `json:"namespace_id,omitempty"`
	RequestID   string `json:"request_id,omitempty"`
	// Bind ties the rows of streams that are inserted to the connection: they
	// are deleted when it ends.
	Bind bool `json:"bind,omitempty"`
}
