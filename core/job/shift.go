package job

import (
	"context"
	"errors"

	"github.com/thejerf/suture/v4"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// In a cluster one node at a time has the jobs. A Manager works in shifts: from
// TakeUp, when its node comes to lead, to Rest, when another does. At rest it
// answers from what is stored and starts nothing.

// shift is what runs from a TakeUp to a Rest, or from Open to Close.
type shift struct {
	life       context.Context // of all that runs in it
	supervisor *suture.Supervisor
	stop       context.CancelFunc
	stopped    <-chan error  // from the supervisor
	left       chan struct{} // closed when no job goes on
}

func (m *Manager) newShift(ctx context.Context) shift {
	s := suture.New("jobs", suture.Spec{
		EventHook: m.event, Timeout: stopTimeout, DontPropagateTermination: true,
	})
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	return shift{life, s, stop, s.ServeBackground(life), make(chan struct{})}
}

// now returns the present shift.
func (m *Manager) now() shift {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shift
}

// work takes up the jobs of the store in a shift that has begun.
func (m *Manager) work(ctx context.Context) error {
	if err := m.takeUp(ctx); err != nil {
		return err
	}
	life := m.now().life
	m.forgetting.Go(func() { m.forgetLoop(life) })
	return nil
}

// TakeUp goes on with the jobs that have not ended, wherever they ran before. It is
// called at rest, when what other nodes have stored of jobs can be read here. When
// it fails the Manager rests on.
func (m *Manager) TakeUp(ctx context.Context) error {
	next := m.newShift(ctx)
	m.mu.Lock()
	if m.ended || !m.resting {
		ended := m.ended
		m.mu.Unlock()
		next.stop()
		<-next.stopped
		if ended {
			return fault.New(fault.ShuttingDown, "the server is stopping; another node takes the jobs")
		}
		return fault.New(fault.Internal, "the jobs are taken up already")
	}
	m.shift, m.resting, m.closing, m.begun = next, false, false, false
	services := append([]*service(nil), m.services...)
	m.mu.Unlock()
	for _, s := range services {
		next.supervisor.Add(s)
	}
	if err := m.work(ctx); err != nil {
		return errors.Join(err, m.Rest())
	}
	m.Begin()
	return nil
}

// Rest cuts the jobs that run and leaves all of them to another node. They have not
// failed: they stay as they are stored. It returns when all goroutines of the shift
// have ended; one that does not is an error. At rest, and once Close has been called,
// it does nothing.
func (m *Manager) Rest() error {
	m.mu.Lock()
	if m.resting || m.ended { // Close ends the shift
		m.mu.Unlock()
		return nil
	}
	m.closing, m.resting = true, true
	now := m.shift
	m.mu.Unlock()
	err := m.end(now)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.actors, m.owners = make(map[ident.JobID]*actor), make(map[key]*actor)
	m.unsaved = make(map[ident.JobID]Record)
	m.queue, m.running, m.idle = nil, 0, nil
	return err
}
