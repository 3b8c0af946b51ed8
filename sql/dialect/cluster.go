package dialect

import (
	"strconv"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// maxAddress bounds what names a node that joins, in bytes.
const maxAddress = 300

// cluster reads CLUSTER JOIN 'n=host:port', LEAVE n, REPLACE n WITH 'm=host:port',
// TRANSFER LEADER OF s TO n and REBALANCE.
func (p *parser) cluster() (Kind, Node, error) {
	p.next()
	switch {
	case p.accept("JOIN"):
		address, err := p.nodeAddress()
		if err != nil {
			return 0, nil, err
		}
		return p.complete(ClusterJoin, &ast.ClusterJoin{Address: address})
	case p.accept("LEAVE"):
		n, err := p.nodeID()
		if err != nil {
			return 0, nil, err
		}
		return p.complete(ClusterLeave, &ast.ClusterLeave{Node: n})
	case p.accept("REPLACE"):
		return p.clusterReplace()
	case p.accept("TRANSFER"):
		return p.clusterTransfer()
	case p.accept("REBALANCE"):
		return p.complete(ClusterRebalance, &ast.ClusterRebalance{})
	}
	return 0, nil, p.object(wordCluster,
		[]string{"JOIN", "LEAVE", "REPLACE", "TRANSFER", "REBALANCE"}, []string{"SNAPSHOT"})
}

func (p *parser) clusterReplace() (Kind, Node, error) {
	n := &ast.ClusterReplace{}
	var err error
	if n.Node, err = p.nodeID(); err == nil {
		err = p.expect(wordWith)
	}
	if err == nil {
		n.Address, err = p.nodeAddress()
	}
	if err != nil {
		return 0, nil, err
	}
	return p.complete(ClusterReplace, n)
}

func (p *parser) clusterTransfer() (Kind, Node, error) {
	n := &ast.ClusterTransfer{}
	if err := p.expect("LEADER", "OF"); err != nil {
		return 0, nil, err
	}
	shard, err := p.small("the number of a shard")
	if err != nil {
		return 0, nil, err
	}
	n.Shard = ident.ShardID(shard)
	if err := p.expect("TO"); err != nil {
		return 0, nil, err
	}
	if n.To, err = p.nodeID(); err != nil {
		return 0, nil, err
	}
	return p.complete(ClusterTransfer, n)
}

func (p *parser) nodeID() (ident.NodeID, error) {
	at := p.i
	n, err := p.small("the number of a node")
	if err == nil && (n == 0 || ident.NodeID(n) > ident.MaxNode) {
		err = p.at(at, fault.New(fault.InvalidParameter, "a node has a number from 1 to %d",
			ident.MaxNode))
	}
	return ident.NodeID(n), err
}

// small consumes a number of at most 16 bits.
func (p *parser) small(what string) (uint16, error) {
	t := p.peek()
	if t.Kind != Number {
		return 0, p.failExpected(what)
	}
	n, err := strconv.ParseUint(t.Text(p.src), 10, 16)
	if err != nil {
		return 0, p.failExpected(what)
	}
	p.next()
	return uint16(n), nil
}

func (p *parser) nodeAddress() (string, error) {
	const what = "a node as 'number=host:port'"
	at := p.i
	s, err := p.text(what)
	if err == nil && (s == "" || len(s) > maxAddress) {
		p.i = at
		err = p.failExpected(what)
	}
	return s, err
}

// maxStaleness bounds what SET READ STALENESS allows.
const maxStaleness = time.Hour

// setStaleness reads SET READ STALENESS 's' | OFF.
func (p *parser) setStaleness() (Kind, Node, error) {
	p.next()
	if !p.accept("READ", "STALENESS") {
		statement := wordSet
		if word := p.secondWord(wordSet); word != "" {
			statement += " " + word
		}
		return 0, nil, p.at(0, p.refuse(statement, ""))
	}
	if p.accept("OFF") {
		return p.complete(SetStaleness, &ast.SetStaleness{})
	}
	at := p.i
	s, err := p.text("a duration such as '5s', or OFF")
	if err != nil {
		return 0, nil, err
	}
	n := &ast.SetStaleness{}
	if n.Age, err = ddl.ParseSpan("READ STALENESS", s); err != nil {
		return 0, nil, p.at(at, err)
	}
	if n.Age > maxStaleness {
		return 0, nil, p.at(at, fault.New(fault.InvalidParameter, "READ STALENESS is at most 1 hour"))
	}
	return p.complete(SetStaleness, n)
}
