package exec

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// tierValues are the columns of system.tables about the cold tier.
func tierValues(t *ddl.Table) []value.Value {
	if !t.HasColdTier() {
		return []value.Value{value.NullValue, value.NullValue, value.NullValue, value.NullValue}
	}
	storage, retention := t.Storage, value.NullValue
	if storage == "" {
		storage = ident.LocalStorage
	}
	if t.DeletedRetention != 0 {
		retention = value.NewText(ddl.FormatTTL(t.DeletedRetention))
	}
	return []value.Value{
		text(storage), value.NewBool(t.UserStorage), value.NewText(t.Flush.String()), retention,
	}
}

// tieredTable finds a table that the caller may know of and whose rows may go
// cold.
func (r *run) tieredTable(ref *ast.TableRef) (*ddl.Table, error) {
	t, err := r.table(ref)
	if err == nil && !t.HasColdTier() {
		err = fault.New(fault.Unsupported, "%s is a %s table, whose rows stay hot",
			t.FullName(), t.Kind)
	}
	if err == nil {
		err = r.x.holdsAll(t)
	}
	return t, err
}
