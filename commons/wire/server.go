package wire

import (
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// The messages that a server sends.
const (
	TypeAuthSuccess     Type = "auth_success"
	TypeAuthError       Type = "auth_error"
	TypeAuthExpiring    Type = "auth_expiring"
	TypeSubscriptionAck Type = "subscription_ack"
	TypeInitialData     Type = "initial_data_batch"
	TypeChange          Type = "change"
	TypeProgress        Type = "progress"
	TypeSchema          Type = "schema"
	TypeResync          Type = "resync"
	TypeUnsubscribed    Type = "unsubscribed"
	TypeResult          Type = "result"
	TypePong            Type = "pong"
	TypeError           Type = "error"
)

// AuthSuccess answers Authenticate, and a connection whose upgrade request had
// credentials.
type AuthSuccess struct {
	Type      Type         `json:"type"`
	User      ident.UserID `json:"user"`
	Role      ident.Role   `json:"role"`
	ExpiresAt *time.Time   `json:"expires_at,omitempty"` // nil for credentials without an end
}

// AuthError answers an Authenticate that failed; the connection is closed.
type AuthError struct {
	Type    Type       `json:"type"`
	Code    fault.Code `json:"code"`
	Message string     `json:"message"`
}

// AuthExpiring warns that the token ends soon; authenticate again.
type AuthExpiring struct {
	Type      Type      `json:"type"`
	ExpiresAt time.Time `json:"expires_at"`
}

// SubscriptionAck answers Subscribe; the snapshot follows.
type SubscriptionAck struct {
	Type           Type         `json:"type"`
	SubscriptionID string       `json:"subscription_id"`
	Schema         []Column     `json:"schema"`
	SchemaVersion  uint32       `json:"schema_version"`
	BatchControl   BatchControl `json:"batch_control"`
}

// BatchStatus is how far a snapshot is.
type BatchStatus string

// The states. The batch that is Ready is the last, also when it is empty.
const (
	Loading      BatchStatus = "loading"
	LoadingBatch BatchStatus = "loading_batch"
	Ready        BatchStatus = "ready"
)

// BatchControl is where a batch stands in its snapshot. After one that is not
// Ready the server waits for NextBatch. LastSeqID of the Ready one is the
// cursor to resume from.
type BatchControl struct {
	BatchNum  int         `json:"batch_num"` // from 0
	HasMore   bool        `json:"has_more"`
	Status    BatchStatus `json:"status"`
	LastSeqID *Seq        `json:"last_seq_id,omitempty"`
}

// Row is a row by column name.
type Row = map[string]any

// InitialData is a batch of a snapshot, or the answer to LoadOlder: rows to be
// put behind those that are there. HasMore of that one says that there are
// others to load.
type InitialData struct {
	Type           Type         `json:"type"`
	SubscriptionID string       `json:"subscription_id"`
	Rows           []Row        `json:"rows"`
	BatchControl   BatchControl `json:"batch_control"`
}

// ChangeType is what happened to rows as the subscription sees them.
type ChangeType string

// The changes.
const (
	Insert ChangeType = "insert"
	Update ChangeType = "update"
	Delete ChangeType = "delete"
)

// Reason says why an Insert or Delete was no insert or delete of the row.
type Reason string

// The reasons: the row began or ceased to match the WHERE of the query.
const (
	Enter Reason = "enter"
	Leave Reason = "leave"
)

// Change tells of changed rows. Rows hold every column of the query. OldValues
// of an Update hold the key and the columns that changed, those of a Delete
// the key and the old row.
type Change struct {
	Type           Type       `json:"type"`
	SubscriptionID string     `json:"subscription_id"`
	ChangeType     ChangeType `json:"change_type"`
	Reason         Reason     `json:"reason,omitempty"`
	Rows           []Row      `json:"rows,omitempty"`
	OldValues      []Row      `json:"old_values,omitempty"`
	Seq            Seq        `json:"seq"`    // of the last row
	Commit         bool       `json:"commit"` // the last of its commit: keep Seq as cursor
	// Position is where in an ordered result the row stands after this change,
	// from 0, or stood when it is deleted; nil without an order. Changes are made
	// one after another.
	Position *int `json:"position,omitempty"`
	// Append is all that an Update changed, _seq aside: Rows then hold the key and
	// _seq, and there are no OldValues.
	Append *Append `json:"append,omitempty"`
}

// Append is text that was put behind that of a column.
type Append struct {
	Column string `json:"column"`
	Offset int    `json:"offset"` // bytes of UTF-8 before it
	Text   string `json:"text"`
}

// Progress says that everything up to Seq was told.
type Progress struct {
	Type           Type   `json:"type"`
	SubscriptionID string `json:"subscription_id"`
	Seq            Seq    `json:"seq"`
}

// Schema tells of new columns of a live query.
type Schema struct {
	Type           Type     `json:"type"`
	SubscriptionID string   `json:"subscription_id"`
	Schema         []Column `json:"schema"`
	SchemaVersion  uint32   `json:"schema_version"`
}

// Resync says that what the client has is no longer a base: a new snapshot
// follows.
type Resync struct {
	Type           Type   `json:"type"`
	SubscriptionID string `json:"subscription_id"`
	Reason         string `json:"reason"`
}

// Unsubscribed is the last message of a subscription.
type Unsubscribed struct {
	Type           Type   `json:"type"`
	SubscriptionID string `json:"subscription_id"`
	Reason         string `json:"reason"`
}

// QueryResult answers Query. Its type is TypeResult.
type QueryResult struct {
	Type Type   `json:"type"`
	ID   string `json:"id"`
	SQLResponse
}

// Pong answers Ping.
type Pong struct {
	Type Type `json:"type"`
}

// ErrorMessage tells of a message that failed. Its type is TypeError.
type ErrorMessage struct {
	Type           Type       `json:"type"`
	SubscriptionID string     `json:"subscription_id,omitempty"`
	Code           fault.Code `json:"code"`
	Message        string     `json:"message"`
}
