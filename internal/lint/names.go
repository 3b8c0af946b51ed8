package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// vague are names that say nothing of what is inside.
var vague = []string{
	"base", "common", "commons", "core", "helper", "helpers", "lib", "misc",
	"shared", "types", "util", "utils",
}

// telling checks the names of packages and files. A module's own folder may be
// called commons or core (its example test is of that name), a package inside
// it may not.
func telling(files []*File) []Finding {
	var found []Finding
	packages(files, func(dir string, in []*File) {
		name := strings.TrimSuffix(in[0].Syntax.Name.Name, "_test")
		if slices.Contains(vague, name) && strings.Contains(dir, "/") {
			found = append(found, Finding{dir, 0, fmt.Sprintf(
				"package %s: name it for what it holds", name)})
		}
		for _, f := range in {
			stem := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.Path), ".go"), "_test")
			if slices.Contains(vague, stem) {
				found = append(found, f.at(0, "name the file for its type or activity"))
			}
		}
	})
	return found
}
