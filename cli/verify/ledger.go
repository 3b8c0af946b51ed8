package verify

import (
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
)

// record is a row of the table, but for its key.
type record struct {
	grp   int64
	val   int64
	ver   int64 // of the statement that wrote it
	note  string
	noted bool // note is not NULL
}

// change is what a commit did to one row: nil before it was made, nil after it
// was deleted.
type change struct {
	id       int64
	old, new *record
}

// commit is what one statement or transaction changed.
type commit struct {
	end     clock.Seq // of its last row
	sent    time.Time // when the statement was sent
	changes []change
}

// ledger is the commits of one user, in order. A writer adds to it, checkers
// read it; what all of them have read is dropped.
type ledger struct {
	mu      sync.Mutex
	first   int // number of commits[0]
	commits []commit
	readers map[any]int // the next commit that each checker and viewer needs
	done    bool        // nothing is added any more
}

func newLedger() *ledger { return &ledger{readers: map[any]int{}} }

// add appends a commit.
//
// REQUIRES: its end is behind that of the one before.
func (l *ledger) add(c commit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commits = append(l.commits, c)
}

func (l *ledger) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = true
}

// knows reports whether all commits up to a seq are in the ledger.
func (l *ledger) knows(seq clock.Seq) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done || len(l.commits) > 0 && l.commits[len(l.commits)-1].end >= seq
}

// at returns commit n; false when there is none.
func (l *ledger) at(n int) (commit, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := n - l.first; i < len(l.commits) {
		return l.commits[i], true
	}
	return commit{}, false
}

// read notes that a checker or viewer needs no commit before n.
func (l *ledger) read(c any, n int) {
	const batch = 256 // that are dropped at once
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers[c] = n
	least := n
	for _, at := range l.readers {
		least = min(least, at)
	}
	if least-l.first >= batch {
		l.commits = append([]commit(nil), l.commits[least-l.first:]...)
		l.first = least
	}
}

// last returns the end of the last commit.
func (l *ledger) last() clock.Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.commits) == 0 {
		return 0
	}
	return l.commits[len(l.commits)-1].end
}

// length returns the number of commits so far.
func (l *ledger) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first + len(l.commits)
}
