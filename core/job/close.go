package job

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Close gives no more turns and waits until ctx ends for the jobs that run.
// Those that still run then are cut, and returned: they are taken up again at
// the next start, or have failed. Jobs that wait stay as they are. Close
// returns when all goroutines have ended; those of jobs that were cut and do
// not end within ten seconds are an error: what they use must not be closed.
// Called again it returns the same.
func (m *Manager) Close(ctx context.Context) (cut []Record, err error) {
	m.closeOnce.Do(func() { m.cut, m.closeErr = m.close(ctx) })
	return m.cut, m.closeErr
}

func (m *Manager) close(ctx context.Context) (cut []Record, err error) {
	idle := make(chan struct{})
	m.mu.Lock()
	if m.closing, m.ended = true, true; m.resting {
		m.mu.Unlock()
		return nil, nil
	}
	now := m.shift
	if m.running > 0 {
		m.idle = idle
	} else {
		close(idle)
	}
	m.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
		cut = m.atWork()
	}
	return cut, m.end(now)
}

// end ends a shift.
func (m *Manager) end(now shift) error {
	now.stop()
	close(now.left)
	<-now.stopped
	m.forgetting.Wait()
	report, err := now.supervisor.UnstoppedServiceReport()
	if err == nil && len(report) > 0 {
		err = fault.New(fault.Internal, "%d jobs did not end in time", len(report))
	}
	return err
}

// atWork returns the jobs that run.
func (m *Manager) atWork() (all []Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.actors {
		if a.holding {
			all = append(all, a.record())
		}
	}
	return all
}

// AtWork returns how many jobs run.
func (m *Manager) AtWork() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running
}
