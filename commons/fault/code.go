package fault

import "net/http"

// Code names a class of error. It crosses the wire, so its text never changes.
type Code string

// The codes a client can see. Each has one row in the table below.
const (
	InvalidSQL            Code = "INVALID_SQL"
	EmptySQL              Code = "EMPTY_SQL"
	Unsupported           Code = "UNSUPPORTED"
	TableNotFound         Code = "TABLE_NOT_FOUND"
	ColumnNotFound        Code = "COLUMN_NOT_FOUND"
	NamespaceNotFound     Code = "NAMESPACE_NOT_FOUND"
	NotFound              Code = "NOT_FOUND"
	AlreadyExists         Code = "ALREADY_EXISTS"
	NotEmpty              Code = "NOT_EMPTY"
	InUse                 Code = "IN_USE"
	DuplicateKey          Code = "DUPLICATE_KEY"
	NotNullViolation      Code = "NOT_NULL_VIOLATION"
	CheckViolation        Code = "CHECK_VIOLATION"
	TypeMismatch          Code = "TYPE_MISMATCH"
	ValueOutOfRange       Code = "VALUE_OUT_OF_RANGE"
	InvalidParameter      Code = "INVALID_PARAMETER"
	MalformedRequest      Code = "MALFORMED_REQUEST"
	AuthRequired          Code = "AUTH_REQUIRED"
	InvalidCredentials    Code = "INVALID_CREDENTIALS"
	TokenExpired          Code = "TOKEN_EXPIRED"
	AccountLocked         Code = "ACCOUNT_LOCKED"
	PermissionDenied      Code = "PERMISSION_DENIED"
	UserRequired          Code = "USER_REQUIRED"
	UserNotFound          Code = "USER_NOT_FOUND"
	LiveSharedTable       Code = "LIVE_SHARED_TABLE"
	LiveUnsupportedQuery  Code = "LIVE_UNSUPPORTED_QUERY"
	SubscriptionLimit     Code = "SUBSCRIPTION_LIMIT"
	SlowConsumer          Code = "SLOW_CONSUMER"
	CursorTooOld          Code = "CURSOR_TOO_OLD"
	RateLimitExceeded     Code = "RATE_LIMIT_EXCEEDED"
	PayloadTooLarge       Code = "PAYLOAD_TOO_LARGE"
	ResultTooLarge        Code = "RESULT_TOO_LARGE"
	StatementTimeout      Code = "STATEMENT_TIMEOUT"
	Cancelled             Code = "CANCELLED"
	TransactionConflict   Code = "TRANSACTION_CONFLICT"
	CrossShardTransaction Code = "CROSS_SHARD_TRANSACTION"
	NotLeader             Code = "NOT_LEADER"
	NoQuorum              Code = "NO_QUORUM"
	ForwardFailed         Code = "FORWARD_FAILED"
	StorageUnavailable    Code = "STORAGE_UNAVAILABLE"
	StorageFull           Code = "STORAGE_FULL"
	FileNotFound          Code = "FILE_NOT_FOUND"
	FileTooLarge          Code = "FILE_TOO_LARGE"
	QuotaExceeded         Code = "QUOTA_EXCEEDED"
	Corruption            Code = "CORRUPTION"
	ShuttingDown          Code = "SHUTTING_DOWN"
	Internal              Code = "INTERNAL"
)

// Info is what the code table says of one code.
type Info struct {
	Code      Code
	HTTP      int    // status of an HTTP answer that carries it
	Close     int    // WebSocket close code when it ends a connection
	Retryable bool   // the same request may succeed later, unchanged
	Summary   string // one sentence for the docs and system.error_codes
}

// WebSocket close codes used by the table (RFC 6455, section 7.4).
const (
	closePolicy   = 1008
	closeTooBig   = 1009
	closeInternal = 1011
	closeRestart  = 1012
	closeLater    = 1013
	closeBadData  = 1007
)

var table = []Info{
	{InvalidSQL, http.StatusBadRequest, closePolicy, false,
		"The statement does not parse, or means nothing."},
	{EmptySQL, http.StatusBadRequest, closePolicy, false,
		"There is no statement in the request."},
	{Unsupported, http.StatusBadRequest, closePolicy, false,
		"The statement, clause or function is known and not offered."},
	{TableNotFound, http.StatusNotFound, closePolicy, false,
		"The table does not exist, or the caller may not know of it."},
	{ColumnNotFound, http.StatusBadRequest, closePolicy, false,
		"The column does not exist in the tables of the statement."},
	{NamespaceNotFound, http.StatusNotFound, closePolicy, false,
		"The namespace does not exist."},
	{NotFound, http.StatusNotFound, closePolicy, false,
		"The job, live query, storage, index, flow, topic or backup does not exist."},
	{AlreadyExists, http.StatusConflict, closePolicy, false,
		"Something of that name exists already."},
	{NotEmpty, http.StatusConflict, closePolicy, false,
		"The namespace still holds tables; drop them first or use CASCADE."},
	{InUse, http.StatusConflict, closePolicy, false,
		"Something else still uses it."},
	{DuplicateKey, http.StatusConflict, closePolicy, false,
		"A row with this primary or unique key exists already."},
	{NotNullViolation, http.StatusBadRequest, closePolicy, false,
		"A NOT NULL column was given no value."},
	{CheckViolation, http.StatusBadRequest, closePolicy, false,
		"A CHECK constraint is false for the row."},
	{TypeMismatch, http.StatusBadRequest, closePolicy, false,
		"A value can't be read as the type of its column."},
	{ValueOutOfRange, http.StatusBadRequest, closePolicy, false,
		"A value is outside the range of its type."},
	{InvalidParameter, http.StatusBadRequest, closePolicy, false,
		"A parameter, option or setting is missing, unknown or out of range."},
	{MalformedRequest, http.StatusBadRequest, closeBadData, false,
		"The request is not valid JSON or UTF-8, or repeats a key."},
	{AuthRequired, http.StatusUnauthorized, closePolicy, false,
		"No credentials were given."},
	{InvalidCredentials, http.StatusUnauthorized, closePolicy, false,
		"The user, password or token is wrong."},
	{TokenExpired, http.StatusUnauthorized, closePolicy, false,
		"The token was valid and has expired; refresh it."},
	{AccountLocked, http.StatusForbidden, closePolicy, true,
		"Too many failed logins; wait."},
	{PermissionDenied, http.StatusForbidden, closePolicy, false,
		"The caller's role does not allow it."},
	{UserRequired, http.StatusBadRequest, closePolicy, false,
		"A USER table was named without saying whose; use EXECUTE AS USER or X-USER-ID."},
	{UserNotFound, http.StatusNotFound, closePolicy, false,
		"The user does not exist."},
	{LiveSharedTable, http.StatusBadRequest, closePolicy, false,
		"A SHARED table can't be followed; use a STREAM table for broadcast."},
	{LiveUnsupportedQuery, http.StatusBadRequest, closePolicy, false,
		"The query can't be kept live."},
	{SubscriptionLimit, http.StatusTooManyRequests, closePolicy, false,
		"Too many subscriptions on this socket or of this user."},
	{SlowConsumer, http.StatusTooManyRequests, closeLater, true,
		"The reader was too slow and was cut off; resume from the cursor."},
	{CursorTooOld, http.StatusConflict, closePolicy, false,
		"The history no longer reaches back to the cursor."},
	{RateLimitExceeded, http.StatusTooManyRequests, closeLater, true,
		"Too many requests; wait as long as Retry-After says."},
	{PayloadTooLarge, http.StatusRequestEntityTooLarge, closeTooBig, false,
		"The request, statement or row is over its limit."},
	{ResultTooLarge, http.StatusBadRequest, closeTooBig, false,
		"The result or the memory to make it is over its limit; add a LIMIT."},
	{StatementTimeout, http.StatusServiceUnavailable, closeLater, true,
		"The statement took longer than allowed."},
	{Cancelled, http.StatusServiceUnavailable, closeLater, true,
		"The client went away or the statement was cancelled."},
	{TransactionConflict, http.StatusConflict, closePolicy, true,
		"Another write changed the same rows; run it again."},
	{CrossShardTransaction, http.StatusBadRequest, closePolicy, false,
		"The transaction touches more than one shard."},
	{NotLeader, http.StatusServiceUnavailable, closeLater, true,
		"This node does not lead the shard."},
	{NoQuorum, http.StatusServiceUnavailable, closeLater, true,
		"Too few nodes of the shard answer."},
	{ForwardFailed, http.StatusServiceUnavailable, closeLater, true,
		"The node that holds the shard could not be reached."},
	{StorageUnavailable, http.StatusServiceUnavailable, closeLater, true,
		"The storage does not answer."},
	{StorageFull, http.StatusServiceUnavailable, closeLater, true,
		"The disk or storage is full."},
	{FileNotFound, http.StatusNotFound, closePolicy, false,
		"The file does not exist."},
	{FileTooLarge, http.StatusRequestEntityTooLarge, closeTooBig, false,
		"The file is over its limit."},
	{QuotaExceeded, http.StatusTooManyRequests, closePolicy, false,
		"The quota is used up."},
	{Corruption, http.StatusInternalServerError, closeInternal, false,
		"Stored data does not read as it was written."},
	{ShuttingDown, http.StatusServiceUnavailable, closeRestart, true,
		"The server is stopping; connect again."},
	{Internal, http.StatusInternalServerError, closeInternal, false,
		"A fault of the server; its log has the details."},
}

var byCode = func() map[Code]Info {
	m := make(map[Code]Info, len(table))
	for _, i := range table {
		m[i.Code] = i
	}
	return m
}()

// Table returns a copy of the code table, in the order of the documentation.
func Table() []Info { return append([]Info(nil), table...) }

// Info returns the row of c; an unknown code reads as Internal.
func (c Code) Info() Info {
	if i, ok := byCode[c]; ok {
		return i
	}
	return byCode[Internal]
}
