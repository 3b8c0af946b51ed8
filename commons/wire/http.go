package wire

import (
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Paths of the HTTP interface.
const (
	PathSQL     = "/v1/api/sql"
	PathLogin   = "/v1/api/auth/login"
	PathRefresh = "/v1/api/auth/refresh"
	PathLogout  = "/v1/api/auth/logout"
	PathSetup   = "/v1/api/auth/setup"
	PathMe      = "/v1/api/auth/me"
	PathStatus  = "/v1/api/auth/status"
	PathHealth  = "/v1/api/healthcheck"
	PathLive    = "/healthz"
	PathReady   = "/readyz"
	PathCluster = "/v1/api/cluster/health"
	PathMetrics = "/metrics"
	PathWS      = "/v1/ws"
)

// Headers of our own.
const (
	HeaderUserID         = "X-USER-ID"       // the acting user
	HeaderMinSeq         = "X-Min-Seq"       // a read waits until this is applied
	HeaderIdempotencyKey = "Idempotency-Key" // same as SQLRequest.RequestID
)

// Status is how a request or statement ended.
type Status string

// The outcomes.
const (
	Success Status = "success"
	Failure Status = "error"
)

// SQLRequest is the body of POST PathSQL.
type SQLRequest struct {
	SQL         string `json:"sql"`
	Params      []any  `json:"params,omitempty"`
	NamespaceID string `json:"namespace_id,omitempty"`
	RequestID   string `json:"request_id,omitempty"`
}

// SQLResponse is the answer to a SQLRequest. On a failure Results holds those
// of the statements that were completed before it.
type SQLResponse struct {
	Status    Status   `json:"status"`
	Results   []Result `json:"results"`
	Took      *Millis  `json:"took,omitempty"` // nil when the server does not tell
	RequestID string   `json:"request_id,omitempty"`
	Error     *Error   `json:"error,omitempty"`
}

// Result is the outcome of one statement.
type Result struct {
	Schema   []Column `json:"schema"`
	Rows     [][]any  `json:"rows"` // values in the order of Schema
	RowCount int64    `json:"row_count"`
	Message  string   `json:"message,omitempty"`
	AsUser   string   `json:"as_user,omitempty"` // the acting user
	Seq      string   `json:"seq,omitempty"`     // opaque; see HeaderMinSeq
}

// Column describes one column of a result.
type Column struct {
	Name     string `json:"name"`
	DataType string `json:"data_type"` // value.Kind.String
	Index    int    `json:"index"`
	Flags    []Flag `json:"flags,omitempty"`
}

// Flag is a property of a result's column.
type Flag string

// The flags.
const (
	PrimaryKey Flag = "pk"
	NotNull    Flag = "nn"
)

// Error is an error as clients see it.
type Error struct {
	Code      fault.Code `json:"code"`
	Message   string     `json:"message"`
	Statement int        `json:"statement,omitempty"` // from 1
	Position  int        `json:"position,omitempty"`  // byte from 1 in the whole text
	Retryable bool       `json:"retryable"`
}

// ErrorOf returns what a client is told of err: never its cause.
func ErrorOf(err error) *Error {
	e := fault.From(err)
	if e == nil {
		return nil
	}
	return &Error{
		Code: e.Code, Message: e.Message, Statement: e.Statement, Position: e.Position,
		Retryable: e.Code.Info().Retryable,
	}
}

// Fault returns e as the error that the server had, for clients in Go.
func (e *Error) Fault() *fault.Error {
	return fault.New(e.Code, "%s", e.Message).At(e.Statement, e.Position)
}

// ErrorResponse is the body of a failed request other than PathSQL's.
type ErrorResponse struct {
	Status Status `json:"status"` // Failure
	Error  *Error `json:"error"`
}

// LoginRequest is the body of POST PathLogin.
type LoginRequest struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// RefreshRequest is the body of POST PathRefresh, unless the refresh token is
// sent as bearer.
type RefreshRequest struct {
	RefreshToken string `json:"refresh_token"`
}

// SetupRequest is the body of POST PathSetup, which gives the root user a
// password once.
type SetupRequest struct {
	Password string `json:"password"`
}

// TokenResponse answers a login or refresh.
type TokenResponse struct {
	AccessToken      string    `json:"access_token"`
	RefreshToken     string    `json:"refresh_token"`
	ExpiresAt        time.Time `json:"expires_at"`
	RefreshExpiresAt time.Time `json:"refresh_expires_at"`
	User             User      `json:"user"`
}

// User is an account as its owner sees it.
type User struct {
	ID    ident.UserID `json:"id"`
	Role  ident.Role   `json:"role"`
	Email string       `json:"email"`
}

// MeResponse answers GET PathMe.
type MeResponse struct {
	User
	ExpiresAt *time.Time `json:"expires_at,omitempty"` // of the token that was used
}

// StatusResponse answers GET PathStatus.
type StatusResponse struct {
	NeedsSetup bool `json:"needs_setup"` // the root user has no password yet
}

// Health is the state of a server.
type Health string

// The states.
const (
	Healthy  Health = "healthy"
	Degraded Health = "degraded" // statements are served, and something needs an operator
	Starting Health = "starting"
	Stopping Health = "stopping"
)

// APIVersion is the version of the interface that this package describes.
const APIVersion = "v1"

// HealthResponse answers GET PathHealth.
type HealthResponse struct {
	Status     Health `json:"status"`
	Version    string `json:"version"`
	Revision   string `json:"revision"`
	APIVersion string `json:"api_version"`

	// RootPasswordFile is the path of the generated password of the root user,
	// told to callers on the same machine only.
	RootPasswordFile string `json:"root_password_file,omitempty"`

	// Alarms say what an operator should look at, to callers on the same machine
	// and to a dba.
	Alarms []Alarm `json:"alarms,omitempty"`
}

// Alarm is something that an operator should look at.
type Alarm struct {
	Storage string    `json:"storage"` // that fails
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Since   time.Time `json:"since"`
}

// ClusterHealth answers GET PathCluster. Numbers of nodes and shards only: it is told
// to everybody.
type ClusterHealth struct {
	Status  Health         `json:"status"`
	Cluster string         `json:"cluster"` // id
	Node    uint16         `json:"node"`    // that answers
	Nodes   []ClusterNode  `json:"nodes"`
	Shards  []ClusterShard `json:"shards"`
}

// ClusterNode is a node as the one that answers sees it.
type ClusterNode struct {
	Node  uint16 `json:"node"`
	Leads int    `json:"leads"` // shards
}

// ClusterShard is a shard as the node that answers sees it.
type ClusterShard struct {
	Shard  uint16 `json:"shard"`
	Leader uint16 `json:"leader"` // 0 when none is known
	Term   uint64 `json:"term"`
	Held   bool   `json:"held"` // whether this node has a replica
}
