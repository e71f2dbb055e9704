package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// unixPrefix begins an address that is the path of a Unix socket.
const unixPrefix = "unix:"

const listenFlag = "--listen"

// listeners are all addresses at which a server answers.
type listeners struct {
	api     net.Listener
	asked   *forwarding
	watched *watching
}

// openListeners opens all addresses, or none.
func openListeners(c Config) (*listeners, error) {
	l := &listeners{}
	var err error
	if l.api, err = listen(c); err != nil {
		return nil, err
	}
	if l.asked, err = listenForward(c); err == nil {
		l.watched, err = listenMetrics(c)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *listeners) close() {
	_ = l.api.Close() // the server has closed it before, or never used it
	l.asked.close()
	l.watched.close()
}

// listen opens the address. The error says why the address is not available,
// and what the user can do.
func listen(c Config) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(c.Listen, unixPrefix)
	switch {
	case !isUnix:
		return listenTCP(listenFlag, c.Listen)
	case c.TLSSelfSigned:
		return nil, noTLS("--tls-self-signed")
	case c.TLSCert != "":
		return nil, noTLS("--tls-cert and --tls-key")
	}
	return listenUnix(listenFlag, path)
}

func noTLS(flags string) error {
	return fmt.Errorf("--listen is a Unix socket, which needs no TLS, because the mode of the socket says who may use it: remove %s, or listen on HOST:PORT", flags)
}

func listenTCP(flag, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, inUse(flag, address)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("this user may not listen on %s: choose a port above 1023 with %s", address, flag)
	case malformed(err):
		return nil, fmt.Errorf("%s is invalid: %w; allowed: HOST:PORT, like 127.0.0.1:8080, or unix:PATH", flag, err)
	case err != nil:
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	return l, nil
}

func inUse(flag, address string) error {
	return fmt.Errorf("%s is in use by another process: stop that process, or choose another address with %s", address, flag)
}

// malformed reports whether an address is refused for its form, or for a port that
// does not exist.
func malformed(err error) bool {
	_, form := errors.AsType[*net.AddrError](err)
	dns, name := errors.AsType[*net.DNSError](err)
	return form || name && dns.Err == "unknown port"
}

// announce prints the address of the service, in the form that clients take. It logs a
// warning if others on the network can read the tokens.
func announce(c Config, l net.Listener, secure bool) {
	scheme := "http://"
	switch {
	case l.Addr().Network() == "unix":
		scheme = unixPrefix
	case secure:
		scheme = "https://"
	}
	fmt.Fprintf(c.Out, "listening on %s%s\n", scheme, l.Addr())
	if scheme == "http://" && !loopback(l.Addr()) {
		c.Logger.Warn("tokens cross the network unencrypted", "listen", l.Addr().String(),
			"remedy", "use --tls-self-signed, or --tls-cert and --tls-key, or listen on 127.0.0.1")
	}
}

func loopback(a net.Addr) bool {
	at, err := netip.ParseAddrPort(a.String())
	return err == nil && at.Addr().Unmap().IsLoopback()
}
