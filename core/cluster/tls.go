package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Ends of the names of nodes.
const (
	namePrefix = "node-"
	nameSuffix = ".kalamdb.internal"
)

// NodeName is the DNS name that stands in the certificate of a node.
func NodeName(node ident.NodeID) string {
	return namePrefix + strconv.Itoa(int(node)) + nameSuffix
}

// PeerNode returns whose certificate it is: the number in its one node name.
func PeerNode(cert *x509.Certificate) (ident.NodeID, bool) {
	var found ident.NodeID
	for _, name := range cert.DNSNames {
		digits, ok := strings.CutPrefix(name, namePrefix)
		if !ok {
			continue
		}
		if digits, ok = strings.CutSuffix(digits, nameSuffix); !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || n == 0 || ident.NodeID(n) > ident.MaxNode || found != 0 {
			return 0, false
		}
		found = ident.NodeID(n)
	}
	return found, found != 0
}

// Server returns what a listener for nodes needs: it lets in those alone whose
// certificate the cluster's authority signed for another node.
func (c *Credentials) Server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{c.pair},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: c.roots,
		VerifyConnection: func(s tls.ConnectionState) error {
			peer, ok := PeerNode(s.PeerCertificates[0])
			if !ok || peer == c.node {
				return fault.New(fault.PermissionDenied,
					"the certificate is not that of another node of the cluster")
			}
			return nil
		},
	}
}

// Client returns what a connection to a node needs: it goes to that node or
// nowhere.
func (c *Credentials) Client(node ident.NodeID) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{c.pair},
		RootCAs: c.roots, ServerName: NodeName(node),
	}
}
