package serve

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"apitoken/functions/httpapi/machine"
)

// forwardedFor is the header in which proxies list the addresses that a request
// came through. Each proxy appends the address of its peer. A client can send any
// text in it, so only the entries that trusted proxies appended are true.
const forwardedFor = "X-Forwarded-For"

// proxies are the proxies that may say where a request came from.
type proxies struct {
	ranges []netip.Prefix
	unix   bool // each peer on a Unix socket is one
}

// parseProxies reads addresses, CIDR ranges and the word unix:, which means the peers
// on a Unix socket. It returns an IPv4-mapped IPv6 range as the IPv4 range that it means.
func parseProxies(texts []string) (proxies, error) {
	var ps proxies
	for _, text := range texts {
		text = strings.TrimSpace(text)
		if text == unixPrefix {
			ps.unix = true
			continue
		}
		p, ok := parseProxy(text)
		if !ok {
			return proxies{}, fmt.Errorf("--trusted-proxies: %q is no address range; allowed: addresses and CIDR ranges, separated by commas, like 10.0.0.0/8,fd00::1, and unix: for the peers on a Unix socket", text)
		}
		ps.ranges = append(ps.ranges, p)
	}
	return ps, nil
}

// mappedBits is the number of bits before the IPv4 address in an IPv4-mapped one.
const mappedBits = 96

func parseProxy(text string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if p.Addr().Is4In6() {
		if p.Bits() < mappedBits {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p.Masked(), true
}

// source returns the address that a request came from, or the zero Addr if the
// address is unknown. It is the address of the peer, unless the peer is a trusted
// proxy. For these it is the last address of X-Forwarded-For that is not a trusted
// proxy. It is unknown if that entry or a later one is no address, or if no address is
// left. Other headers, such as X-Real-IP and Forwarded, are ignored.
func (ps proxies) source(r *http.Request) netip.Addr {
	peer, known := peerOf(r)
	if known && !ps.trusts(peer) || !known && !ps.unix {
		return peer
	}
	return ps.client(r.Header.Values(forwardedFor))
}

// warned returns source, and writes one warning in the life of the process: that of the
// first request which a proxy outside of the trusted ones seems to have passed on.
// Without the flag all users of a proxy have one address, and share what is counted for it.
func (ps proxies) warned(log *slog.Logger) func(*http.Request) netip.Addr {
	var once sync.Once
	return func(r *http.Request) netip.Addr {
		if peer, known := peerOf(r); known && !ps.trusts(peer) && len(r.Header[forwardedFor]) > 0 {
			once.Do(func() {
				log.WarnContext(r.Context(), "a peer outside of --trusted-proxies sent X-Forwarded-For; if it is a reverse proxy, all its users have its address until you name it there", "peer", peer)
			})
		}
		return ps.source(r)
	}
}

// peerOf is the address of the peer. A peer on a Unix socket has no address. Only
// --trusted-proxies says whether it is a proxy: every process that may use the socket
// can be the peer, and could name any address.
func peerOf(r *http.Request) (netip.Addr, bool) {
	at := machine.RemoteAddr(r)
	return at, at.IsValid()
}

// client returns the last address in the lines of the header that is not a trusted
// proxy. It reads the lines from their end and stops at this address, because a
// client could have written everything before it.
func (ps proxies) client(lines []string) netip.Addr {
	for _, line := range slices.Backward(lines) {
		for rest, more := line, true; more; {
			var entry string
			rest, entry, more = cutLast(rest)
			at, ok := parseEntry(entry)
			if !ok || !ps.trusts(at) {
				return at
			}
		}
	}
	return netip.Addr{}
}

// cutLast returns the text after the last comma, and the text before that comma.
func cutLast(text string) (before, last string, more bool) {
	i := strings.LastIndexByte(text, ',')
	if i < 0 {
		return "", text, false
	}
	return text[:i], text[i+1:], true
}

// parseEntry reads one entry: an IPv4 or IPv6 address, also with a port or in
// brackets, as some proxies write it. It refuses a zone, which has a meaning only
// on the machine that wrote it.
func parseEntry(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t")
	at, err := netip.ParseAddr(text)
	if err != nil {
		at, err = parseWithPort(text)
	}
	if err != nil || at.Zone() != "" {
		return netip.Addr{}, false
	}
	return at.Unmap(), true
}

func parseWithPort(text string) (netip.Addr, error) {
	if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
		at, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err == nil && !at.Is6() {
			err = fmt.Errorf("an IPv4 address is in brackets")
		}
		return at, err
	}
	at, err := netip.ParseAddrPort(text)
	return at.Addr(), err
}

// trusts reports whether an address is one of a trusted proxy.
func (ps proxies) trusts(at netip.Addr) bool {
	return slices.ContainsFunc(ps.ranges, func(p netip.Prefix) bool { return p.Contains(at) })
}
