package serve

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"apitoken/events/guard"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/forward"
	"apitoken/functions/httpapi/machine"
	"apitoken/infra/briefhttp"
)

const (
	forwardListenFlag = "--forward-listen"
	forwardPeersFlag  = "--forward-peers"

	nowhere = "none" // the value of --forward-listen and --metrics-listen that switches the listener off
)

// forwarding is the listener at which reverse proxies ask for verdicts. It is nil if
// it is switched off.
type forwarding struct {
	net.Listener
	peers []netip.Prefix
}

// listenForward opens the address for proxies, or returns nil.
func listenForward(c Config) (*forwarding, error) {
	peers, err := parsePeers(c.ForwardPeers)
	if err != nil {
		return nil, err
	}
	if c.ForwardListen == "" || c.ForwardListen == nowhere {
		if len(peers) > 0 {
			return nil, fmt.Errorf("%s has no effect without %s: remove the one, or give the other an address", forwardPeersFlag, forwardListenFlag)
		}
		return nil, nil
	}
	l, err := listenAt(forwardListenFlag, c.ForwardListen)
	if err != nil {
		return nil, fmt.Errorf("for reverse proxies: %w; %s none switches this listener off", err, forwardListenFlag)
	}
	return &forwarding{l, peers}, nil
}

// listenAt opens the address of a flag, without TLS.
func listenAt(flag, address string) (net.Listener, error) {
	if path, isUnix := strings.CutPrefix(address, unixPrefix); isUnix {
		return listenUnix(flag, path)
	}
	return listenTCP(flag, address)
}

// parsePeers reads addresses and CIDR ranges.
func parsePeers(texts []string) ([]netip.Prefix, error) {
	var peers []netip.Prefix
	for _, text := range texts {
		p, ok := parseProxy(strings.TrimSpace(text))
		if !ok {
			return nil, fmt.Errorf("%s: %q is no address range; allowed: addresses and CIDR ranges, separated by commas, like 10.0.0.0/8,fd00::1", forwardPeersFlag, text)
		}
		peers = append(peers, p)
	}
	return peers, nil
}

func (f *forwarding) close() {
	if f != nil {
		_ = f.Close() // the server has closed it before, or never used it
	}
}

// announce prints the address. It logs a warning if others on the network can read
// the tokens.
func (f *forwarding) announce(c Config) {
	switch {
	case f == nil:
		return
	case f.Addr().Network() == "unix":
		fmt.Fprintf(c.Out, "reverse proxies ask at %s%s\n", unixPrefix, f.Addr())
		return
	}
	fmt.Fprintf(c.Out, "reverse proxies ask at http://%s\n", f.Addr())
	if !loopback(f.Addr()) {
		c.Logger.Warn("tokens cross the network unencrypted between a reverse proxy and this service", "listen", f.Addr().String(),
			"remedy", "run the proxy on this machine, or use a network that no one else can read")
	}
}

// servers returns the server for proxies, if there is one. It takes headers as long
// as net/http allows by default: the proxy in front has its own limit, and an answer
// about a long header would look like a fault.
func (f *forwarding) servers(c Config, g *guard.Guard, trusted proxies) []server {
	if f == nil {
		return nil
	}
	return []server{{&briefhttp.Server{
		Handler: forward.New(forward.Config{Guard: g, Logger: c.Logger, Peers: f.peers, Client: trusted.client, Observe: c.metrics.Request}),
		Refuse:  machine.Refuser(c.Logger, httpapi.Face(), "1 MB"), MaxHeaderBytes: http.DefaultMaxHeaderBytes, Logger: c.Logger,
		Known: func(peer net.Conn) bool { return forward.Known(f.peers, peer.LocalAddr(), peer.RemoteAddr().String()) },
	}, f.Listener}}
}
