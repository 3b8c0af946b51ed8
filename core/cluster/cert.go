package cluster

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// leafLife is how long a node's certificate is good: it is made anew at each start,
// and no server runs that long.
const leafLife = 10 * 365 * 24 * time.Hour

// backdate is how much earlier than now certificates begin, so that a clock that
// is behind does not keep a node out; the greeting judges clocks.
const backdate = 24 * time.Hour

// Credentials are a node's certificate and the authority that those of all nodes
// are checked against. They must not be changed.
type Credentials struct {
	node ident.NodeID
	ca   []byte // PEM
	cert []byte // PEM
	key  []byte // PEM

	pair  tls.Certificate
	roots *x509.CertPool
}

// FromSecret makes the credentials of a node from the cluster's secret. host is
// the name or address by which other nodes reach it.
func FromSecret(secret string, node ident.NodeID, host string, now time.Time) (
	*Credentials, error,
) {
	key, err := authorityKey(secret)
	if err != nil {
		return nil, err
	}
	ca := authority()
	raw, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "make the cluster's certificate authority")
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "make the key of the node")
	}
	leaf, err := x509.CreateCertificate(rand.Reader, leafOf(node, host, now), ca, public, key)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "make the certificate of the node")
	}
	secretKey, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "make the key of the node")
	}
	return newCredentials(node, encode("CERTIFICATE", raw), encode("CERTIFICATE", leaf),
		encode("PRIVATE KEY", secretKey))
}

// FromFiles reads credentials that the operator gives. The certificate must be for
// the node's name, see NodeName, and for the host at which others reach it.
func FromFiles(caFile, certFile, keyFile string, node ident.NodeID) (*Credentials, error) {
	var texts [3][]byte
	for i, name := range []string{caFile, certFile, keyFile} {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fault.Wrap(fault.InvalidParameter, err,
				"read the certificates of the cluster: %v", err)
		}
		texts[i] = text
	}
	c, err := newCredentials(node, texts[0], texts[1], texts[2])
	if err != nil {
		return nil, err
	}
	if err := c.pair.Leaf.VerifyHostname(NodeName(node)); err != nil {
		return nil, fault.New(fault.InvalidParameter,
			"%s is not the certificate of node %d: it needs the DNS name %s", certFile, node,
			NodeName(node))
	}
	return c, nil
}

func newCredentials(node ident.NodeID, ca, cert, key []byte) (*Credentials, error) {
	c := &Credentials{node: node, ca: ca, cert: cert, key: key, roots: x509.NewCertPool()}
	var err error
	if c.pair, err = tls.X509KeyPair(cert, key); err != nil {
		return nil, fault.New(fault.InvalidParameter,
			"the certificate of the node does not read: %v", err)
	}
	if !c.roots.AppendCertsFromPEM(ca) {
		return nil, fault.New(fault.InvalidParameter,
			"the cluster's certificate authority does not read; give a PEM file")
	}
	return c, nil
}

// authority is the certificate authority of a secret: the same on every node, so
// nothing in it depends on when and where it is made.
func authority() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "KalamDB cluster"},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:  time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA:      true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
}

func leafOf(node ident.NodeID, host string, now time.Time) *x509.Certificate {
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: NodeName(node)},
		NotBefore:    now.Add(-backdate), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{
			x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth,
		},
		DNSNames: []string{NodeName(node)},
	}
	if ip := net.ParseIP(host); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else if host != "" {
		leaf.DNSNames = append(leaf.DNSNames, host)
	}
	return leaf
}

func encode(kind string, raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw})
}

// Files are where credentials lie for those who read them from disk.
type Files struct{ CA, Cert, Key string }

// Write puts the credentials into a folder, which only its owner can read, in
// place of those of the former start.
func (c *Credentials) Write(dir string) (Files, error) {
	f := Files{
		CA:   filepath.Join(dir, "ca.pem"),
		Cert: filepath.Join(dir, "node.pem"),
		Key:  filepath.Join(dir, "node.key"),
	}
	err := os.MkdirAll(dir, 0o700)
	for _, file := range []struct {
		name string
		text []byte
	}{{f.CA, c.ca}, {f.Cert, c.cert}, {f.Key, c.key}} {
		if err == nil {
			err = replaceFile(file.name, file.text)
		}
	}
	if err != nil {
		return Files{}, fault.Wrap(fault.Internal, err, "write the certificate of the node")
	}
	return f, nil
}

// replaceFile writes a file that only its owner reads, whole or not at all.
func replaceFile(name string, text []byte) error {
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
