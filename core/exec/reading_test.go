package exec_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/auth"
	"github.com/kalamdb/kalamdb-go/core/exec"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
)

// behind is a log of a node that is behind: what another node has done since
// comes to be seen by a barrier of its shard only. The other node is played by
// an executor over the log itself.
type behind struct {
	replica.Log
	mu     sync.Mutex
	late   map[ident.ShardID][]func()
	asked  []ident.ShardID // barriers, in order
	absent map[ident.ShardID]bool
	leader ident.NodeID
	cut    error // of barriers
	old    bool  // no shard is fresh
}

func (b *behind) Barrier(ctx context.Context, shards ...ident.ShardID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range shards {
		if b.absent[s] {
			return &replica.Elsewhere{Shard: s}
		}
		if b.cut != nil {
			return b.cut
		}
		b.asked = append(b.asked, s)
		late := b.late[s]
		delete(b.late, s)
		for _, f := range late {
			f()
		}
	}
	return nil
}

func (b *behind) Fresh(ident.ShardID, time.Duration) bool { return !b.old }
func (b *behind) Holds(s ident.ShardID) bool              { return !b.absent[s] }
func (b *behind) Node() ident.NodeID                      { return 2 }
func (b *behind) Leader(ident.ShardID) (ident.NodeID, uint64) {
	return b.leader, 1
}

// later has f happen on the other node, to be seen here behind a barrier of s.
func (b *behind) later(s ident.ShardID, f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.late[s] = append(b.late[s], f)
}

// barriers returns which shards were asked for since the last call.
func (b *behind) barriers() []ident.ShardID {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked := b.asked
	b.asked = nil
	return asked
}

// pair is a node that is behind, and the other one.
type pair struct {
	*process
	log   *behind
	other *process
}

func startPair(t *testing.T, planAll bool) *pair {
	t.Helper()
	p := inMemoryPlanning(t, planAll)
	// The other node has the log itself, and a catalogue of its own.
	other := *p
	parts := over(t, p, p.log.Log)
	var err error
	if parts.Catalog, err = catalog.Open(p.db); err != nil {
		t.Fatal(err)
	}
	other.x, other.cat = exec.New(parts, exec.Limits{}), parts.Catalog
	log := &behind{Log: p.log.Log, late: make(map[ident.ShardID][]func()), leader: 2}
	p.x = exec.New(over(t, p, log), exec.Limits{})
	return &pair{p, log, &other}
}

// over returns the parts of an executor over another log than p's.
func over(t *testing.T, p *process, log replica.Log) exec.Parts {
	t.Helper()
	parts := p.made
	var err error
	if parts.Keeper, err = exec.NewKeeper(p.db, log, p.made.Clock); err != nil {
		t.Fatal(err)
	}
	if parts.Auth, err = auth.New(parts.Keeper, auth.Options{Secret: make([]byte, 32)}); err != nil {
		t.Fatal(err)
	}
	return parts
}

func (p *pair) wants(id session.Identity, sql, want string) {
	p.t.Helper()
	if got := p.run(id, sql); got != want {
		p.t.Errorf("%s: got %q, want %q", sql, got, want)
	}
}

// TestExecutor_ReadsBehindBarriers has rows written elsewhere come to be seen by
// a barrier of their shard, and reads them by both ways of planning.
func TestExecutor_ReadsBehindBarriers(t *testing.T) {
	for _, planAll := range []bool{false, true} {
		p := startPair(t, planAll)
		p.other.run(root, "CREATE NAMESPACE a; CREATE TABLE a.t (id INT PRIMARY KEY, n INT); "+
			"CREATE SHARED TABLE a.s (id INT PRIMARY KEY, n INT) WITH (ACCESS = 'public')")
		own := keyspace.ShardOf(alice.Caller, p.db.Shards())
		shared := keyspace.SharedShard(p.db.Shards())
		write := func(s ident.ShardID, id session.Identity, sql string) {
			p.log.later(s, func() { p.other.run(id, sql) })
		}

		write(own, alice, "INSERT INTO a.t VALUES (1, 1)")
		p.wants(alice, "SELECT id, n FROM a.t", "1 1")
		if got := p.log.barriers(); !slices.Contains(got, own) || slices.Contains(got, shared) {
			t.Errorf("a read of a user's rows had barriers of %v", got)
		}
		write(own, alice, "UPDATE a.t SET n = 2 WHERE id = 1")
		p.wants(alice, "SELECT id, n FROM a.t", "1 2")
		write(shared, root, "INSERT INTO a.s VALUES (1, 7)")
		write(own, alice, "INSERT INTO a.t VALUES (3, 3)")
		const join = "SELECT t.id, s.n FROM a.t AS t LEFT JOIN a.s AS s ON s.id = t.id ORDER BY t.id"
		p.wants(alice, join, "1 7\n3 ")
		p.log.barriers()
		p.wants(alice, join, "1 7\n3 ")
		if got := p.log.barriers(); len(got) != 2 {
			t.Errorf("a text that was met before had barriers of %v, want each shard once", got)
		}

		write(own, alice, "INSERT INTO a.t VALUES (4, 4)")
		p.run(alice, "UPDATE a.t SET n = 5 WHERE id = 4")
		write(own, alice, "DELETE FROM a.t WHERE id = 3")
		p.run(alice, "DELETE FROM a.t WHERE id = 1")
		p.wants(alice, "SELECT id, n FROM a.t", "4 5")
	}
}

// TestExecutor_InsertsWithoutBarrier inserts values blindly, and refuses them
// only after it has seen what others did.
func TestExecutor_InsertsWithoutBarrier(t *testing.T) {
	for _, planAll := range []bool{false, true} {
		p := startPair(t, planAll)
		p.other.run(root, "CREATE NAMESPACE a; CREATE TABLE a.t (id INT PRIMARY KEY, n INT)")
		p.run(alice, "SELECT * FROM a.t") // the catalogue is known now
		own := keyspace.ShardOf(alice.Caller, p.db.Shards())
		p.log.barriers()
		p.run(alice, "INSERT INTO a.t VALUES (1, 1)")
		if got := p.log.barriers(); len(got) != 0 {
			t.Errorf("an INSERT of values had barriers of %v", got)
		}
		p.log.later(own, func() { p.other.run(alice, "DELETE FROM a.t WHERE id = 1") })
		p.run(alice, "INSERT INTO a.t VALUES (1, 2)") // the row is gone by now
		p.wants(alice, "SELECT n FROM a.t", "2")
		p.log.later(own, func() { p.other.run(alice, "DELETE FROM a.t WHERE id = 1") })
		p.run(alice, "INSERT INTO a.t VALUES (1, 3) ON CONFLICT (id) DO NOTHING")
		p.wants(alice, "SELECT n FROM a.t", "3")
		if _, err := p.query(alice, "INSERT INTO a.t VALUES (1, 4)"); !fault.Is(err, fault.DuplicateKey) {
			t.Errorf("a key that is there: %v", err)
		}
	}
}

// TestExecutor_FollowsTheCatalogue runs statements on tables that were made,
// changed and dropped elsewhere since the catalogue was read.
func TestExecutor_FollowsTheCatalogue(t *testing.T) {
	for _, planAll := range []bool{false, true} {
		p := startPair(t, planAll)
		p.other.run(root, "CREATE NAMESPACE a; CREATE TABLE a.t (id INT PRIMARY KEY)")
		p.wants(alice, "SELECT * FROM a.t", "") // TABLE_NOT_FOUND is not told
		p.other.run(root, "ALTER TABLE a.t ADD COLUMN n INT")
		p.other.run(alice, "INSERT INTO a.t VALUES (1, 2)")
		p.wants(alice, "SELECT * FROM a.t", "1 2") // known by the fence
		p.other.run(root, "ALTER TABLE a.t ADD COLUMN m INT")
		p.run(alice, "INSERT INTO a.t (id, m) VALUES (2, 3)")
		p.other.run(root, "ALTER TABLE a.t RENAME COLUMN m TO k")
		p.wants(alice, "SELECT k FROM a.t WHERE id = 2", "3")
		p.other.run(root, "TRUNCATE TABLE a.t")
		p.wants(alice, "SELECT COUNT(*) FROM a.t", "0")
		p.other.run(root, "DROP TABLE a.t")
		if _, err := p.query(alice, "SELECT * FROM a.t"); !fault.Is(err, fault.TableNotFound) {
			t.Errorf("a dropped table: %v", err)
		}
	}
}

// TestExecutor_TransactionsBehindBarriers begins a transaction behind what was
// written elsewhere, and keeps to its view.
func TestExecutor_TransactionsBehindBarriers(t *testing.T) {
	p := startPair(t, false)
	p.other.run(root, "CREATE NAMESPACE a; CREATE TABLE a.t (id INT PRIMARY KEY, n INT)")
	own := keyspace.ShardOf(alice.Caller, p.db.Shards())
	p.log.later(own, func() { p.other.run(alice, "INSERT INTO a.t VALUES (1, 1)") })
	p.wants(alice, "BEGIN; SELECT n FROM a.t; UPDATE a.t SET n = 2 WHERE id = 1; COMMIT", "1")
	p.wants(alice, "SELECT n FROM a.t", "2")
	p.log.cut = fault.New(fault.NoQuorum, "cut off")
	if _, err := p.query(alice, "BEGIN; SELECT n FROM a.t; COMMIT"); !fault.Is(err, fault.NoQuorum) {
		t.Errorf("a transaction without a quorum: %v", err)
	}
}

// TestExecutor_Elsewhere has requests that this node can't run answered by where
// they are to be run, before anything is done.
func TestExecutor_Elsewhere(t *testing.T) {
	p := startPair(t, false)
	p.other.run(root, "CREATE NAMESPACE a; CREATE TABLE a.t (id INT PRIMARY KEY, n INT)")
	own := keyspace.ShardOf(alice.Caller, p.db.Shards())
	p.log.absent = map[ident.ShardID]bool{own: true}
	for _, sql := range []string{
		"SELECT * FROM a.t", "INSERT INTO a.t VALUES (1, 1)", "BEGIN; SELECT 1; COMMIT",
	} {
		_, err := p.query(alice, sql)
		var e *replica.Elsewhere
		if !errors.As(err, &e) || e.Shard != own || e.Leader {
			t.Errorf("%s: %v, want shard %d elsewhere", sql, err, own)
		}
	}
	if _, err := p.query(root, "SELECT 1; SELECT * FROM a.alice.t"); !fault.Is(err, fault.ForwardFailed) {
		t.Errorf("a second statement that belongs elsewhere: %v", err)
	}
	p.log.leader = 1
	for _, sql := range []string{
		"CREATE NAMESPACE b", "SELECT 1; CREATE USER x WITH PASSWORD 'p'", "FLUSH ALL",
	} {
		_, err := p.query(root, sql)
		var e *replica.Elsewhere
		if !errors.As(err, &e) || e.Shard != ident.SystemShard || !e.Leader {
			t.Errorf("%s: %v, want the leader of the system tables", sql, err)
		}
	}
	p.log.leader = 2
	p.run(root, "CREATE NAMESPACE b")
}

// TestExecutor_CredentialsBehindABarrier has a password that was changed elsewhere be
// good here, and the former one not.
func TestExecutor_CredentialsBehindABarrier(t *testing.T) {
	p := startPair(t, false)
	p.other.run(root, "CREATE USER carol WITH PASSWORD 'the first password' ROLE dba")
	parts := over(t, p.process, p.log)
	service, err := auth.New(parts.Keeper, auth.Options{
		Secret:  make([]byte, 32),
		CatchUp: func(ctx context.Context) error { return p.log.Barrier(ctx, ident.SystemShard) },
	})
	if err != nil {
		t.Fatal(err)
	}
	p.log.later(ident.SystemShard, func() {
		p.other.run(root, "ALTER USER carol SET PASSWORD 'the second password'")
	})
	if _, err := service.Login(t.Context(), "carol", "the second password"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	for _, wrong := range []string{"the first password", "neither"} {
		if _, err := service.Login(t.Context(), "carol", wrong); !fault.Is(err, fault.InvalidCredentials) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// TestExecutor_Staleness reads without a barrier what is fresh enough, and behind one
// what is not; what a write depends on is never old.
func TestExecutor_Staleness(t *testing.T) {
	p := startPair(t, false)
	p.other.run(root, "CREATE NAMESPACE a; CREATE TABLE a.t (id INT PRIMARY KEY, n INT)")
	p.run(alice, "INSERT INTO a.t VALUES (1, 1)")
	own := keyspace.ShardOf(alice.Caller, p.db.Shards())
	p.log.later(own, func() { p.other.run(alice, "UPDATE a.t SET n = 2") })
	p.wants(alice, "SET READ STALENESS '5s'; SELECT n FROM a.t", "1")
	p.wants(alice, "SET READ STALENESS '5s'; SET READ STALENESS OFF; SELECT n FROM a.t", "2")
	p.log.later(own, func() { p.other.run(alice, "UPDATE a.t SET n = 3") })
	p.run(alice, "SET READ STALENESS '5s'; UPDATE a.t SET n = n + 10")
	p.wants(alice, "SELECT n FROM a.t", "13")
	p.log.old = true
	p.log.later(own, func() { p.other.run(alice, "UPDATE a.t SET n = 4") })
	p.wants(alice, "SET READ STALENESS '5s'; SELECT n FROM a.t", "4")
}

// TestExecutor_RepeatsOnAnotherNode repeats requests that another node has run.
func TestExecutor_RepeatsOnAnotherNode(t *testing.T) {
	p := startPair(t, false)
	p.other.run(root, "CREATE NAMESPACE a; CREATE TABLE a.t (id INT PRIMARY KEY, n INT)")
	own := keyspace.ShardOf(alice.Caller, p.db.Shards())
	send := func(x *exec.Executor, id, sql string) (n int64) {
		t.Helper()
		err := x.Run(t.Context(), alice, exec.Request{SQL: sql, RequestID: id},
			func(r *exec.Result) error {
				n += r.Affected
				return nil
			})
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return n
	}
	for i, sql := range []string{
		"INSERT INTO a.t VALUES (1, 1), (2, 1)", "UPDATE a.t SET n = n + 1 WHERE n = 1",
		"DELETE FROM a.t WHERE id = 2", "INSERT INTO a.t VALUES (2, 9) ON CONFLICT (id) DO NOTHING",
		"BEGIN; UPDATE a.t SET n = n * 2; COMMIT",
	} {
		id, first := string(rune('a'+i)), int64(0)
		if run := func() { first = send(p.other.x, id, sql) }; i == 0 {
			run() // the repeat is recognised when it is applied, and needs no barrier
		} else {
			p.log.later(own, run)
		}
		if again := send(p.x, id, sql); again != first || first == 0 {
			t.Errorf("%s changed %d rows, and %d when it was repeated", sql, first, again)
		}
	}
	p.wants(alice, "SELECT id, n FROM a.t", "1 4\n2 18")
}
