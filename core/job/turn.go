package job

// The turns of jobs. A job that waits gets its turn when fewer than
// Options.Running hold one and none of its key is at work; the first that asked
// comes first. It keeps its key while it pauses before another attempt, but not
// its turn.

// wait has a job stand in the queue, unless it does.
func (m *Manager) wait(a *actor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.enqueueLocked(a)
	m.dispatchLocked()
}

func (m *Manager) enqueueLocked(a *actor) {
	if a.waiting || a.holding {
		return
	}
	a.waiting = true
	m.queue = append(m.queue, a)
}

// dispatchLocked gives turns to those who may have one.
func (m *Manager) dispatchLocked() {
	if m.closing || !m.begun {
		return
	}
	rest := m.queue[:0]
	for _, a := range m.queue {
		owner := m.owners[a.key]
		if m.running >= m.opts.Running || owner != nil && owner != a {
			rest = append(rest, a)
			continue
		}
		m.owners[a.key] = a
		m.running++
		a.waiting, a.holding, a.owning = false, true, true
		a.granted <- struct{}{} // has room: a job has one turn at a time
	}
	clear(m.queue[len(rest):])
	m.queue = rest
}

// release ends the turn of a job after an attempt.
func (m *Manager) release(a *actor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.releaseLocked(a)
	m.dispatchLocked()
}

func (m *Manager) releaseLocked(a *actor) {
	if !a.holding {
		return
	}
	a.holding = false
	m.running--
	select { // a turn that was not taken up
	case <-a.granted:
	default:
	}
	if m.running == 0 && m.idle != nil {
		close(m.idle)
		m.idle = nil
	}
}

// leave takes a job whose goroutine ends out of everything. A job that a panic
// ended comes back by its next Serve.
func (m *Manager) leave(a *actor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, other := range m.queue {
		if other == a {
			m.queue = append(m.queue[:i], m.queue[i+1:]...)
			break
		}
	}
	a.waiting = false
	m.releaseLocked(a)
	if a.owning {
		delete(m.owners, a.key)
		a.owning = false
	}
	m.dispatchLocked()
}
