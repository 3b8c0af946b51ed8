package table

import (
	"bytes"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// AsOf returns the record of a key that was current at seq, and whether there
// was one, tombstones included. present is what Get of the same view gives. It
// costs a few reads, and within a run one for each append since.
//
// REQUIRES: present is not Cold, and seq not below Trimmed of the same view.
func (t Table) AsOf(
	v *store.View, user ident.UserID, pk []byte, present row.Record, seq clock.Seq,
) (rec row.Record, found bool, err error) {
	if present.Seq <= seq {
		return present, true, nil
	}
	next, _, err := t.firstAfter(v, user, pk, seq, present)
	switch {
	case err != nil:
		return rec, false, err
	case next.Run == 0:
		return t.version(v, store.Range{
			Lo: row.VersionKey(user, pk, 0), Hi: row.VersionKey(user, pk, seq+1), Reverse: true,
		})
	}
	for at := next.Seq; ; {
		raw, found, err := v.Get(t.Part, row.ChangeKey(user, at))
		if err != nil {
			return rec, false, err
		}
		if !found {
			return rec, false, errRun(t)
		}
		e, err := row.ParseChange(raw)
		switch {
		case err != nil:
			return rec, false, err
		case e.Op != row.Append || e.Prev >= at || !bytes.Equal(e.PK, pk):
			return rec, false, errRun(t)
		case e.Prev <= seq:
			return next.Before(e.Prev, e.Piece.Offset), true, nil
		}
		at = e.Prev
	}
}

// firstAfter returns the first record of a key after seq that is stored:
// among the versions, else the present one.
func (t Table) firstAfter(
	v *store.View, user ident.UserID, pk []byte, seq clock.Seq, present row.Record,
) (row.Record, bool, error) {
	rec, found, err := t.version(v, store.Range{
		Lo: row.VersionKey(user, pk, seq+1), Hi: row.VersionKey(user, pk, max(present.Seq, seq+1)),
	})
	if err != nil || found {
		return rec, found, err
	}
	return present, true, nil
}

// version returns the first record of a range of versions.
func (t Table) version(v *store.View, r store.Range) (
	rec row.Record, found bool, err error,
) {
	it := v.Scan(t.Part, r)
	defer func() {
		if closed := it.Close(); err == nil {
			err = closed
		}
	}()
	if !it.Next() {
		return rec, false, it.Err()
	}
	rec, err = row.ParseRecord(bytes.Clone(it.Value()))
	return rec, err == nil, err
}

func errRun(t Table) error {
	return fault.New(fault.Corruption,
		"the history of partition %s lacks a part of an appended text", t.Part.Name)
}
