// Package lint holds the house rules of the repository that no ready-made
// linter knows. Each rule looks at the parsed source of all modules and says
// what to use instead.
//
// The rules run as the tests of this package. A rule reports only what it is
// sure of: an exception is written into the rule's own list with its reason,
// never as a comment in the code it looks at.
package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"
)

// Root is the import path that all modules begin with.
const Root = "github.com/kalamdb/kalamdb-go"

// File is one Go file of the repository. Its fields are not changed after Load.
type File struct {
	Path   string // from the repository's root, with slashes
	Module string // the first folder of Path
	Test   bool   // a _test.go file
	Lines  []string
	Syntax *ast.File
	fset   *token.FileSet
}

// Dir returns the folder of the file, with slashes.
func (f *File) Dir() string { return path.Dir(f.Path) }

// Line returns the line, from 1, of a position in the file.
func (f *File) Line(p token.Pos) int { return f.fset.Position(p).Line }

// Finding is one place that breaks a rule.
type Finding struct {
	Path string
	Line int    // from 1; 0 when it is about the whole file or package
	Text string // what is wrong and what to use instead
}

// String returns the finding as editors and terminals link it: path:line: text.
func (f Finding) String() string {
	if f.Line == 0 {
		return f.Path + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.Path, f.Line, f.Text)
}

// Load parses every Go file below the root of fsys. Folders that begin with a
// dot or an underscore and those called testdata are left out. A file that
// does not parse is an error.
func Load(fsys fs.FS) ([]*File, error) {
	var files []*File
	fset := token.NewFileSet()
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && skipDir(d.Name()):
			return fs.SkipDir
		case d.IsDir() || path.Ext(p) != ".go":
			return nil
		}
		f, err := load(fsys, fset, p)
		if err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

func skipDir(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") ||
		name == "testdata" || name == "bin"
}

func load(fsys fs.FS, fset *token.FileSet, p string) (*File, error) {
	src, err := fs.ReadFile(fsys, p)
	if err != nil {
		return nil, err
	}
	tree, err := parser.ParseFile(fset, p, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	module, _, _ := strings.Cut(p, "/")
	return &File{
		Path:   p,
		Module: module,
		Test:   strings.HasSuffix(p, "_test.go"),
		Lines:  strings.Split(strings.TrimSuffix(string(src), "\n"), "\n"),
		Syntax: tree,
		fset:   fset,
	}, nil
}

// imports calls visit with the path and line of each import of the file.
func (f *File) imports(visit func(imported string, line int)) {
	for _, spec := range f.Syntax.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			visit(p, f.Line(spec.Pos()))
		}
	}
}

// importsPath reports whether the file imports exactly that path.
func (f *File) importsPath(want string) bool {
	found := false
	f.imports(func(p string, _ int) { found = found || p == want })
	return found
}

// uses calls visit for each use of pkg.Name in the file, where pkg is the
// import path of a package of the standard library used by its own name.
func (f *File) uses(pkg string, visit func(name string, line int)) {
	if !f.importsPath(pkg) {
		return
	}
	local := path.Base(pkg)
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
			visit(sel.Sel.Name, f.Line(sel.Pos()))
		}
		return true
	})
}

// packages groups the files by folder, and calls visit in order of the folders.
func packages(files []*File, visit func(dir string, files []*File)) {
	byDir := make(map[string][]*File)
	for _, f := range files {
		byDir[f.Dir()] = append(byDir[f.Dir()], f)
	}
	dirs := make([]string, 0, len(byDir))
	for d := range byDir {
		dirs = append(dirs, d)
	}
	sort.Strings(dirs)
	for _, d := range dirs {
		visit(d, byDir[d])
	}
}
