package live_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
