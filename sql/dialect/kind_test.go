package dialect_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

func TestKinds_AreComplete(t *testing.T) {
	kinds := dialect.Kinds()
	if len(kinds) != int(dialect.SetStaleness) {
		t.Fatalf("the table has %d rows", len(kinds))
	}
	texts := make(map[string]bool)
	for i, k := range kinds {
		if k.Kind != dialect.Kind(i+1) || k != k.Kind.Info() || k.Text != k.Kind.String() {
			t.Errorf("row %d says it is kind %d, %s", i, k.Kind, k.Text)
		}
		if k.Text == "" || k.Area == "" || k.Form == "" || k.Who == "" || k.Class == 0 {
			t.Errorf("row of %s is not complete: %+v", k.Text, k)
		}
		if texts[k.Text] {
			t.Errorf("%s has two rows", k.Text)
		}
		texts[k.Text] = true
		first := strings.Fields(k.Text)[0]
		if !strings.Contains(k.Form, first) || !strings.HasPrefix(k.Example, first) {
			t.Errorf("form and example of %s are of another statement", k.Text)
		}
		if st := mustParse(t, k.Example); st.Kind != k.Kind {
			t.Errorf("the example of %s is of kind %v", k.Text, st.Kind)
		}
	}
}

func TestKind_StringOfUnknown(t *testing.T) {
	for _, k := range []dialect.Kind{0, dialect.SetStaleness + 1, 255} {
		if k.String() != "UNKNOWN" || k.Info().Kind != k || k.Info().Class != 0 {
			t.Errorf("kind %d is %+v", k, k.Info())
		}
	}
}
