package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// leaver is a user who is dropped and made anew all the while, beside the realms.
const leaver = "leaver"

// newAccount makes the leaver's account, which waits until all is gone that the
// one before had.
const newAccount = "CREATE USER IF NOT EXISTS '" + leaver +
	"' WITH PASSWORD 'a long password' ROLE user"

// leave writes rows of the leaver, has some moved, drops the user and makes it anew,
// until the server is gone.
func (r *run) leave(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		err := r.leaveOnce(context.WithoutCancel(ctx), random)
		var e *blackbox.Error
		if errors.As(err, &e) {
			r.fault("%s: %v", leaver, e)
		}
		if err != nil {
			return
		}
	}
}

func (r *run) leaveOnce(ctx context.Context, random *rand.Rand) error {
	if err := r.arrive(ctx); err != nil {
		return err
	}
	var rows []string
	for id := range int64(300 + random.IntN(1500)) {
		v := made(random)
		rows = append(rows, v.values(id))
	}
	insert := "INSERT INTO app." + leaver + ".messages (id, n, body) VALUES "
	if _, err := r.root.SQL(ctx, insert+strings.Join(rows, ", ")); err != nil {
		return err
	}
	if random.IntN(2) == 0 {
		if err := r.job(ctx, "FLUSH TABLE "+userTable+" FOR USER '"+leaver+"'"); err != nil {
			return err
		}
	}
	_, err := r.root.SQL(ctx, "DROP USER '"+leaver+"'")
	return err
}

// arrive makes the leaver's account where it is dropped, which has no rows then.
func (r *run) arrive(ctx context.Context) error {
	a, err := r.root.SQL(ctx, "SELECT COUNT(*) FROM system.users WHERE id = '"+leaver+
		"' AND deleted_at IS NULL")
	if err != nil {
		return err
	}
	there := a.Strings()[0][0] != "0"
	if _, err := r.root.SQL(ctx, newAccount); err != nil {
		return err
	}
	a, err = r.root.SQL(ctx, "SELECT COUNT(*) FROM app."+leaver+".messages")
	if err != nil {
		return err
	}
	if n := a.Strings()[0][0]; !there && n != "0" {
		r.fault("%s has %s rows of the one before", leaver, n)
	}
	if there {
		_, err = r.root.SQL(ctx, "DELETE FROM app."+leaver+".messages")
	}
	if err != nil {
		return fmt.Errorf("delete the rows of %s: %w", leaver, err)
	}
	return nil
}
