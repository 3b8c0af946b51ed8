package shell

import (
	"context"
	"strconv"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// watchEvery is how often a statement that can't be followed is repeated.
const watchEvery = 2 * time.Second

// metaWatch shows the last statement's result again when it changes, as a live
// query tells, until Ctrl-C. One that can't be followed, or with an interval
// given, is repeated instead.
func (s *Shell) metaWatch(ctx context.Context, args string) error {
	if s.last == "" {
		return s.refuse(fault.New(fault.EmptySQL, "run the statement once, then watch it"))
	}
	if args == "" {
		done, err := s.watchLive(ctx)
		if done {
			return err
		}
		return s.repeat(ctx, watchEvery)
	}
	n, err := strconv.ParseFloat(args, 64)
	if err != nil || !(n >= 0.1 && n <= 86400) {
		return s.refuse(fault.New(fault.InvalidParameter,
			"%q is no number of seconds from 0.1 to 86400", args))
	}
	return s.repeat(ctx, time.Duration(n*float64(time.Second)))
}

// watchLive is false when the statement is none that can be followed.
func (s *Shell) watchLive(ctx context.Context) (done bool, err error) {
	var v *client.View
	err = s.busy(ctx, func(ctx context.Context) (err error) {
		v, err = s.client.Live(ctx, s.last, client.LiveOptions{})
		return err
	})
	switch {
	case err == nil && s.interrupted:
		return true, v.Close()
	case err == nil:
	case ctx.Err() != nil || fault.Is(err, fault.Cancelled):
		s.fail(err, s.last)
		return true, err
	default:
		return false, nil // repeating it tells what is wrong with it, if anything is
	}
	defer v.Close() // never fails
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer s.onInterrupt(stop)()
	for state, err := range v.States(ctx) {
		if err == nil {
			s.watchTitle("live")
			r := &client.Result{Schema: state.Schema, Rows: state.Rows,
				RowCount: int64(len(state.Rows))}
			_, err = s.out.Write(render(r, s.format, s.expanded))
		}
		if ctx.Err() != nil {
			s.interrupted = true
			return true, nil
		}
		if err != nil {
			s.fail(err, s.last)
			return true, err
		}
	}
	return true, nil
}

// onInterrupt calls stop at the user's Ctrl-C, until the function that it
// returns is called.
func (s *Shell) onInterrupt(stop func()) func() {
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() { // the returned function waits for it
		defer close(stopped)
		select {
		case <-s.opts.Interrupts:
			stop()
		case <-ended:
		}
	}()
	return func() {
		close(ended)
		<-stopped
	}
}

func (s *Shell) watchTitle(how string) {
	s.say("%s %s: %s", time.Now().Format(time.TimeOnly), how, printable(fold(s.last)))
}

// repeat runs the last statement again and again. Ctrl-C ends it, during a wait
// without an error.
func (s *Shell) repeat(ctx context.Context, every time.Duration) error {
	for {
		s.watchTitle("every " + every.String())
		if err := s.run(ctx, s.last); err != nil || s.interrupted {
			return err
		}
		wait := time.NewTimer(every)
		select {
		case <-wait.C:
		case <-s.opts.Interrupts:
			wait.Stop()
			return nil
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
	}
}
