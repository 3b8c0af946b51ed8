package cold

import (
	"context"
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/internal/failpoint"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Bounds of a command that has rows point to a segment, and of how many are
// under way: each waits for a sync, which they share. While others write there is
// one of few rows.
const (
	swapRows   = 512
	swapFew    = 128
	swapBytes  = 64 << 10
	swapsAhead = 4
)

// swap has the rows point to the segment. It walks the same rows of the same view
// as write.
func (r *rewrite) swap(ctx context.Context) (swapped int64, err error) {
	rows := r.table.Headers(r.view, r.user, table.Span{Lo: r.next, Hi: r.end})
	s := &swaps{rewrite: r, room: make(chan struct{}, swapsAhead), most: swapRows}
	ordinal := uint32(0)
	for rows.Next() && s.failed() == nil {
		if rec := rows.Present(); r.chosen(rec) {
			s.add(ctx, rows.PK(), rec, ordinal)
			ordinal++
		}
	}
	err = rows.Close()
	s.send(ctx)
	swapped, failed := s.wait()
	switch {
	case failed != nil || err != nil:
		if failed != nil {
			err = failed
		}
		return swapped, err
	case ordinal != r.entry.Rows:
		return swapped, fault.New(fault.Internal,
			"a segment of %d rows was written of %d rows", r.entry.Rows, ordinal)
	}
	return swapped, nil
}

// swaps are the commands of a swap. It is used by one goroutine, and owns one for
// each command that is under way; they end before wait does.
type swaps struct {
	*rewrite
	list []table.Moved // of the next command
	keys []byte        // that the list points into
	most int           // rows of it

	room chan struct{} // has a token for each command under way
	wg   sync.WaitGroup

	mu      sync.Mutex
	swapped int64
	err     error // of the first command that failed
}

// add adds a row to the next command.
func (s *swaps) add(ctx context.Context, pk []byte, rec *row.Record, ordinal uint32) {
	if s.list == nil {
		s.list = make([]table.Moved, 0, s.most)
		s.keys = make([]byte, 0, s.most*(len(pk)+1))
	}
	from := len(s.keys)
	s.keys = append(s.keys, pk...)
	s.list = append(s.list, table.Moved{PK: s.keys[from:len(s.keys):len(s.keys)], Seq: rec.Seq,
		From: rec.Place().Segment, Ordinal: ordinal})
	if len(s.list) == s.most || len(s.keys) >= swapBytes {
		s.send(ctx)
	}
}

// send has the log take the command, once there is room for it.
func (s *swaps) send(ctx context.Context) {
	if len(s.list) == 0 {
		return
	}
	c := &command.Command{Shard: s.shard, Swaps: []command.Swap{{
		Table: s.def.ID, Swap: table.Swap{User: s.user, Segment: s.entry.ID, Rows: s.list},
	}}}
	s.list, s.keys = nil, nil
	s.room <- struct{}{}
	s.wg.Go(func() {
		_, n, err := s.tier.propose(ctx, c)
		failpoint.Here(failpoint.SegmentSwapped)
		s.tier.meter.swapped.Add(int64(n))
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.swapped += int64(n); s.err == nil {
			s.err = err
		}
		<-s.room
	})
	if s.most = swapRows; s.pace.slow() {
		s.most = swapFew
		s.wg.Wait()
		s.pace.rest(ctx)
	}
}

func (s *swaps) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// wait returns once no command is under way.
func (s *swaps) wait() (swapped int64, err error) {
	s.wg.Wait()
	return s.swapped, s.err
}
