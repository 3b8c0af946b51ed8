// Package e2e_test runs a real server process and talks to it over sockets, as
// a client would: the promises of the contract, from outside.
package e2e_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
