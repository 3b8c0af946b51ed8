package pebblekv_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/store/pebblekv"
	"github.com/kalamdb/kalamdb-go/store/storetest"
)

var open = pebblekv.Opener(pebblekv.Options{})

func TestEngine_Conformance(t *testing.T) { storetest.Run(t, open) }

func TestEngine_Durable(t *testing.T) { storetest.RunDurable(t, open) }

func TestEngine_Crash(t *testing.T) { storetest.Crash(t, open) }

func TestEngine_Damage(t *testing.T) {
	small := pebblekv.Opener(pebblekv.Options{MemTableBytes: 1 << 20})
	storetest.RunDamage(t, small, storetest.Files{Table: ".sst", Log: ".log"})
}

func TestDB_OverPebble(t *testing.T) {
	storetest.RunDB(t, pebblekv.Name, open)
	storetest.RunDurableDB(t, pebblekv.Name, open)
}

func BenchmarkPebble(b *testing.B) { storetest.Bench(b, pebblekv.Name, open) }
