package sqljson

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Params returns the parameters of a request as values: integers keep their 64
// bits, objects and arrays become JSON. list is as wire.DecodeStrict read it.
func Params(list []any) ([]value.Value, error) {
	if len(list) == 0 {
		return nil, nil
	}
	params := make([]value.Value, len(list))
	for i, x := range list {
		v, err := value.Infer(x)
		if err != nil {
			return nil, fault.Wrap(fault.InvalidParameter, err, "parameter %d", i+1)
		}
		params[i] = v
	}
	return params, nil
}
