package serve

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pair is a certificate with its key in files.
type pair struct{ cert, key string }

// write gives the files a new certificate for the name, valid until the end.
func (p pair) write(t *testing.T, name string, end time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := leafTemplate([]string{name}, end.Add(-leafLife))
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p.writeText(t, pemText("CERTIFICATE", der), pemText("PRIVATE KEY", pkcs8))
}

func (p pair) writeText(t *testing.T, cert, key string) {
	t.Helper()
	for path, text := range map[string]string{p.cert: cert, p.key: key} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func newPair(t *testing.T) pair {
	dir := t.TempDir()
	return pair{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
}

// certificateIn is the certificate of the pair's files as Run uses it, with its log.
func certificateIn(t *testing.T, p pair) (*certificate, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	c, err := certificateOfFiles(Config{TLSCert: p.cert, TLSKey: p.key, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return c, &log
}

// shown is the name in the certificate that a new connection gets.
func shown(t *testing.T, c *certificate) string {
	t.Helper()
	got, err := c.config().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return got.Leaf.DNSNames[0]
}

// TestABrokenPairKeepsTheOneBefore: after each broken pair the first certificate is
// shown and the log says what is wrong, without any part of a key.
func TestABrokenPairKeepsTheOneBefore(t *testing.T) {
	later := time.Now().Add(24 * time.Hour)
	other := newPair(t)
	other.write(t, "other.example.org", later)
	for name, row := range map[string]struct {
		damage func(p pair)
		want   string
	}{
		"the certificate is missing":  {func(p pair) { os.Remove(p.cert) }, "reading the certificate: open"},
		"the key is missing":          {func(p pair) { os.Remove(p.key) }, "reading the certificate's key: opening a file with a secret: open"},
		"the key is open to all":      {func(p pair) { os.Chmod(p.key, 0o644) }, "is open to other users (mode 644)"},
		"the key is of another pair":  {func(p pair) { p.writeText(t, text(t, p.cert), text(t, other.key)) }, "private key does not match public key"},
		"only the certificate is new": {func(p pair) { p.writeText(t, text(t, other.cert), text(t, p.key)) }, "private key does not match public key"},
		"both are exchanged":          {func(p pair) { p.writeText(t, text(t, p.key), text(t, p.cert)) }, "tls: "},
		"the key is cut in half":      {func(p pair) { k := text(t, p.key); p.writeText(t, text(t, p.cert), k[:len(k)/2]) }, "failed to find any PEM data in key input"},
		"the key is empty":            {func(p pair) { p.writeText(t, text(t, p.cert), "") }, "failed to find any PEM data in key input"},
		"the certificate is expired":  {func(p pair) { p.write(t, "late.example.org", time.Now().Add(-time.Hour)) }, "the new certificate expired at "},
		"a folder is in its place":    {func(p pair) { os.Remove(p.cert); os.Mkdir(p.cert, 0o700) }, "is a folder, not a regular file"},
	} {
		p := newPair(t)
		p.write(t, "first.example.org", later)
		c, log := certificateIn(t, p)
		keys := text(t, p.key) + text(t, other.key)
		row.damage(p)
		c.Reload(t.Context(), true)
		if got := shown(t, c); got != "first.example.org" {
			t.Errorf("%s: the certificate of %s is shown", name, got)
		}
		line := log.String()
		if !strings.Contains(line, `"level":"ERROR"`) || !strings.Contains(line, row.want) || !strings.Contains(line, `"names":["first.example.org"]`) {
			t.Errorf("%s: got the log %s, want %q", name, line, row.want)
		}
		for part := range strings.Lines(keys) {
			if part = strings.TrimSpace(part); len(part) > 20 && !strings.HasPrefix(part, "-----") && strings.Contains(line, part[:20]) {
				t.Errorf("%s: the log shows a part of a key: %s", name, line)
			}
		}
		os.RemoveAll(p.cert)
		os.RemoveAll(p.key)
		p.write(t, "second.example.org", later)
		c.Reload(t.Context(), true)
		if got := shown(t, c); got != "second.example.org" {
			t.Errorf("%s: after a good pair, the certificate of %s is shown", name, got)
		}
	}
}

// TestANewPairIsFoundWithoutASignal: the program that replaces a mounted file sends none. A
// problem that stays is one line in the log.
func TestANewPairIsFoundWithoutASignal(t *testing.T) {
	p := newPair(t)
	p.write(t, "first.example.org", time.Now().Add(50*365*24*time.Hour))
	var log lockedLog
	synctest.Test(t, func(t *testing.T) {
		c, err := certificateOfFiles(Config{TLSCert: p.cert, TLSKey: p.key, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		stop := watch(t.Context(), Config{Logger: c.logger}, []rereader{c})
		defer stop()
		minutes := func(n int) {
			time.Sleep(time.Duration(n)*rereadEvery + time.Second)
			synctest.Wait()
		}
		minutes(3)
		if log.String() != "" {
			t.Errorf("a look without a change wrote %s", log.String())
		}
		os.Remove(p.key)
		minutes(3)
		if n := strings.Count(log.String(), "the new certificate cannot be used"); n != 1 || shown(t, c) != "first.example.org" {
			t.Errorf("got %d lines about the problem, and the certificate of %s", n, shown(t, c))
		}
		p.write(t, "second.example.org", time.Now().Add(50*365*24*time.Hour))
		minutes(1)
		if shown(t, c) != "second.example.org" || !strings.Contains(log.String(), `"msg":"new connections get the new certificate","names":["second.example.org"]`) {
			t.Errorf("got the certificate of %s and the log %s", shown(t, c), log.String())
		}
	})
}

// TestARunningServerRenewsItsOwnCertificate waits for a year.
func TestARunningServerRenewsItsOwnCertificate(t *testing.T) {
	f := openFolder(t)
	synctest.Test(t, func(t *testing.T) {
		c, err := newCertificate(slog.New(slog.DiscardHandler), func(now time.Time, before *tls.Certificate) (tls.Certificate, error) {
			return selfSigned(f, []string{"localhost"}, now, before)
		})
		if err != nil {
			t.Fatal(err)
		}
		serials := map[string]bool{}
		for range 365 {
			time.Sleep(24 * time.Hour)
			c.Reload(t.Context(), false)
			leaf := c.current.Load().Leaf
			if left := time.Until(leaf.NotAfter); left < leafRenew-24*time.Hour {
				t.Fatalf("the certificate ends in %s", left)
			}
			serials[leaf.SerialNumber.String()] = true
		}
		if n := len(serials); n < 5 || n > 10 {
			t.Errorf("got %d certificates in a year", n)
		}
	})
}

func TestACertificateThatIsExpiredAtTheStartIsLogged(t *testing.T) {
	p := newPair(t)
	p.write(t, "late.example.org", time.Now().Add(-time.Hour))
	c, log := certificateIn(t, p)
	if shown(t, c) != "late.example.org" || !strings.Contains(log.String(), `"level":"WARN","msg":"the certificate is expired; clients refuse it"`) {
		t.Errorf("got %s", log)
	}
	if block, _ := pem.Decode([]byte(text(t, p.cert))); block == nil {
		t.Error("the test wrote no certificate")
	}
}
