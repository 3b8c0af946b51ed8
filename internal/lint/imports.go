package lint

import (
	"fmt"
	"slices"
	"strings"
)

// order lists the modules from the lowest up: each may import those before it.
var order = []string{"commons", "store", "sql", "live", "core", "flows", "server"}

// mayImport returns the modules of ours that a module may import. It is the
// one place where the direction of dependencies is written in code;
// docs/modules.md says it in words.
func mayImport(module string) []string {
	switch module {
	case "cli":
		return []string{"commons", "internal"}
	case "internal":
		return []string{"commons"}
	case "tests":
		return append(slices.Clone(order), "cli", "internal")
	}
	if i := slices.Index(order, module); i >= 0 {
		return append(slices.Clone(order[:i]), "internal")
	}
	return nil
}

func moduleDirection(f *File) []Finding {
	var found []Finding
	f.imports(func(p string, line int) {
		rest, ours := strings.CutPrefix(p, Root+"/")
		if !ours {
			return
		}
		target, _, _ := strings.Cut(rest, "/")
		if target != f.Module && !slices.Contains(mayImport(f.Module), target) {
			found = append(found, f.at(line, fmt.Sprintf(
				"%s must not import %s; declare the interface you need here, or move the type down",
				f.Module, target)))
		}
	})
	return found
}

// owners names, for each heavy library, the one folder that may import it. A
// library with two rows is met in both.
var owners = []struct{ library, folder string }{
	{"github.com/cockroachdb/pebble", "store/pebblekv"},
	{"github.com/dgraph-io/badger", "store/badgerkv"},
	{"github.com/apache/arrow-go/v18/arrow", "store/arrowio"},
	{"github.com/apache/arrow-go/v18/parquet", "store/segment"},
	{"github.com/apache/arrow-go/v18/arrow", "store/segment/segmenttest"},
	{"github.com/thejerf/suture", "core/job"},
	{"github.com/lni/dragonboat", "core/replica"},
	{"gocloud.dev", "store/object"},
	{"github.com/aws", "store/object"},
	{"github.com/Azure", "store/object"},
	{"cloud.google.com/go", "store/object"},
	{"github.com/dolthub/go-mysql-server", "sql/engine"},
	{"github.com/dolthub/vitess", "sql/engine"},
	{"github.com/gobwas/ws", "server/ws"},
	{"github.com/coder/websocket", "cli/client"},
	{"github.com/prometheus/client_golang", "server/metrics"},
	{"github.com/BurntSushi/toml", "server/config"},
	{"github.com/vmihailenco/msgpack", "commons/serde"},
	{"github.com/fxamacker/cbor", "commons/serde"},
	{"github.com/reeflective/readline", "cli/shell"},
	{"github.com/ergochat/readline", "cli/shell"},
	{"github.com/parquet-go/parquet-go", "tests/foreign"},
	{"github.com/jackc/pgx", "tests"},
	{"modernc.org/sqlite", "tests/oracle"},
}

func oneImporter(f *File) []Finding {
	var found []Finding
	f.imports(func(p string, line int) {
		var missed []string
		for _, o := range owners {
			switch {
			case !within(p, o.library):
			case within(f.Path, o.folder):
				return
			default:
				missed = append(missed, o.folder)
			}
		}
		if len(missed) > 0 {
			found = append(found, f.at(line, fmt.Sprintf("%s may be imported by %s only; use that package",
				p, strings.Join(missed, " and "))))
		}
	})
	return found
}

// within reports whether a path is folder or lies below it.
func within(p, folder string) bool {
	return p == folder || strings.HasPrefix(p, folder+"/")
}
