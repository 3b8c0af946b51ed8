package lint

// Rule is one house rule.
type Rule struct {
	Name  string // a short name, as used in test output
	Why   string // one sentence for whoever breaks it
	Check func(files []*File) []Finding
}

// Rules returns all rules, in the order in which they are reported.
func Rules() []Rule {
	return []Rule{
		{"module-direction", "modules depend on each other one way only", perFile(moduleDirection)},
		{"one-importer", "a heavy library is met through one package of ours", perFile(oneImporter)},
		{"telling-names", "the name of a package says what is in it", telling},
		{"no-sleep-in-tests", "a test waits for a state, not for time", perFile(noSleep)},
		{"context-comes-in", "only main and tests make a root context", perFile(contextComesIn)},
		{"no-print", "libraries log or return, they do not print", perFile(noPrint)},
		{"no-loose-ends", "what is left to do stands in docs/roadmap.md", perFile(noLooseEnds)},
		{"package-comment", "each package says what it is", packageComment},
		{"exported-doc", "each exported name has a sentence", perFile(exportedDoc)},
		{"file-length", "a file holds one idea", perFile(fileLength)},
		{"line-length", "a line fits beside another on a screen", perFile(lineLength)},
		{"goroutine-wait", "who starts a goroutine waits for it", perFile(goroutineWait)},
		{"code-literals", "a fault code is written once", perFile(codeLiterals)},
		{"column-literals", "a system column's name is written once", perFile(columnLiterals)},
	}
}

// perFile makes a check of all files from a check of one.
func perFile(check func(*File) []Finding) func([]*File) []Finding {
	return func(files []*File) []Finding {
		var all []Finding
		for _, f := range files {
			all = append(all, check(f)...)
		}
		return all
	}
}

// at makes a finding in the file.
func (f *File) at(line int, text string) Finding {
	return Finding{Path: f.Path, Line: line, Text: text}
}
