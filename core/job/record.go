package job

import (
	"encoding/json"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// State is where a job is in its life.
type State string

// The states of a job.
const (
	New       State = "new"       // made, not told to anybody yet
	Queued    State = "queued"    // waits for its turn
	Running   State = "running"   //
	Retrying  State = "retrying"  // waits to be tried again after an error
	Completed State = "completed" // the end, as are those below
	Failed    State = "failed"
	Cancelled State = "cancelled" // killed
	Skipped   State = "skipped"   // there was nothing to do, or no room
)

// Ended reports whether s is a state that a job stays in.
func (s State) Ended() bool {
	switch s {
	case Completed, Failed, Cancelled, Skipped:
		return true
	}
	return false
}

// Request says what is to be done.
type Request struct {
	Kind      string            `json:"kind"`
	Namespace ident.NamespaceID `json:"namespace,omitempty"`
	Table     ident.TableName   `json:"table,omitempty"`
	TableID   ident.TableID     `json:"table_id,omitempty"` // 0 for what is of no table
	Params    map[string]string `json:"params,omitempty"`   // not changed any more
	// Owner asked for it; "" is the server itself.
	Owner ident.UserID `json:"owner,omitempty"`
}

// Record is a job as system.jobs shows it. It is a document of the log: fields
// are only added.
type Record struct {
	ID ident.JobID `json:"id"`
	Request
	State    State     `json:"state"`
	Progress int       `json:"progress,omitempty"` // percent
	Rows     int64     `json:"rows,omitempty"`
	Bytes    int64     `json:"bytes,omitempty"`
	Attempts int       `json:"attempts,omitempty"` // begun so far
	Message  string    `json:"message,omitempty"`  // what it does or did
	Error    string    `json:"error,omitempty"`    // of the last attempt, with its code
	Created  time.Time `json:"created"`
	Started  time.Time `json:"started,omitzero"` // the first attempt
	Finished time.Time `json:"finished,omitzero"`
}

// Name returns what the job is in a few words, such as "flush of chat.messages
// (01J...)".
func (r *Record) Name() string {
	name := r.Kind
	if r.Table != "" {
		name += " of " + string(r.Namespace) + "." + string(r.Table)
	}
	return name + " (" + string(r.ID) + ")"
}

// owner of jobs of the server's own, in system.jobs.
const serverOwner = "system"

// Values returns the row of system.jobs.
func (r *Record) Values() ([]value.Value, error) {
	params := value.NullValue
	if len(r.Params) > 0 {
		doc, err := json.Marshal(r.Params)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "encode the parameters of job %s", r.ID)
		}
		params = value.NewString(value.JSON, string(doc))
	}
	owner := string(r.Owner)
	if owner == "" {
		owner = serverOwner
	}
	return []value.Value{
		value.NewText(string(r.ID)), value.NewText(r.Kind), value.NewText(string(r.State)),
		value.NewInt(value.Int32, int64(r.Progress)), orNull(r.Message),
		orNull(string(r.Namespace)), orNull(string(r.Table)), value.NewText(owner), params,
		value.NewBigInt(r.Rows), value.NewBigInt(r.Bytes), value.NewInt(value.Int32, int64(r.Attempts)),
		orNull(r.Error), timeOrNull(r.Created), timeOrNull(r.Started), timeOrNull(r.Finished),
	}, nil
}

func orNull(s string) value.Value {
	if s == "" {
		return value.NullValue
	}
	return value.NewText(s)
}

func timeOrNull(t time.Time) value.Value {
	if t.IsZero() {
		return value.NullValue
	}
	return value.NewTimestamp(t)
}
