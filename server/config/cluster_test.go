package config_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// five is what a node of a cluster needs to be told.
const five = `[server]
port = 8081
[storage]
data_dir = "d1"
[cluster]
node = 1
nodes = ["1=localhost:7001", "2=localhost:7003", "3=localhost:7005"]
secret = "0123456789abcdef0123456789abcdef"
`

func TestLoad_ClusterOfFiveLines(t *testing.T) {
	l := mustLoad(t, five)
	if !l.Cluster.On() || l.Cluster.Replicas != 3 || len(l.Cluster.Nodes) != 3 {
		t.Errorf("cluster = %+v", l.Cluster)
	}
}

func TestLoad_RefusesAnImpossibleCluster(t *testing.T) {
	tests := []struct {
		name, from, to string // what is changed of the five lines
		line           string
		want           string
	}{
		{"no number", "node = 1\n", "", ":6", "give this server its number"},
		{"no nodes", `nodes = ["1=localhost:7001", "2=localhost:7003", "3=localhost:7005"]` + "\n", "",
			":6", "name all nodes"},
		{"no secret", `secret = "0123456789abcdef0123456789abcdef"` + "\n", "", ":6", "32 random bytes"},
		{"a short secret", "0123456789abcdef0123456789abcdef", "short", ":8", "16 bytes"},
		{"a node without a number", "1=localhost:7001", "localhost:7001", ":7", "has no number"},
		{"a node without a port", "1=localhost:7001", "1=localhost", ":7", "host and port"},
		{"a port that is taken by the one before", "2=localhost:7003", "2=localhost:7002", ":7",
			"share the address localhost:7002"},
		{"a number twice", "2=localhost", "3=localhost", ":7", "stands twice"},
		{"another's number", "node = 1", "node = 4", ":7", "is not among them"},
		{"an IPv6 address", "1=localhost", "1=[::1]", ":7", "IPv6"},
		{"one file of three", "node = 1", "node = 1\nca_file = 'ca.pem'", ":7", "set all three"},
		{"a store that keeps nothing", "[cluster]", "engine = 'memory'\n[cluster]", ":5", "memory"},
		{"durability that the log does not have", "[cluster]", "durability = 'interval'\n[cluster]", ":5",
			"always synced"},
		{"a bad address to listen on", "node = 1", "node = 1\nlisten = '7001'", ":7", "no host:port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(five, tt.from) {
				t.Fatalf("the test changes nothing")
			}
			_, err := load(t, strings.Replace(five, tt.from, tt.to, 1))
			if !fault.Is(err, fault.InvalidParameter) {
				t.Fatalf("err = %v, want INVALID_PARAMETER", err)
			}
			for _, want := range []string{tt.want, "kalamdb.toml" + tt.line} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("err = %v, want it to name %q", err, want)
				}
			}
		})
	}
}
