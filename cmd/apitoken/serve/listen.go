package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"syscall"
)

// listen opens the address. The error says why the address is not available,
// and what the user can do.
func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use by another process: stop that process, or choose another address with --listen", address)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("this user may not listen on %s: choose a port above 1023 with --listen", address)
	case malformed(err):
		return nil, fmt.Errorf("--listen is invalid: %w; allowed: HOST:PORT, like 127.0.0.1:8080", err)
	case err != nil:
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	return l, nil
}

// malformed reports whether an address is refused for its form, or for a port that
// does not exist.
func malformed(err error) bool {
	_, form := errors.AsType[*net.AddrError](err)
	dns, name := errors.AsType[*net.DNSError](err)
	return form || name && dns.Err == "unknown port"
}

// announce prints the address of the service. It logs a warning if others on
// the network can read the tokens.
func announce(c Config, l net.Listener, secure bool) {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	fmt.Fprintf(c.Out, "listening on %s://%s\n", scheme, l.Addr())
	if !secure && !loopback(l.Addr()) {
		c.Logger.Warn("tokens cross the network unencrypted", "listen", l.Addr().String(),
			"remedy", "use --tls-self-signed, or --tls-cert and --tls-key, or listen on 127.0.0.1")
	}
}

func loopback(a net.Addr) bool {
	at, err := netip.ParseAddrPort(a.String())
	return err == nil && at.Addr().Unmap().IsLoopback()
}
