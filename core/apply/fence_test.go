package apply // the bytes of a fence are read by nobody else

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/command"
)

func TestParseFence(t *testing.T) {
	f := command.Fence{Table: 7, Min: 2, Dropped: true, Partition: "p", TTL: 90 * time.Second}
	b := appendFence(nil, f)
	if got, err := parseFence(b); err != nil || got != f {
		t.Errorf("got %+v %v", got, err)
	}
	if _, err := parseFence(b[:17]); !fault.Is(err, fault.Corruption) {
		t.Errorf("a cut fence gives %v", err)
	}
	plain := []byte{1, 1} // format 1 has no TTL
	plain = binary.BigEndian.AppendUint32(plain, 7)
	plain = append(binary.BigEndian.AppendUint32(plain, 2), 'p')
	f.TTL = 0
	if got, err := parseFence(plain); err != nil || got != f {
		t.Errorf("the fence of format 1 is %+v %v", got, err)
	}
}
