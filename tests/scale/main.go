// Command scale prints the tables of docs/scale.md: what 10 million users, 1 million
// subscribers and 100 nodes would take, by the costs in costs.go, and what two small
// simulations say. With -write it puts them into the page, with -check it fails when
// the page has others.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

func main() {
	check := flag.Bool("check", false, "compare the page with the tables")
	write := flag.Bool("write", false, "put the tables into the page")
	flag.Parse()
	if err := run(*check, *write); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(check, write bool) error {
	if !check && !write {
		for _, t := range tables() {
			fmt.Printf("%s\n\n%s\n", t.name, t.text)
		}
		return nil
	}
	root, err := testkit.Root()
	if err != nil {
		return err
	}
	file := filepath.Join(root, "docs", "scale.md")
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	want, err := fill(string(page), tables())
	switch {
	case err != nil:
		return err
	case write:
		return os.WriteFile(file, []byte(want), 0o644)
	case want != string(page):
		return fmt.Errorf("the tables of docs/scale.md are not what the program says; " +
			"run go run ./tests/scale -write")
	}
	return nil
}

type table struct{ name, text string }

// fill puts each table between its marks in the page.
func fill(page string, list []table) (string, error) {
	for _, t := range list {
		begin, end := "<!-- "+t.name+" -->\n", "<!-- end -->"
		before, rest, ok := strings.Cut(page, begin)
		if !ok {
			return "", fmt.Errorf("docs/scale.md has no mark %q", strings.TrimSpace(begin))
		}
		_, after, ok := strings.Cut(rest, end)
		if !ok {
			return "", fmt.Errorf("docs/scale.md has no %q behind %q", end, strings.TrimSpace(begin))
		}
		page = before + begin + t.text + end + after
	}
	return page, nil
}
