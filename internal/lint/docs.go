package lint

import (
	"go/ast"
	"go/token"
	"strings"
)

// packageComment wants "Package x ..." in one file of each package, and a
// comment of any form above a main package.
func packageComment(files []*File) []Finding {
	var found []Finding
	packages(files, func(dir string, in []*File) {
		code := false
		for _, f := range in {
			name := f.Syntax.Name.Name
			code = code || !f.Test
			doc := f.Syntax.Doc.Text()
			if !f.Test && (strings.HasPrefix(doc, "Package "+name+" ") || name == "main" && doc != "") {
				return
			}
		}
		if code {
			found = append(found, Finding{dir, 0,
				"no package comment; write what it is, what it is not, and who owns its goroutines"})
		}
	})
	return found
}

func exportedDoc(f *File) []Finding {
	if f.Test || f.Syntax.Name.Name == "main" {
		return nil
	}
	var found []Finding
	missing := func(name *ast.Ident, doc string) {
		if name.IsExported() && !strings.HasPrefix(stripArticle(doc), name.Name) {
			found = append(found, f.at(f.Line(name.Pos()),
				"exported "+name.Name+" needs a sentence that begins with its name"))
		}
	}
	for _, d := range f.Syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if receiverExported(d) {
				missing(d.Name, d.Doc.Text())
			}
		case *ast.GenDecl:
			checkSpecs(d, missing)
		}
	}
	return found
}

// checkSpecs looks at types one by one; of a group of constants, variables or
// aliases one comment above the group is enough.
func checkSpecs(d *ast.GenDecl, missing func(*ast.Ident, string)) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if alias := s.Assign != token.NoPos; !alias || d.Doc == nil {
				missing(s.Name, firstOf(s.Doc, d.Doc))
			}
		case *ast.ValueSpec:
			grouped := d.Lparen != token.NoPos && d.Doc != nil
			if grouped || s.Doc != nil || s.Comment != nil {
				continue
			}
			missing(s.Names[0], d.Doc.Text())
		}
	}
}

func firstOf(groups ...*ast.CommentGroup) string {
	for _, g := range groups {
		if g != nil {
			return g.Text()
		}
	}
	return ""
}

func stripArticle(doc string) string {
	for _, article := range []string{"A ", "An ", "The "} {
		if rest, ok := strings.CutPrefix(doc, article); ok {
			return rest
		}
	}
	return doc
}

// receiverExported reports whether d is a function, or a method of an exported
// type. Methods of unexported types are seen through interfaces, which have
// the comment.
func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}
