package nemesis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// How the bank is used: transfers between the accounts of one user, and between users
// whose rows are on different shards. Each transfer puts a row into the ledger, too.
const (
	bankUsers    = 3
	bankAccounts = 5
	bankStart    = 100 // balance of each account in the beginning
	crossUsers   = 4
	bankPause    = 10 * time.Millisecond
)

// transfer is what was asked for: the owners of from and to are the same, or, across
// shards, different ones with one account each.
type transfer struct {
	id             int64
	payer, payee   string
	from, to, size int64
}

// bank is the load of transactions.
type bank struct {
	run   *run
	cross bool // transactions over several shards are to be had
	ids   atomic.Int64

	mu    sync.Mutex
	acked map[int64]transfer
	tried map[int64]transfer // that were sent: all, acknowledged or not
}

func newBank(r *run) *bank {
	return &bank{run: r, acked: map[int64]transfer{}, tried: map[int64]transfer{}}
}

func bankUser(u int) string { return fmt.Sprintf("bank%d", u) }

func crossUser(u int) string { return fmt.Sprintf("cross%d", u) }

func (b *bank) setUp(ctx context.Context) error {
	c := b.run.caller("bank", "")
	for _, sql := range []string{
		"CREATE USER TABLE IF NOT EXISTS nemesis.bank (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL)",
		"CREATE USER TABLE IF NOT EXISTS nemesis.ledger (id BIGINT PRIMARY KEY, payee TEXT NOT NULL, " +
			"source BIGINT NOT NULL, target BIGINT NOT NULL, amount BIGINT NOT NULL)",
	} {
		if _, err := c.ask(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	for u := range bankUsers {
		if err := b.open(ctx, bankUser(u), bankAccounts); err != nil {
			return err
		}
	}
	for u := range crossUsers {
		if err := b.open(ctx, crossUser(u), 1); err != nil {
			return err
		}
	}
	probe := b.between(crossUser(0), crossUser(1), 1, 1, 1)
	err := b.pay(ctx, c, probe)
	if is(err, "CROSS_SHARD_TRANSACTION", "UNSUPPORTED") {
		delete(b.tried, probe.id)
		b.run.leaveOut("transfers across shards", err)
		return nil
	}
	b.cross = true
	return err
}

// open makes the accounts of a user.
func (b *bank) open(ctx context.Context, user string, accounts int) error {
	c := b.run.caller("open-"+user, user)
	var values []string
	for i := range accounts {
		values = append(values, fmt.Sprintf("(%d, %d)", i+1, bankStart))
	}
	sql := "INSERT INTO nemesis.bank (id, balance) VALUES " + strings.Join(values, ", ")
	if _, err := c.ask(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

func (b *bank) between(payer, payee string, from, to, size int64) transfer {
	return transfer{b.ids.Add(1), payer, payee, from, to, size}
}

// statements is the transaction of a transfer.
func (t transfer) statements() string {
	take := fmt.Sprintf("UPDATE nemesis.bank SET balance = balance - %d WHERE id = %d", t.size, t.from)
	give := fmt.Sprintf("UPDATE nemesis.bank SET balance = balance + %d WHERE id = %d", t.size, t.to)
	note := fmt.Sprintf("INSERT INTO nemesis.ledger VALUES (%d, '%s', %d, %d, %d)",
		t.id, t.payee, t.from, t.to, t.size)
	if t.payer != t.payee {
		take = fmt.Sprintf("EXECUTE AS USER '%s' (%s)", t.payer, take)
		give = fmt.Sprintf("EXECUTE AS USER '%s' (%s)", t.payee, give)
		note = fmt.Sprintf("EXECUTE AS USER '%s' (%s)", t.payer, note)
	}
	return strings.Join([]string{"BEGIN", take, give, note, "COMMIT"}, "; ")
}

func (b *bank) pay(ctx context.Context, c *caller, t transfer) error {
	b.mu.Lock()
	b.tried[t.id] = t
	b.mu.Unlock()
	_, err := c.ask(ctx, t.statements())
	if err == nil {
		b.mu.Lock()
		b.acked[t.id] = t
		b.mu.Unlock()
	}
	return err
}

func (b *bank) work(ctx context.Context) {
	var wg sync.WaitGroup
	for u := range bankUsers {
		user := bankUser(u)
		for i := range 2 {
			wg.Go(func() {
				c := b.run.caller(fmt.Sprintf("pay-%s-%d", user, i), user)
				b.transact(ctx, c, "bank", func() transfer {
					from := c.rand.Int64N(bankAccounts)
					to := (from + 1 + c.rand.Int64N(bankAccounts-1)) % bankAccounts
					return b.between(user, user, from+1, to+1, c.rand.Int64N(20))
				})
			})
		}
		wg.Go(func() {
			b.watch(ctx, b.run.caller("audit-"+user, user), "SELECT balance FROM nemesis.bank",
				bankAccounts)
		})
	}
	if b.cross {
		b.workAcross(ctx, &wg)
	}
	wg.Wait()
}

func (b *bank) workAcross(ctx context.Context, wg *sync.WaitGroup) {
	for i := range 2 {
		wg.Go(func() {
			c := b.run.caller(fmt.Sprintf("cross-%d", i), "")
			b.transact(ctx, c, "bank across shards", func() transfer {
				from := c.rand.IntN(crossUsers)
				to := (from + 1 + c.rand.IntN(crossUsers-1)) % crossUsers
				return b.between(crossUser(from), crossUser(to), 1, 1, c.rand.Int64N(20))
			})
		})
	}
	wg.Go(func() { b.watch(ctx, b.run.caller("cross-audit", ""), crossTotal(), crossUsers) })
}

// crossTotal reads the accounts of all users of one view.
func crossTotal() string {
	var parts []string
	for u := range crossUsers {
		parts = append(parts, fmt.Sprintf("SELECT balance FROM nemesis.%s.bank", crossUser(u)))
	}
	return strings.Join(parts, " UNION ALL ")
}

// transact makes transfers until the run is over.
func (b *bank) transact(ctx context.Context, c *caller, kind string, next func() transfer) {
	for !b.run.over(ctx) {
		t := next()
		err := b.pay(ctx, c, t)
		switch {
		case errors.Is(err, errUnknown):
			b.run.unknown()
		case is(err, "TRANSACTION_CONFLICT"): // it did not happen, which the ledger shows
		default:
			b.run.unexpected(kind, err)
		}
		b.run.count(kind)
		wait(ctx, bankPause)
	}
}

// watch reads accounts until the run is over: each read has the whole total.
func (b *bank) watch(ctx context.Context, c *caller, sql string, accounts int) {
	for !b.run.over(ctx) {
		rows, err := c.rows(ctx, sql)
		if err == nil {
			b.total(c.name, rows, accounts)
		}
		b.run.unexpected("bank: "+sql, err)
		b.run.count("bank reads")
		wait(ctx, 4*bankPause)
	}
}

func (b *bank) total(who string, rows [][]string, accounts int) {
	sum := int64(0)
	for _, row := range rows {
		n, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			b.run.violation("bank", "%s: a balance: %v", who, err)
		}
		sum += n
	}
	if want := int64(accounts * bankStart); len(rows) != accounts || sum != want {
		b.run.violation("bank", "%s at %v: %d accounts with %d in total, not %d with %d: %v",
			who, time.Since(b.run.began), len(rows), sum, accounts, want, rows)
	}
}

// check compares the ledger with what was acknowledged, and the balances with the
// ledger.
func (b *bank) check(ctx context.Context) error {
	balances := map[string]int64{}
	want := map[string]int64{}
	there := map[int64]bool{}
	for _, user := range b.users() {
		c := b.run.caller("check-"+user, user)
		rows, err := c.rows(ctx, "SELECT id, balance FROM nemesis.bank")
		if err != nil {
			return err
		}
		for _, row := range rows {
			n, err := strconv.ParseInt(row[1], 10, 64)
			if err != nil {
				return err
			}
			account := user + "/" + row[0]
			balances[account] = n
			want[account] += bankStart
		}
		if rows, err = c.rows(ctx, "SELECT id FROM nemesis.ledger"); err != nil {
			return err
		}
		for _, row := range rows {
			id, err := strconv.ParseInt(row[0], 10, 64)
			if err != nil {
				return err
			}
			t, ok := b.tried[id]
			if !ok || t.payer != user {
				b.run.violation("bank", "the ledger of %s has transfer %d, which nobody made", user, id)
			}
			there[id] = true
			want[fmt.Sprintf("%s/%d", t.payer, t.from)] -= t.size
			want[fmt.Sprintf("%s/%d", t.payee, t.to)] += t.size
		}
	}
	for id, t := range b.acked {
		if !there[id] {
			b.run.violation("bank", "transfer %+v was acknowledged and is lost", t)
		}
	}
	for account, n := range want {
		if balances[account] != n {
			b.run.violation("bank", "account %s has %d, by the ledger %d", account, balances[account], n)
		}
	}
	return nil
}

func (b *bank) users() (all []string) {
	for u := range bankUsers {
		all = append(all, bankUser(u))
	}
	for u := range crossUsers {
		all = append(all, crossUser(u))
	}
	return all
}
