package memkv_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/storetest"
)

func TestEngine_Conformance(t *testing.T) { storetest.Run(t, memkv.Open) }

func TestDB_OverMemory(t *testing.T) { storetest.RunDB(t, memkv.Name, memkv.Open) }
