package serve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"

	"apitoken/cmd/apitoken/datadir"
)

const (
	certificateLife  = 2 * 365 * 24 * time.Hour
	certificateRenew = 30 * 24 * time.Hour // the time before its end when it is replaced
)

// certificateOfFiles is the certificate of --tls-cert and --tls-key, nil without
// these flags. It refuses a key that others can read, like every other secret.
func certificateOfFiles(c Config) (*tls.Config, error) {
	switch {
	case c.TLSCert == "" && c.TLSKey == "":
		return nil, nil
	case c.TLSCert == "" || c.TLSKey == "":
		return nil, errors.New("--tls-cert and --tls-key need each other: give both flags")
	case c.TLSSelfSigned:
		return nil, errors.New("--tls-self-signed makes its own certificate: remove this flag, or remove --tls-cert and --tls-key")
	}
	cert, err := loadPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, err
	}
	return newTLSConfig(cert), nil
}

// tlsConfig is the TLS of the listener, nil for plain http.
func tlsConfig(c Config, given *tls.Config, f *datadir.Folder) (*tls.Config, error) {
	if !c.TLSSelfSigned {
		return given, nil
	}
	cert, err := selfSigned(f, hosts(c.Listen), time.Now())
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c.Out, "the certificate is %s, SHA-256 % X\n", f.CertificatePath(), sha256.Sum256(cert.Certificate[0]))
	return newTLSConfig(cert), nil
}

func newTLSConfig(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}

func loadPair(certPath, keyPath string) (tls.Certificate, error) {
	certPEM, err := datadir.ReadPublic(certPath)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate: %w", err)
	}
	keyPEM, err := datadir.ReadPrivate(keyPath)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate's key: %w", err)
	}
	cert, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading %s and %s: %w", certPath, keyPath, err)
	}
	return cert, nil
}

// hosts are the names and addresses in the self-signed certificate.
func hosts(listen string) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	host, _, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || host == "" || (ip != nil && ip.IsUnspecified()) {
		return names
	}
	return append(names, host)
}

// selfSigned is the self-signed certificate of the folder. It keeps a certificate
// that names the hosts until certificateRenew before its end, because clients
// that trust it must be configured again for a new one.
func selfSigned(f *datadir.Folder, names []string, now time.Time) (tls.Certificate, error) {
	cert, err := loadPair(f.CertificatePath(), f.KeyPath())
	if err == nil && usable(cert, names, now) {
		return cert, nil
	}
	if err := makePair(f, names, now); err != nil {
		return tls.Certificate{}, fmt.Errorf("making a certificate: %w", err)
	}
	return loadPair(f.CertificatePath(), f.KeyPath())
}

func usable(cert tls.Certificate, names []string, now time.Time) bool {
	for _, name := range names {
		if cert.Leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	return now.Add(certificateRenew).Before(cert.Leaf.NotAfter)
}

func makePair(f *datadir.Folder, names []string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	template := certificateTemplate(names, now)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding the key: %w", err)
	}
	if err := datadir.WritePrivate(f.KeyPath(), pemText("PRIVATE KEY", pkcs8)); err != nil {
		return err
	}
	return datadir.WritePrivate(f.CertificatePath(), pemText("CERTIFICATE", der))
}

// certificateTemplate is the certificate without its signature. It is valid from
// an hour before now, for clients with slow clocks.
func certificateTemplate(names []string, now time.Time) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "apitoken"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, name)
		}
	}
	return c
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
