package ws

import (
	"strconv"
	"time"

	"github.com/gobwas/ws"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/server/sqljson"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// appendLive appends the frame, or the frames, of a live query's message.
// columns are those of its snapshot.
func appendLive(
	dst []byte, id string, columns []predicate.Column, m live.Message,
) []byte {
	body := getBuffer()
	switch m := m.(type) {
	case live.Ack:
		body = appendAck(begin(body, wire.TypeSubscriptionAck, id), m)
	case live.Schema:
		body = appendSchema(begin(body, wire.TypeSchema, id), m.Columns, m.SchemaVersion)
		body = append(body, '}')
	case live.Batch:
		body = appendBatch(begin(body, wire.TypeInitialData, id), columns, m)
	case live.Changed:
		return appendChange(dst, id, m.Event)
	case live.Progress:
		body = append(begin(body, wire.TypeProgress, id), `,"seq":`...)
		body = append(wire.Seq(m.Seq).AppendJSON(body), '}')
	case live.Resync:
		body = appendReason(begin(body, wire.TypeResync, id), string(m.Reason))
	case live.Ended:
		if m.Err != nil {
			dst = appendFrame(dst, ws.OpText, appendErrorMessage(nil, id, m.Err))
		}
		body = appendEnded(begin(body, wire.TypeUnsubscribed, id), m)
	}
	dst = appendFrame(dst, ws.OpText, body)
	putBuffer(body)
	return dst
}

// begin appends the members that every message of a subscription has.
func begin(dst []byte, t wire.Type, id string) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, t...)
	dst = append(dst, `","subscription_id":`...)
	return value.AppendJSONString(dst, id)
}

func appendReason(dst []byte, reason string) []byte {
	dst = append(dst, `,"reason":`...)
	return append(value.AppendJSONString(dst, reason), '}')
}

// appendEnded appends why a live query has ended, and its cursor if it has one.
func appendEnded(dst []byte, m live.Ended) []byte {
	if m.Cursor > 0 {
		dst = append(dst, `,"seq":`...)
		dst = wire.Seq(m.Cursor).AppendJSON(dst)
	}
	return appendReason(dst, string(m.Reason))
}

func appendSchema(dst []byte, columns []predicate.Column, v ident.SchemaVersion) []byte {
	dst = append(dst, `,"schema":`...)
	dst = sqljson.AppendSchema(dst, columns)
	dst = append(dst, `,"schema_version":`...)
	return strconv.AppendUint(dst, uint64(v), 10)
}

func appendAck(dst []byte, m live.Ack) []byte {
	dst = appendSchema(dst, m.Columns, m.SchemaVersion)
	dst = appendControl(dst, live.Batch{HasMore: true, Status: live.Loading})
	return append(dst, '}')
}

func appendBatch(dst []byte, columns []predicate.Column, m live.Batch) []byte {
	dst = append(dst, `,"rows":`...)
	dst = appendRows(dst, columns, m.Rows)
	return append(appendControl(dst, m), '}')
}

func appendControl(dst []byte, m live.Batch) []byte {
	dst = append(dst, `,"batch_control":{"batch_num":`...)
	dst = strconv.AppendInt(dst, int64(m.Num), 10)
	dst = append(dst, `,"has_more":`...)
	dst = strconv.AppendBool(dst, m.HasMore)
	dst = append(dst, `,"status":"`...)
	dst = append(dst, m.Status...)
	dst = append(dst, '"')
	if m.LastSeq > 0 {
		dst = append(dst, `,"last_seq_id":`...)
		dst = wire.Seq(m.LastSeq).AppendJSON(dst)
	}
	return append(dst, '}')
}

// appendChange appends the frame of a change. What is the same for all who
// follow the query is encoded once.
func appendChange(dst []byte, id string, e *live.Event) []byte {
	shared := e.Encoded(encodeChange)
	return append(appendChangeHead(dst, id, len(shared)), shared...)
}

// appendChangeHead appends the beginning of the frame of a change, up to the
// shared part.
func appendChangeHead(dst []byte, id string, shared int) []byte {
	var head [128]byte
	start := begin(head[:0], wire.TypeChange, id)
	dst = appendHeader(dst, ws.OpText, len(start)+shared)
	return append(dst, start...)
}

// encodeChange returns the part of a change behind its subscription's id.
func encodeChange(e *live.Event) []byte {
	b := append([]byte(nil), `,"change_type":"`...)
	b = append(append(b, e.Type...), '"')
	if e.Reason != "" {
		b = append(b, `,"reason":"`...)
		b = append(append(b, e.Reason...), '"')
	}
	if len(e.Rows) > 0 {
		b = append(b, `,"rows":`...)
		b = appendRows(b, e.Columns, e.Rows)
	}
	if len(e.Old) > 0 {
		b = append(b, `,"old_values":`...)
		b = appendRows(b, e.OldColumns, e.Old)
	}
	if a := e.Append; a != nil {
		b = value.AppendJSONString(append(b, `,"append":{"column":`...), a.Column)
		b = strconv.AppendInt(append(b, `,"offset":`...), int64(a.Offset), 10)
		b = value.AppendJSONString(append(b, `,"text":`...), a.Text)
		b = append(b, '}')
	}
	b = append(b, `,"seq":`...)
	b = wire.Seq(e.Seq).AppendJSON(b)
	b = append(b, `,"commit":`...)
	b = strconv.AppendBool(b, e.Commit)
	if e.Ordered {
		b = append(b, `,"position":`...)
		b = strconv.AppendInt(b, int64(e.Position), 10)
	}
	return append(b, '}')
}

// appendRows appends rows as a list of objects. A value that JSON has no form
// for, which no statement can store, becomes null.
func appendRows(dst []byte, columns []predicate.Column, rows [][]value.Value) []byte {
	dst = append(dst, '[')
	for i, row := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		for j, v := range row {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = append(value.AppendJSONString(dst, columns[j].Name), ':')
			var err error
			if dst, err = value.AppendJSON(dst, v); err != nil {
				dst = append(dst, "null"...)
			}
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendErrorMessage appends an error message; id is "" for one that is about
// no subscription.
func appendErrorMessage(dst []byte, id string, err error) []byte {
	dst = append(dst, `{"type":"`+wire.TypeError+`"`...)
	if id != "" {
		dst = append(dst, `,"subscription_id":`...)
		dst = value.AppendJSONString(dst, id)
	}
	return appendFault(dst, err)
}

func appendAuthError(dst []byte, err error) []byte {
	return appendFault(append(dst, `{"type":"`+wire.TypeAuthError+`"`...), err)
}

func appendFault(dst []byte, err error) []byte {
	e := wire.ErrorOf(err)
	dst = append(dst, `,"code":"`...)
	dst = append(dst, e.Code...)
	dst = append(dst, `","message":`...)
	return append(value.AppendJSONString(dst, e.Message), '}')
}

func appendExpiring(dst []byte, at time.Time) []byte {
	dst = append(dst, `{"type":"`+wire.TypeAuthExpiring+`","expires_at":"`...)
	return append(at.UTC().AppendFormat(dst, time.RFC3339), `"}`...)
}
