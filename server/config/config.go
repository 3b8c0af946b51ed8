package config

import "time"

// Config is the effective configuration. Fields are filled from the table of
// settings by Load; the zero Config is not useful.
type Config struct {
	Server    Server
	API       API
	Storage   Storage
	Flush     Flush
	Retention Retention
	Jobs      Jobs
	Live      Live
	Limits    Limits
	Auth      Auth
	Logging   Logging
	Metrics   Metrics
	Cluster   Cluster
}

// Server is where the process listens and how it stops.
type Server struct {
	Host            string
	Port            int
	ShutdownTimeout time.Duration
	IdleTimeout     time.Duration
}

// API is the shape of answers.
type API struct {
	IncludeTook        bool
	StreamWriteTimeout time.Duration
}

// Storage is where and how rows are kept.
type Storage struct {
	DataDir      string // absolute after Load
	Engine       string
	Durability   string
	SyncInterval time.Duration
	Shards       int

	CredentialsKey string
	ObjectTimeout  time.Duration
	ColdCacheSize  Size
	ColdFilesSize  Size

	Pebble Backend
	Badger Backend
}

// Backend is what can be tuned of one storage engine.
type Backend struct {
	CacheSize Size
}

// CacheSize returns the cache of the chosen engine, 0 when it has none.
func (s Storage) CacheSize() Size {
	switch s.Engine {
	case EnginePebble:
		return s.Pebble.CacheSize
	case EngineBadger:
		return s.Badger.CacheSize
	}
	return 0
}

// Flush is when rows go cold.
type Flush struct {
	Rows            int
	Interval        time.Duration
	CheckInterval   time.Duration
	MinRows         int
	MaxAge          time.Duration
	CompactSegments int
	DeadPercent     int
}

// Retention is how long what nobody deletes is kept.
type Retention struct {
	DeletedRows  time.Duration
	DroppedUsers time.Duration
	AuditLog     time.Duration
	Jobs         time.Duration
}

// Jobs bounds the work in the background.
type Jobs struct {
	Running          int
	Queue            int
	Attempts         int
	Backoff          time.Duration
	MaxBackoff       time.Duration
	ProgressInterval time.Duration
}

// Live bounds live queries and the sockets that carry them.
type Live struct {
	HistoryRetention       time.Duration
	SubscriptionsPerSocket int
	SubscriptionsPerUser   int
	QueueMessages          int
	QueueSize              Size
	SocketSize             Size
	TotalSize              Size
	Subscriptions          int
	BoundRows              int
	WriteTimeout           time.Duration
	PingInterval           time.Duration
	AuthTimeout            time.Duration
	WindowRows             int
	ResultRows             int
	ResultSize             Size
	RerunInterval          time.Duration
	RerunTimeout           time.Duration
}

// Limits bounds what a request may cost.
type Limits struct {
	BodySize         Size
	SQLSize          Size
	SQLTokens        int
	Statements       int
	StatementTimeout time.Duration

	TransactionTimeout time.Duration
	TransactionRows    int
	TransactionSize    Size

	StatementMemory  Size
	ResultSize       Size
	FrameSize        Size
	Connections      int
	RequestsInFlight int
}

// Auth is who may come in.
type Auth struct {
	RootPassword      string
	JWTSecret         string
	AccessTTL         time.Duration
	RefreshTTL        time.Duration
	TrustedUserHeader bool
	AllowedOrigins    []string
}

// Logging is what the process tells and where.
type Logging struct {
	Level        string
	Format       string
	File         string // absolute after Load, "" for none
	MaxSize      Size
	MaxFiles     int
	SizeInterval time.Duration
}

// Metrics is who may read what the server counts.
type Metrics struct {
	Enabled bool
	Public  bool
}

// Cluster is the place of this server among several.
type Cluster struct {
	Node   int      // its number, 0 for a server alone
	Nodes  []string // of all: see cluster.ParseNodes
	Listen string   // for the log, "" for the address of the nodes
	API    string   // for requests of other nodes, "" for the address of the nodes
	Join   bool

	Secret                    string
	CAFile, CertFile, KeyFile string // absolute after Load

	Replicas       int
	MaxClockOffset time.Duration
	QuorumTimeout  time.Duration
	ForwardTimeout time.Duration
	StartTimeout   time.Duration
}

// On reports whether the server is one of several.
func (c Cluster) On() bool { return c.Node > 0 }

// The storage engines.
const (
	EnginePebble = "pebble"
	EngineBadger = "badger"
	EngineMemory = "memory"
)

// The durability levels.
const (
	DurabilitySync     = "sync"
	DurabilityInterval = "interval"
)

// The log formats.
const (
	FormatText = "text"
	FormatJSON = "json"
)
