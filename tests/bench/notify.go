package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

const (
	subscribers = 1000
	more        = 2000 // further ones, whose memory is measured
	writers     = 8    // of the notification test; each writes to its own users
)

// notify measures what a subscriber costs that hears nothing, and the time
// from sending an INSERT until its subscriber has the change.
func (b *bench) notify(ctx context.Context) (err error) {
	s, err := b.launch(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, sql := range []string{
		"CREATE NAMESPACE bench", "CREATE USER TABLE bench.written " + schema,
	} {
		if _, err := s.root().SQL(ctx, sql); err != nil {
			return err
		}
	}
	all, err := s.subscribeAll(ctx, 0, subscribers)
	defer closeAll(all)
	if err != nil {
		return err
	}
	if err := b.idleSubscribers(ctx, s); err != nil {
		return err
	}
	return b.load(ctx, Figure{Name: "notify", Durability: "sync", Clients: writers,
		Conditions: "from sending an INSERT until its subscriber has the change, " +
			strconv.Itoa(subscribers) + " subscribers"}, s.PID(), func(i int) (client, error) {
		return s.notifier(all, i)
	})
}

// idleSubscribers measures what more subscribers take, beside those that are
// there: the first ones use what a start left behind.
func (b *bench) idleSubscribers(ctx context.Context, s *server) error {
	const settle = 3 * time.Second
	if err := wait(ctx, settle); err != nil {
		return err
	}
	before, beforeErr := memory(s.PID(), keyResident)
	extra, err := s.subscribeAll(ctx, subscribers, more)
	defer closeAll(extra)
	if err != nil {
		return err
	}
	if err := wait(ctx, settle); err != nil {
		return err
	}
	after, afterErr := memory(s.PID(), keyResident)
	if err := errors.Join(beforeErr, afterErr); err != nil {
		fmt.Fprintln(b.notes, "skipped: memory per subscriber:", err)
		return nil
	}
	return b.report(Figure{Name: "memory_per_idle_subscriber",
		Value: (after - before) / 1024 / more, Unit: "KB", Durability: "none", Clients: more,
		Conditions: fmt.Sprintf("resident memory for %d beside %d, one socket and one live query "+
			"each, of a user each", more, subscribers)})
}

// subscribeAll opens count live queries, each of a user of its own. What was
// opened is returned with an error too.
func (s *server) subscribeAll(ctx context.Context, from, count int) ([]*subscriber, error) {
	var all []*subscriber
	for i := range count {
		one, err := s.subscribe(ctx, fmt.Sprintf("subscriber%d", from+i))
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	return all, nil
}

func closeAll(all []*subscriber) {
	for _, one := range all {
		one.socket.Close()
	}
}

type subscriber struct {
	user   string
	socket *blackbox.Socket
}

func (s *server) subscribe(ctx context.Context, user string) (*subscriber, error) {
	client := blackbox.Client{URL: s.URL, Authorization: blackbox.Bearer(user, time.Now())}
	socket, err := blackbox.Dial(ctx, s.URL, client.Header())
	if err != nil {
		return nil, err
	}
	err = socket.Send(map[string]any{"type": "subscribe", "subscription": map[string]any{
		"id": "s", "sql": "SELECT conversation, id, content FROM bench.written"}})
	if err != nil {
		return nil, err
	}
	for {
		m, err := socket.Read(ctx)
		switch {
		case err != nil:
			return nil, err
		case m.Type == "error":
			return nil, fmt.Errorf("subscribe: %s", m.Raw)
		case m.BatchControl != nil && m.BatchControl.Status == "ready":
			return &subscriber{user, socket}, nil
		}
	}
}

// notifier writes to one of its subscribers after another. The write and the
// reading of its notification run side by side, as in life.
func (s *server) notifier(all []*subscriber, first int) (client, error) {
	auth := blackbox.Basic(blackbox.RootUser, blackbox.RootPassword)
	var mine []*subscriber
	var conns []*conn
	for i := first; i < len(all); i += writers {
		c, err := dial(s.host(), auth, all[i].user)
		if err != nil {
			return client{}, err
		}
		mine, conns = append(mine, all[i]), append(conns, c)
	}
	written := make(chan error, 1)
	return client{step: func(n int) error {
		i := n % len(mine)
		body := fmt.Sprintf(`{"sql":"INSERT INTO bench.written (conversation, id, content) `+
			`VALUES (0, $1, $2)","params":[%d,"%s"]}`, n, content)
		go func() {
			_, err := conns[i].do([]byte(body))
			written <- err
		}()
		_, err := mine[i].socket.ReadRaw()
		return errors.Join(err, <-written)
	}, close: func() {
		for _, c := range conns {
			c.close()
		}
	}}, nil
}
