package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
)

// Where there are more nodes than replicas, the leader of the system tables has to tell
// shards of a table that it has no replica of. It leaves an order in the system
// tables; who leads the shard carries it out and notes the outcome. Fences can be
// told twice, so an order that is carried out again does no harm.

// order is a command for a shard, as it is stored.
type order struct {
	Shard   ident.ShardID `json:"shard"`
	Command []byte        `json:"command"`
	Done    bool          `json:"done,omitempty"`
	Seq     clock.Seq     `json:"seq,omitempty"`
	Code    fault.Code    `json:"code,omitempty"` // of a refusal
	Message string        `json:"message,omitempty"`
}

// ordering is a log that leaves orders for shards that have no replica here.
type ordering struct {
	replica.Log
	e     *Engine
	newID func() string
}

// orderLook is how often it is looked whether an order is carried out.
const orderLook = 20 * time.Millisecond

// Propose implements replica.Log.
func (o *ordering) Propose(ctx context.Context, c *command.Command) (apply.Outcome, error) {
	if o.Holds(c.Shard) || len(c.Fences) == 0 || len(c.Writes) > 0 {
		return o.Log.Propose(ctx, c)
	}
	name := fmt.Sprintf("%05d:%s", c.Shard, o.newID())
	err := o.e.putOrder(ctx, name, &order{Shard: c.Shard, Command: c.Append(nil)}, 0)
	if err != nil {
		return apply.Outcome{}, err
	}
	tick := time.NewTicker(orderLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return apply.Outcome{}, fault.New(fault.NoQuorum, "shard %d, which is on other nodes, was "+
				"not told of the change in time; it is finished later", c.Shard)
		}
		var doc order
		seq, err := o.e.getOrder(name, &doc)
		if err != nil {
			return apply.Outcome{}, err
		}
		if doc.Done {
			out := apply.Outcome{Seq: doc.Seq}
			if doc.Code != "" {
				out.Err = fault.New(doc.Code, "%s", doc.Message)
			}
			return out, o.e.proposeSystem(ctx, catalog.KeptOrders.Delete(name, seq))
		}
	}
}

func (e *Engine) getOrder(name string, doc *order) (clock.Seq, error) {
	v := e.db.View()
	defer v.Release()
	return catalog.KeptOrders.Get(e.db, v, name, doc)
}

func (e *Engine) putOrder(ctx context.Context, name string, doc *order, seq clock.Seq) error {
	w, err := catalog.KeptOrders.Put(name, doc, seq)
	if err != nil {
		return err
	}
	return e.proposeSystem(ctx, w)
}

// carryOut does what is ordered of the shards that this node leads.
func (e *Engine) carryOut(ctx context.Context) error {
	names, err := e.orders()
	if err != nil {
		return err
	}
	for _, name := range names {
		var doc order
		seq, err := e.getOrder(name, &doc)
		if err != nil {
			return err
		}
		if seq == 0 || doc.Done || !e.Leads(doc.Shard) {
			continue
		}
		c, err := command.Parse(doc.Command)
		if err != nil {
			return err
		}
		out, err := replica.Propose(ctx, e.log, c)
		if err != nil {
			return err
		}
		doc.Done, doc.Seq = true, out.Seq
		if out.Err != nil {
			refused := fault.From(out.Err)
			doc.Code, doc.Message = refused.Code, refused.Message
		}
		if err := e.putOrder(ctx, name, &doc, seq); err != nil {
			return err
		}
	}
	return nil
}

// orders returns the names of all orders.
func (e *Engine) orders() (names []string, err error) {
	v := e.db.View()
	defer v.Release()
	return catalog.KeptOrders.Names(e.db, v)
}

func (e *Engine) proposeSystem(ctx context.Context, w writeset.Write) error {
	return e.keeper.Write(ctx, w)
}
