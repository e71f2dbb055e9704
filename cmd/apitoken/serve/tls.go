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
	"os"
	"time"

	"apitoken/cmd/apitoken/datadir"
)

const (
	certificateFile = "tls.crt"
	keyFile         = "tls.key"

	certificateLife  = 2 * 365 * 24 * time.Hour
	certificateRenew = 30 * 24 * time.Hour // this long before its end it is made anew
)

// givenCertificate is the certificate from files, nil if none was asked for. A
// key that others can read is refused like every other secret.
func givenCertificate(c Config) (*tls.Config, error) {
	switch {
	case c.TLSCert == "" && c.TLSKey == "":
		return nil, nil
	case c.TLSCert == "" || c.TLSKey == "":
		return nil, errors.New("--tls-cert and --tls-key belong together: give both")
	case c.TLSSelfSigned:
		return nil, errors.New("--tls-self-signed makes a certificate of its own: give it, or --tls-cert and --tls-key")
	}
	cert, err := loadPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, err
	}
	return config(cert), nil
}

// secured is how the listener is secured, nil if it is not.
func secured(c Config, given *tls.Config, f *datadir.Folder) (*tls.Config, error) {
	if !c.TLSSelfSigned {
		return given, nil
	}
	cert, err := selfSigned(f, hosts(c.Listen), time.Now())
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c.Out, "the certificate is %s, SHA-256 % X\n", f.Path(certificateFile), sha256.Sum256(cert.Certificate[0]))
	return config(cert), nil
}

func config(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}

func loadPair(certPath, keyPath string) (tls.Certificate, error) {
	certPEM, err := os.ReadFile(certPath)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate: %w", err)
	}
	keyPEM, err := datadir.ReadPrivate(keyPath)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate's key: %w", err)
	}
	cert, err := tls.X509KeyPair(certPEM, []byte(keyPEM))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading %s and %s: %w", certPath, keyPath, err)
	}
	return cert, nil
}

// hosts are the names that a certificate of our own is good for.
func hosts(listen string) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	host, _, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || host == "" || (ip != nil && ip.IsUnspecified()) {
		return names
	}
	return append(names, host)
}

// selfSigned is the folder's own certificate. One that still lasts and names
// the hosts is kept, so that clients who trust it need not be told again.
func selfSigned(f *datadir.Folder, names []string, now time.Time) (tls.Certificate, error) {
	cert, err := loadPair(f.Path(certificateFile), f.Path(keyFile))
	if err == nil && good(cert, names, now) {
		return cert, nil
	}
	if err := makePair(f, names, now); err != nil {
		return tls.Certificate{}, fmt.Errorf("making a certificate: %w", err)
	}
	return loadPair(f.Path(certificateFile), f.Path(keyFile))
}

func good(cert tls.Certificate, names []string, now time.Time) bool {
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
	form := form(names, now)
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding the key: %w", err)
	}
	if err := datadir.WritePrivate(f.Path(keyFile), text("PRIVATE KEY", pkcs8)); err != nil {
		return err
	}
	return datadir.WritePrivate(f.Path(certificateFile), text("CERTIFICATE", der))
}

// form is the certificate before it is signed. It begins an hour early for
// clients whose clocks are behind.
func form(names []string, now time.Time) *x509.Certificate {
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

func text(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
