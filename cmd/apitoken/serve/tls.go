package serve

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"apitoken/cmd/apitoken/datadir"
)

// certificateOfFiles is the certificate of --tls-cert and --tls-key, nil without
// these flags.
func certificateOfFiles(c Config) (*certificate, error) {
	switch {
	case len(c.TLSNames) > 0 && !c.TLSSelfSigned:
		return nil, errors.New("--tls-name is for the certificate of --tls-self-signed: add that flag, or remove --tls-name")
	case c.TLSCert == "" && c.TLSKey == "":
		return nil, nil
	case c.TLSCert == "" || c.TLSKey == "":
		return nil, errors.New("--tls-cert and --tls-key need each other: give both flags")
	case c.TLSSelfSigned:
		return nil, errors.New("--tls-self-signed makes its own certificate: remove this flag, or remove --tls-cert and --tls-key")
	}
	return newCertificate(c.Logger, func(time.Time, *tls.Certificate) (tls.Certificate, error) {
		return loadPair(c.TLSCert, c.TLSKey, datadir.Mounted{Credentials: c.Credentials})
	})
}

// certificateOf is the certificate of the listener, nil for plain http.
func certificateOf(c Config, given *certificate, f *datadir.Folder) (*certificate, error) {
	if !c.TLSSelfSigned {
		return given, nil
	}
	made, err := newCertificate(c.Logger, func(now time.Time, before *tls.Certificate) (tls.Certificate, error) {
		return selfSigned(f, hosts(c.Listen, c.TLSNames), now, before)
	})
	if err != nil {
		return nil, err
	}
	chain := made.current.Load().Certificate
	fmt.Fprintf(c.Out, "the certificate is %s, SHA-256 % X\n", f.CertificatePath(), sha256.Sum256(chain[len(chain)-1]))
	return made, nil
}

// loadPair reads a certificate and its key. The key must be closed to other users,
// like every other secret. No error has a part of the key.
func loadPair(certPath, keyPath string, m datadir.Mounted) (tls.Certificate, error) {
	certPEM, err := datadir.ReadPublic(certPath)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate: %w", err)
	}
	keyPEM, err := datadir.ReadMounted(keyPath, m)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate's key: %w", err)
	}
	cert, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading %s and %s: %w", certPath, keyPath, err)
	}
	return cert, nil
}

// certificate is the certificate of the listener. New connections get the newest one
// that was loaded without an error; connections that are open stay open.
type certificate struct {
	load    func(now time.Time, before *tls.Certificate) (tls.Certificate, error) // before is the one in use, or nil
	logger  *slog.Logger
	current atomic.Pointer[tls.Certificate]

	problem string // of the last look; a problem that stays is logged once
}

// newCertificate loads the certificate for the first time.
func newCertificate(logger *slog.Logger, load func(time.Time, *tls.Certificate) (tls.Certificate, error)) (*certificate, error) {
	c := &certificate{load: load, logger: logger}
	now := time.Now()
	first, err := load(now, nil)
	if err != nil {
		return nil, err
	}
	if expired(first, now) {
		logger.Warn("the certificate is expired; clients refuse it", described(first)...)
	}
	c.current.Store(&first)
	return c, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
		MinVersion:     tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}
}

// Reload loads the certificate again. After an error the one before stays in use. If
// somebody asked for it, each outcome is logged. Only one call at a time is allowed.
func (c *certificate) Reload(ctx context.Context, asked bool) {
	now, before := time.Now(), c.current.Load()
	next, err := c.load(now, before)
	if err == nil && expired(next, now) && !expired(*before, now) {
		err = fmt.Errorf("the new certificate expired at %s", next.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if err != nil {
		if asked || err.Error() != c.problem {
			c.logger.ErrorContext(ctx, "the new certificate cannot be used; the one before stays in use", append(described(*before), "error", err)...)
		}
		c.problem = err.Error()
		return
	}
	c.problem = ""
	changed := !next.Leaf.Equal(before.Leaf)
	c.current.Store(&next)
	switch {
	case changed:
		c.logger.InfoContext(ctx, "new connections get the new certificate", described(next)...)
	case asked:
		c.logger.InfoContext(ctx, "the certificate was read again and is the same", described(next)...)
	}
}

func expired(c tls.Certificate, now time.Time) bool { return now.After(c.Leaf.NotAfter) }

// described are attributes for the log.
func described(c tls.Certificate) []any {
	return []any{"names", append(addresses(c.Leaf), c.Leaf.DNSNames...), "not_after", c.Leaf.NotAfter.UTC().Format(time.RFC3339)}
}

func addresses(c *x509.Certificate) (texts []string) {
	for _, ip := range c.IPAddresses {
		texts = append(texts, ip.String())
	}
	return texts
}
