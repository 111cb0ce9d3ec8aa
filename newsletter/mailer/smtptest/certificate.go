package smtptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"
)

// certificate is a server's identity and the CA made for it.
type certificate struct {
	config *tls.Config
	roots  *x509.CertPool
}

// newCertificate makes a CA and with it a certificate for a host name or IP address.
func newCertificate(name string, expires time.Time) (certificate, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate{}, fmt.Errorf("CA key: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate{}, fmt.Errorf("key: %w", err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "smtptest CA"},
		NotBefore: expires.Add(-365 * 24 * time.Hour), NotAfter: expires.Add(365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: ca.NotBefore, NotAfter: expires,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else {
		leaf.DNSNames = []string{name}
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return certificate{}, fmt.Errorf("CA: %w", err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return certificate{}, fmt.Errorf("leaf: %w", err)
	}
	root, err := x509.ParseCertificate(caDER)
	if err != nil {
		return certificate{}, fmt.Errorf("CA: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	pair := tls.Certificate{Certificate: [][]byte{leafDER, caDER}, PrivateKey: key}
	return certificate{config: &tls.Config{Certificates: []tls.Certificate{pair}}, roots: roots}, nil
}

// Certificate is one for a host name or IP address, good for an hour, and the roots by which it is believed.
func Certificate(t testing.TB, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	made, err := newCertificate(name, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return made.config.Certificates[0], made.roots
}
