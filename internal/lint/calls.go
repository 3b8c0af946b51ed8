package lint

import (
	"go/ast"
	"strings"
)

// forTests reports whether the file is of a test or of a package that serves
// tests, such as store/storetest.
func forTests(f *File) bool {
	return f.Test || f.Module == "tests" || strings.HasSuffix(f.Dir(), "test")
}

func isCommand(f *File) bool { return strings.Contains(f.Path, "/cmd/") }

func noSleep(f *File) []Finding {
	if !f.Test {
		return nil
	}
	var found []Finding
	f.uses("time", func(name string, line int) {
		if name == "Sleep" {
			found = append(found, f.at(line,
				"time.Sleep in a test; use testing/synctest, a channel or testkit.Eventually"))
		}
	})
	return found
}

// rootContexts are the folders outside of main and tests whose files may make
// a root context, each with its reason.
var rootContexts = map[string]string{
	"core/engine": "an engine lives from Open to Close, not as long as a call",
	"sql/engine":  "the library asks for one where nothing blocks",
}

func contextComesIn(f *File) []Finding {
	if forTests(f) || isCommand(f) || rootContexts[f.Dir()] != "" {
		return nil
	}
	var found []Finding
	f.uses("context", func(name string, line int) {
		if name == "Background" || name == "TODO" {
			found = append(found, f.at(line,
				"context."+name+" here; take ctx as the first parameter, "+
					"or context.WithoutCancel(ctx) for what must outlive it"))
		}
	})
	return found
}

func noPrint(f *File) []Finding {
	if forTests(f) || f.Module == "cli" || isCommand(f) {
		return nil
	}
	var found []Finding
	f.uses("fmt", func(name string, line int) {
		if strings.HasPrefix(name, "Print") {
			found = append(found, f.at(line,
				"fmt."+name+" here; log through the *slog.Logger you were given, or fmt.Fprint"))
		}
	})
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if id, ok := call.Fun.(*ast.Ident); ok && (id.Name == "println" || id.Name == "print") {
			found = append(found, f.at(f.Line(id.Pos()), "built-in "+id.Name+"; log instead"))
		}
		return true
	})
	return found
}

// goroutineWait looks for a go statement in a file that waits for nothing: no
// Wait call, no receive, no range over a channel, no done channel that it
// closes. Prefer wg.Go, which needs no rule.
func goroutineWait(f *File) []Finding {
	if f.Test {
		return nil
	}
	first, waits := 0, false
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if first == 0 {
				first = f.Line(n.Pos())
			}
		case *ast.UnaryExpr:
			waits = waits || n.Op.String() == "<-"
		case *ast.SelectorExpr:
			waits = waits || n.Sel.Name == "Wait"
		}
		return true
	})
	if first == 0 || waits {
		return nil
	}
	return []Finding{f.at(first, "go statement in a file that never waits; "+
		"use sync.WaitGroup.Go and wait in Close")}
}
