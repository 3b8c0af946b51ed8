package client

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// Kind says what an Event tells.
type Kind string

// The kinds of events. A subscription gives Snapshot events until one that is
// Ready, then Insert, Update and Delete in the order of commits. After Resync
// the reader drops what it has: a new snapshot follows. Altered comes before
// the first row that has another schema. Older answers LoadOlder: its rows
// stand behind those that are there.
const (
	Snapshot Kind = "snapshot"
	Insert   Kind = "insert"
	Update   Kind = "update"
	Delete   Kind = "delete"
	Resync   Kind = "resync"
	Altered  Kind = "schema"
	Older    Kind = "older"
)

// Event is one thing a subscription tells. It is the caller's.
type Event struct {
	Kind Kind
	// Reason is wire.Enter or wire.Leave when a row was inserted or deleted for
	// this query only, because it began or ceased to match. Of a Resync it is
	// the server's or the client's reason.
	Reason string

	Rows []Row // every projected column; of a Delete usually none
	// Old holds the rows before: the key and the columns that changed for an
	// Update, the key and the old row for a Delete.
	Old []Row

	Seq    clock.Seq // of a change: of its last row
	Commit bool      // the last change of its commit
	Ready  bool      // the last Snapshot event: what follows are changes

	Schema *Schema // the columns of Rows

	More bool  // of an Older: there are others to load
	Err  error // of an Older: why there are no rows

	// Position is the place of the row in the window of a query with ORDER BY
	// and LIMIT, from 0, when the changes before were applied: where it is now,
	// or of a Delete where it was. nil for other queries.
	Position *int
	// Append is what was appended to a column of an updated row. Rows hold the
	// key only then.
	Append *Append

	cursor clock.Seq // where to resume once this was read; 0: as before
	next   bool      // reading it asks the server for the next batch
	grows  bool      // of a Snapshot that is Ready: an Older follows at once
}

// Append is text that was put behind a column's text.
type Append = wire.Append

// layout turns rows that came as objects into Rows. Objects may hold columns
// that the schema does not name, such as _seq or an unprojected key; they go
// behind the others.
type layout struct {
	schema *Schema
	wider  *Schema // schema plus the extra columns met last
}

func (l *layout) rows(objects []map[string]json.RawMessage) []Row {
	if len(objects) == 0 {
		return nil
	}
	rows := make([]Row, len(objects))
	for i, o := range objects {
		rows[i] = l.row(o)
	}
	return rows
}

func (l *layout) row(object map[string]json.RawMessage) Row {
	s := l.schema
	if l.extra(s, object) {
		if l.wider == nil || l.extra(l.wider, object) {
			l.wider = l.widen(object)
		}
		s = l.wider
	}
	r := Row{schema: s, values: make([]json.RawMessage, len(s.columns))}
	for i, c := range s.columns {
		r.values[i] = object[c.Name]
	}
	return r
}

// extra reports whether the object has a column that s does not.
func (l *layout) extra(s *Schema, object map[string]json.RawMessage) bool {
	for name := range object {
		if _, ok := s.index[name]; !ok {
			return true
		}
	}
	return false
}

func (l *layout) widen(object map[string]json.RawMessage) *Schema {
	columns := slices.Clone(l.schema.columns)
	for name := range object {
		if _, ok := l.schema.index[name]; !ok {
			columns = append(columns, wire.Column{Name: name, Index: len(columns)})
		}
	}
	slices.SortFunc(columns[len(l.schema.columns):], func(a, b wire.Column) int {
		return strings.Compare(a.Name, b.Name)
	})
	return newSchema(columns)
}

// frame is any message of the server. The messages of package wire overlap
// in their fields; they are read as one struct so that a message is parsed
// once, and with values left as JSON.
type frame struct {
	Type           wire.Type                    `json:"type"`
	SubscriptionID string                       `json:"subscription_id"`
	Schema         []wire.Column                `json:"schema"`
	SchemaVersion  uint32                       `json:"schema_version"`
	BatchControl   wire.BatchControl            `json:"batch_control"`
	ChangeType     wire.ChangeType              `json:"change_type"`
	Reason         string                       `json:"reason"`
	Rows           []map[string]json.RawMessage `json:"rows"`
	OldValues      []map[string]json.RawMessage `json:"old_values"`
	Seq            wire.Seq                     `json:"seq"`
	Commit         bool                         `json:"commit"`
	Position       *int                         `json:"position"`
	Append         *Append                      `json:"append"`
	Code           fault.Code                   `json:"code"`
	Message        string                       `json:"message"`
}
