// Command docgen writes the reference under docs/reference from the tables
// that the code itself runs by, so that the two can't drift apart. With -check
// it writes nothing and fails when a page is not as it should be.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

func main() {
	check := flag.Bool("check", false, "compare instead of writing")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	root, err := testkit.Root()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, "docs", "reference")
	if check {
		return compare(dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	all, err := pages()
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := os.WriteFile(filepath.Join(dir, p.file), p.text(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare fails on the first page that differs from what would be written.
func compare(dir string) error {
	all, err := pages()
	if err != nil {
		return err
	}
	for _, p := range all {
		path := filepath.Join(dir, p.file)
		got, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, p.text()) {
			return fmt.Errorf("docs/reference/%s is not what the code says; run make docs", p.file)
		}
	}
	return nil
}
