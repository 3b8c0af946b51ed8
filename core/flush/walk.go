package flush

import (
	"bytes"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Bounds of a look at the rows of a shard: it holds a view, and what it returns
// is in memory.
const (
	lookRows  = 1_000_000
	lookUsers = 1_000
)

// hotUser is a user with hot rows.
type hotUser struct {
	id     ident.UserID
	rows   int       // live ones beside their keys
	oldest clock.Seq // of these
}

// look walks the rows of a partition from a key on, user after user, and returns
// those with hot rows that due accepts. next is the key to go on from, nil at
// the end; read is how many records were looked at. A user is always looked at
// whole.
func look(db *store.DB, part store.Partition, from []byte, due func(hotUser) bool) (
	users []hotUser, next []byte, read int, err error,
) {
	v := db.View()
	defer v.Release()
	_, hi := row.RowSpace()
	it := v.Scan(part, store.Range{Lo: from, Hi: hi})
	defer func() {
		if closed := it.Close(); err == nil {
			err = closed
		}
	}()
	var u hotUser
	var prefix []byte // of the keys of u
	var rec row.Record
	end := func() {
		if u.rows > 0 && due(u) {
			users = append(users, u)
		}
	}
	for ; it.Next(); read++ {
		if key := it.Key(); prefix == nil || !bytes.HasPrefix(key, prefix) {
			end()
			if read >= lookRows || len(users) >= lookUsers {
				return users, bytes.Clone(key), read, nil
			}
			id, _, err := row.SplitKey(key)
			if err != nil {
				return nil, nil, read, err
			}
			u, prefix = hotUser{id: id}, row.UserPrefix(id, 0)
		}
		if err := rec.Parse(it.Value()); err != nil {
			return nil, nil, read, err
		}
		if rec.Deleted || rec.Cold {
			continue
		}
		if u.rows++; u.rows == 1 || rec.Seq < u.oldest {
			u.oldest = rec.Seq
		}
	}
	end()
	return users, nil, read, it.Err()
}
