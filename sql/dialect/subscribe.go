package dialect

import (
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// The options of SUBSCRIBE.
const (
	optLastRows  = "last_rows"
	optFrom      = "from"
	optBatchSize = "batch_size"
	optPolicy    = "policy"
)

// subscribe reads SUBSCRIBE TO t [WHERE ...] | SELECT ... [OPTIONS (...)]. The
// query is cut out as text; compiling it judges the rest.
func (p *parser) subscribe() (Kind, Node, error) {
	p.next()
	p.accept("TO")
	start, end := p.i, len(p.toks)
	for i := start + 1; i < len(p.toks); i++ {
		if p.toks[i].Is(p.src, "OPTIONS") && i+1 < len(p.toks) && p.toks[i+1].Kind == LeftParen &&
			matching(p.toks, i+1) == len(p.toks)-1 {
			end = i
		}
	}
	n := &ast.Subscribe{}
	isQuery := p.is(wordSelect) || p.is(wordWith) || p.peek().Kind == LeftParen
	if !isQuery {
		if _, err := p.name("a table or SELECT"); err != nil {
			return 0, nil, err
		}
		n.Query = "SELECT * FROM "
	}
	if start >= end {
		return 0, nil, p.failExpected("a table or SELECT")
	}
	n.Offset = int(p.toks[start].Start-p.toks[0].Start) - len(n.Query)
	n.Query += p.src[p.toks[start].Start:p.toks[end-1].End]
	if end == len(p.toks) {
		return Subscribe, n, nil
	}
	p.i = end + 1
	opts, err := p.options()
	if err != nil {
		return 0, nil, err
	}
	for _, o := range opts {
		if err := subscribeOption(&n.Options, o); err != nil {
			return 0, nil, p.at(o.at, err)
		}
	}
	return p.complete(Subscribe, n)
}

func subscribeOption(opts *ast.SubscribeOptions, o option) error {
	var err error
	switch o.name {
	case optLastRows:
		opts.LastRows, err = count(o, 0)
	case optBatchSize:
		opts.BatchSize, err = count(o, 1)
	case optFrom:
		seq, bad := clock.ParseSeq(o.value)
		if bad != nil {
			return fault.New(fault.InvalidParameter,
				"option from must be a seq, a whole number, not %q", clip(o.value))
		}
		opts.From = &seq
	case optPolicy:
		opts.Policy = strings.ToLower(o.value)
	default:
		return fault.New(fault.InvalidParameter, "unknown option %s; use %s",
			clip(o.name), strings.Join([]string{optLastRows, optFrom, optBatchSize, optPolicy}, ", "))
	}
	return err
}

func count(o option, least int) (*int, error) {
	n, err := strconv.ParseInt(o.value, 10, 32)
	if err != nil || int(n) < least {
		return nil, fault.New(fault.InvalidParameter,
			"option %s must be a whole number from %d, not %q", o.name, least, clip(o.value))
	}
	c := int(n)
	return &c, nil
}
