package serve

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"regexp"
	"slices"
	"time"

	"apitoken/cmd/apitoken/datadir"
)

// The certificate that clients trust is the root. It stays in the folder with its key,
// and signs the certificate that the listener shows. That one lives in memory: each
// start, and a running server before its end, makes a new one. So other names and other
// periods need no change at the clients.
//
// A new root has the key and the subject of the one before. So clients that trust the
// older one go on until its own end, and have rootRenew to get the new one.
const (
	rootLife  = 10 * 365 * 24 * time.Hour
	rootRenew = 365 * 24 * time.Hour // the time before its end when the root is replaced
	leafLife  = 90 * 24 * time.Hour
	leafRenew = 30 * 24 * time.Hour
)

// hosts are the names and addresses in the self-signed certificate: those of this
// machine's loopback, the one to listen on, and the given ones. If the server listens
// on all addresses, it also has the host name and the addresses of the machine.
func hosts(listen string, given []string) []string {
	names := append([]string{"localhost", "127.0.0.1", "::1"}, given...)
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	switch {
	case err != nil:
	case host == "" || ip != nil && ip.IsUnspecified():
		names = append(names, machineNames()...)
	default:
		names = append(names, host)
	}
	var once []string
	for _, name := range names {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return once
}

// machineNames are the host name and the addresses by which other machines may know
// this one.
func machineNames() (names []string) {
	if name, err := os.Hostname(); err == nil && hostName(name) {
		names = append(names, name)
	}
	all, _ := net.InterfaceAddrs() // without them, --tls-name can name them
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			names = append(names, n.IP.String())
		}
	}
	return names
}

// checkNames refuses what is neither a host name nor an address.
func checkNames(names []string) error {
	for _, name := range names {
		if net.ParseIP(name) == nil && !hostName(name) {
			return fmt.Errorf("--tls-name: %q is neither a host name nor an address; allowed: names and addresses without scheme and port, like tokens.example.com or 192.0.2.7", name)
		}
	}
	return nil
}

var hostForm = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?(\.[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?)*$`)

// allDigits matches what looks like an address and is none, such as 10.0.0.256.
var allDigits = regexp.MustCompile(`^[0-9.]+$`)

func hostName(text string) bool {
	return len(text) <= 253 && hostForm.MatchString(text) && !allDigits.MatchString(text)
}

// selfSigned is a certificate for the names, signed by the root of the folder. It is
// the one before while that fits. A folder of an earlier version has no root, but one
// certificate for everything: it is used while it fits, because clients trust it.
func selfSigned(f *datadir.Folder, names []string, now time.Time, before *tls.Certificate) (tls.Certificate, error) {
	root, err := rootOf(f, names, now)
	switch {
	case err != nil || !root.Leaf.IsCA:
		return root, err
	case before != nil && fits(before.Leaf, names, now) && bytes.Equal(before.Certificate[len(before.Certificate)-1], root.Certificate[0]):
		return *before, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leafTemplate(names, now), root.Leaf, key.Public(), root.PrivateKey)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("signing a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the signed certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der, root.Certificate[0]}, PrivateKey: key, Leaf: leaf}, nil
}

// fits reports whether a certificate has the names and does not end soon.
func fits(c *x509.Certificate, names []string, now time.Time) bool {
	for _, name := range names {
		if c.VerifyHostname(name) != nil {
			return false
		}
	}
	return now.Add(leafRenew).Before(c.NotAfter)
}

// rootOf is the root of the folder. It makes what is missing, but never replaces the
// key: a new key ends the trust of all clients. The key is written first, so a kill
// between both files leaves nothing that the next start cannot use.
func rootOf(f *datadir.Folder, names []string, now time.Time) (tls.Certificate, error) {
	certPath, keyPath := f.CertificatePath(), f.KeyPath()
	switch noCert, noKey := missing(certPath), missing(keyPath); {
	case noCert && noKey:
		if err := writeKey(keyPath); err != nil {
			return tls.Certificate{}, fmt.Errorf("making a key: %w", err)
		}
		return writeRoot(f, now)
	case noCert:
		return writeRoot(f, now)
	}
	root, err := loadPair(certPath, keyPath, datadir.Mounted{})
	switch {
	case err != nil:
		return root, fmt.Errorf("%w; restore both files, or remove both: then a new pair is made, and clients need the new %s", err, certPath)
	case root.Leaf.IsCA && now.Add(rootRenew).Before(root.Leaf.NotAfter), !root.Leaf.IsCA && fits(root.Leaf, names, now):
		return root, nil
	}
	return writeRoot(f, now)
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func writeKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding the key: %w", err)
	}
	return datadir.WritePrivate(path, pemText("PRIVATE KEY", der))
}

// writeRoot writes a root with the key of the folder and returns both.
func writeRoot(f *datadir.Folder, now time.Time) (tls.Certificate, error) {
	text, err := datadir.ReadPrivate(f.KeyPath())
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate's key: %w", err)
	}
	key, err := parseKey(text)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s has no private key (%w); remove the file: then a new key is made", f.KeyPath(), err)
	}
	template := rootTemplate(now)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("signing the certificate: %w", err)
	}
	if err := datadir.WritePublic(f.CertificatePath(), pemText("CERTIFICATE", der)); err != nil {
		return tls.Certificate{}, err
	}
	return loadPair(f.CertificatePath(), f.KeyPath(), datadir.Mounted{})
}

func parseKey(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	return signer, nil
}

// beginning is the beginning of a certificate's period, for clients with slow clocks.
func beginning(now time.Time) time.Time { return now.Add(-time.Hour) }

func rootTemplate(now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "apitoken"},
		NotBefore: beginning(now), NotAfter: now.Add(rootLife),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
}

func leafTemplate(names []string, now time.Time) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "apitoken server"},
		NotBefore: beginning(now), NotAfter: now.Add(leafLife),
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
