package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgres measures the same writes and reads on a PostgreSQL of its own, with
// its default settings (each commit synced), through pgx.
func (b *bench) postgres(ctx context.Context) (err error) {
	pg, err := startPostgres(ctx)
	if errors.Is(err, errNoPostgres) {
		fmt.Fprintln(b.notes, "skipped: postgres: not installed")
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pg.close()) }()
	if err := pg.fill(ctx); err != nil {
		return err
	}
	const through = " through pgx, PostgreSQL with its default settings"
	for _, clients := range []int{1, 16, 64} {
		err := b.load(ctx, Figure{Name: "postgres_insert", Durability: "sync", Clients: clients,
			Conditions: "one row" + through}, pg.pid(), func(i int) (client, error) {
			return pg.client(ctx, 1, "INSERT INTO written VALUES ($1, $2, $3, $4)", func(n int) []any {
				return []any{"writer" + strconv.Itoa(i), clients, n, content}
			})
		})
		if err != nil {
			return err
		}
	}
	err = b.load(ctx, Figure{Name: "postgres_select_by_key", Durability: "none", Clients: readers,
		Conditions: "one row" + through}, pg.pid(), func(i int) (client, error) {
		return pg.client(ctx, 1, "SELECT content FROM messages WHERE user_id = $1 AND conversation = $2 "+
			"AND id = $3", func(int) []any {
			return []any{reader(i), rand.IntN(conversations), rand.IntN(perTalk)}
		})
	})
	if err != nil {
		return err
	}
	return b.load(ctx, Figure{Name: "postgres_last_50", Durability: "none", Clients: readers,
		Conditions: "50 rows" + through}, pg.pid(), func(i int) (client, error) {
		return pg.client(ctx, 50, "SELECT id, content FROM messages WHERE user_id = $1 "+
			"AND conversation = $2 ORDER BY id DESC LIMIT 50", func(int) []any {
			return []any{reader(i), rand.IntN(conversations)}
		})
	})
}

var errNoPostgres = errors.New("no PostgreSQL is installed")

// cluster is a PostgreSQL server in a temporary folder.
type cluster struct {
	dir string
	cmd *exec.Cmd
	url string
}

func startPostgres(ctx context.Context) (*cluster, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "kalamdb-bench-pg-")
	if err != nil {
		return nil, err
	}
	pg := &cluster{dir: dir}
	if err := pg.start(ctx, bin); err != nil {
		return nil, errors.Join(err, pg.close())
	}
	return pg, nil
}

// postgresBin finds the folder of the server's programs: Debian keeps them out
// of the PATH.
func postgresBin() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err == nil && len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	if p, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(p), nil
	}
	return "", errNoPostgres
}

func (pg *cluster) start(ctx context.Context, bin string) error {
	as, err := pg.owner()
	if err != nil {
		return err
	}
	data := filepath.Join(pg.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "bench",
		"-A", "trust", "-E", "UTF8", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir = as, pg.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	pg.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", pg.dir,
		"-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "logging_collector=off")
	pg.cmd.SysProcAttr, pg.cmd.Dir = as, pg.dir
	if err := pg.cmd.Start(); err != nil {
		return err
	}
	pg.url = fmt.Sprintf("postgres://bench@127.0.0.1:%d/postgres", port)
	return pg.ready(ctx)
}

// owner makes the folder belong to the user postgres when this process is
// root, as which PostgreSQL refuses to run.
func (pg *cluster) owner() (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}},
		os.Chown(pg.dir, uid, gid)
}

func (pg *cluster) pid() int { return pg.cmd.Process.Pid }

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func (pg *cluster) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, pg.url)
		if err == nil {
			return c.Close(ctx)
		}
		if wait(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("PostgreSQL does not start: %w", err)
		}
	}
}

func (pg *cluster) close() error {
	if pg.cmd != nil && pg.cmd.Process != nil {
		// Its fast shutdown; how it ended is of no interest any more.
		_ = pg.cmd.Process.Signal(os.Interrupt)
		_ = pg.cmd.Wait()
	}
	return os.RemoveAll(pg.dir)
}

func (pg *cluster) fill(ctx context.Context) error {
	c, err := pgx.Connect(ctx, pg.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	const columns = "(user_id TEXT, conversation BIGINT, id BIGINT, content TEXT NOT NULL, " +
		"PRIMARY KEY (user_id, conversation, id))"
	_, err = c.Exec(ctx, "CREATE TABLE written "+columns+"; CREATE TABLE messages "+columns)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, "INSERT INTO messages SELECT 'reader' || u, t, i, $1 "+
		"FROM generate_series(0, $2::int - 1) u, generate_series(0, $3::int - 1) t, "+
		"generate_series(0, $4::int - 1) i", content, readers, conversations, perTalk)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, "VACUUM ANALYZE messages")
	runtime.GC() // of this process, before it measures
	return err
}

// client makes a client with a connection of its own that runs one statement
// again and again, reads all its rows, and checks their number.
func (pg *cluster) client(
	ctx context.Context, want int64, sql string, args func(n int) []any,
) (client, error) {
	c, err := pgx.Connect(ctx, pg.url)
	if err != nil {
		return client{}, err
	}
	disconnect := func() {
		// Nothing was written that a failure to say goodbye could lose.
		_ = c.Close(context.WithoutCancel(ctx))
	}
	return client{close: disconnect, step: func(n int) error {
		rows, err := c.Query(ctx, sql, args(n)...)
		if err != nil {
			return err
		}
		for rows.Next() {
			rows.RawValues()
		}
		if n := rows.CommandTag().RowsAffected(); rows.Err() == nil && n != want {
			return fmt.Errorf("%d rows instead of %d", n, want)
		}
		return rows.Err()
	}}, nil
}
