package badgerkv_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/store/badgerkv"
	"github.com/kalamdb/kalamdb-go/store/storetest"
)

var open = badgerkv.Opener(badgerkv.Options{})

func TestEngine_Conformance(t *testing.T) { storetest.Run(t, open) }

func TestEngine_Durable(t *testing.T) { storetest.RunDurable(t, open) }

func TestEngine_Crash(t *testing.T) { storetest.Crash(t, open) }

func TestEngine_Damage(t *testing.T) {
	small := badgerkv.Opener(badgerkv.Options{MemTableBytes: 1 << 20})
	storetest.RunDamage(t, small, storetest.Files{Table: ".sst", Log: ".mem"})
}

func TestDB_OverBadger(t *testing.T) {
	storetest.RunDB(t, badgerkv.Name, open)
	storetest.RunDurableDB(t, badgerkv.Name, open)
}

func BenchmarkBadger(b *testing.B) { storetest.Bench(b, badgerkv.Name, open) }
