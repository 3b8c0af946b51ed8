package lint_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/lint"
)

const root = "../.."

func TestRepository_keepsTheHouseRules(t *testing.T) {
	files, err := lint.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range lint.Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			for _, f := range rule.Check(files) {
				t.Errorf("%s (%s)", f, rule.Why)
			}
		})
	}
}

// The modules stand in three places: as folders with a go.mod, in go.work and
// in the Makefile. They must be the same.
func TestWorkspace_namesEachModule(t *testing.T) {
	mods, err := filepath.Glob(filepath.Join(root, "*", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, m := range mods {
		folders = append(folders, filepath.Base(filepath.Dir(m)))
	}
	slices.Sort(folders)

	for file, found := range map[string][]string{
		"go.work":  workModules(read(t, "go.work")),
		"Makefile": makeModules(read(t, "Makefile")),
	} {
		slices.Sort(found)
		if !slices.Equal(found, folders) {
			t.Errorf("%s has modules %v, the folders with a go.mod are %v", file, found, folders)
		}
	}
}

// A decision is spoken of by its number, so each has one of its own.
func TestDecisions_haveTheirNumbers(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs/adr/*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	slices.Sort(pages)
	for i, page := range pages {
		number := fmt.Sprintf("%04d", i)
		if name := filepath.Base(page); !strings.HasPrefix(name, number+"-") {
			t.Errorf("%s is the decision after %04d; give it the next number", name, i-1)
		}
		if !strings.HasPrefix(read(t, "docs/adr/"+filepath.Base(page)), "# "+number+": ") {
			t.Errorf("%s does not begin with # %s: and its title", page, number)
		}
	}
}

// A go.work older than one of its modules is an error of the go command; this
// test says so before somebody meets it.
func TestWorkspace_isFresh(t *testing.T) {
	cmd := exec.Command("go", "list", "-m")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go.work is stale, run make fix-work: %s", out)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func workModules(text string) []string {
	var mods []string
	for line := range strings.Lines(text) {
		if m, ok := strings.CutPrefix(strings.TrimSpace(line), "./"); ok {
			mods = append(mods, m)
		}
	}
	return mods
}

func makeModules(text string) []string {
	_, after, _ := strings.Cut(text, "MODULES := ")
	line, _, _ := strings.Cut(after, "\n")
	return strings.Fields(line)
}
