package ws

import (
	"github.com/kalamdb/kalamdb-go/live"
)

// renewable reports whether the query of an ended subscription may be compiled
// again at once, over what its table is now.
func renewable(why live.EndReason) bool {
	return why == live.SchemaChanged || why == live.TableTruncated
}

// renew opens a subscription again under its id, to go on after old. It fails
// when the query does not compile any more.
func (c *conn) renew(s *sub, old *live.Subscription) error {
	who, err := c.identity()
	if err != nil {
		return err
	}
	spec := s.spec
	spec.After = old
	source, err := c.srv.opts.Engine.Subscribe(c.ctx, who, spec)
	if err != nil {
		return err
	}
	c.mu.Lock()
	s.live = source
	wanted := c.subs[s.id] == s && c.openLocked()
	c.wakeLocked(s)
	c.mu.Unlock()
	if !wanted { // it was unsubscribed meanwhile
		source.Close(live.Unsubscribed)
	}
	return nil
}
