package replica

import "time"

// Patience is how long Recover waits.
const Patience = patience

// RecoverBy makes Recover tell the time by now.
func (c *Coordinator) RecoverBy(now func() time.Time) { c.standing.now = now }
