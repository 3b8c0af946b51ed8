package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// Windows, aggregates and joins that are followed by the client show what the
// query gives, over broken sockets and a killed server.
func TestClient_windows_and_aggregates(t *testing.T) {
	n := newNetwork(t)
	c := n.client(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var views []*client.View
	for _, sql := range []string{
		"SELECT * FROM %[1]s.t ORDER BY n DESC, id LIMIT 7",
		"SELECT id, text FROM %[1]s.t WHERE grp <> 2 ORDER BY id DESC LIMIT 5",
		"SELECT grp, n FROM %[1]s.t ORDER BY grp, n LIMIT 10",
		"SELECT grp, COUNT(*) AS rows_of, SUM(n) AS total, MAX(id) AS top FROM %[1]s.t GROUP BY grp",
		"SELECT COUNT(*) AS rows_of, MIN(n) AS low FROM %[1]s.t WHERE grp = 1",
		"SELECT a.id, b.text FROM %[1]s.t a JOIN %[1]s.t b ON b.id = a.n %% 60 WHERE a.grp = 0",
	} {
		v, err := c.Live(ctx, fmt.Sprintf(sql, n.ns), client.LiveOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		views = append(views, v)
	}
	for i := range 250 {
		if err := n.write(ctx, c, i); err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
		if n.rnd.IntN(8) == 0 {
			n.harm()
		}
		if i == 120 {
			n.server.CrashAndRestart(t)
		}
	}
	for _, v := range views {
		n.sameAs(v)
	}
}

// A window grows at its end, goes on from there, and comes back grown.
func TestClient_loads_older_rows(t *testing.T) {
	n := newNetwork(t)
	c := n.client(nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var values []string
	for id := range 40 {
		values = append(values, fmt.Sprintf("(%d, 0, %d)", id, id%7))
	}
	testkit.Must(t, n.direct, "INSERT INTO "+n.ns+".t (id, grp, n) VALUES "+strings.Join(values, ", "))
	query := "SELECT id, n FROM " + n.ns + ".t ORDER BY n DESC, id LIMIT "
	v, err := c.Live(ctx, query+"5", client.LiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	shows := func(limit int) {
		t.Helper()
		want := testkit.Must(t, n.direct, query+fmt.Sprint(limit)).Strings()
		testkit.Eventually(t, patience, fmt.Sprintf("a window of %d", limit), func() bool {
			var got [][]string
			for _, r := range v.State().Rows {
				got = append(got, []string{r.Text(0), r.Text(1)})
			}
			return slices.EqualFunc(got, want, slices.Equal)
		})
	}
	for _, grow := range []struct {
		by, to int
		more   bool
	}{{10, 15, true}, {20, 35, true}, {20, 40, false}} {
		more, err := v.LoadOlder(ctx, grow.by)
		if err != nil || more != grow.more {
			t.Fatalf("%+v: %v, %v", grow, more, err)
		}
		shows(grow.to)
		testkit.Must(t, n.direct, fmt.Sprintf("UPDATE %s.t SET n = 6 - n WHERE id = %d", n.ns, grow.by))
		shows(grow.to)
		n.proxy.Cut()
		testkit.Must(t, n.direct, fmt.Sprintf("UPDATE %s.t SET n = 6 - n WHERE id = %d", n.ns, grow.to%40))
		shows(grow.to)
	}
}
