package serve

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwardedFor is the header in which proxies list the addresses that a request
// came through. Each proxy appends the address of its peer. A client can send any
// text in it, so only the entries that trusted proxies appended are true.
const forwardedFor = "X-Forwarded-For"

// proxies are the address ranges of the proxies that may say where a request came
// from.
type proxies []netip.Prefix

// parseProxies reads addresses and CIDR ranges. It returns an IPv4-mapped IPv6
// range as the IPv4 range that it means.
func parseProxies(texts []string) (proxies, error) {
	var ps proxies
	for _, text := range texts {
		p, ok := parseProxy(strings.TrimSpace(text))
		if !ok {
			return nil, fmt.Errorf("--trusted-proxies: %q is no address range; allowed: addresses and CIDR ranges, separated by commas, like 10.0.0.0/8,fd00::1", text)
		}
		ps = append(ps, p)
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
// proxy or has no address. For these it is the last address of X-Forwarded-For that
// is not a trusted proxy. It is unknown if that entry or a later one is no address,
// or if no address is left. Other headers, such as X-Real-IP and Forwarded, are
// ignored.
func (ps proxies) source(r *http.Request) netip.Addr {
	peer, known := peerOf(r)
	if known && !ps.trusts(peer) {
		return peer
	}
	return ps.client(r.Header.Values(forwardedFor))
}

// peerOf is the address of the peer. A peer on a Unix socket has no address. It
// counts as trusted: the mode of the socket says which processes can be this peer.
func peerOf(r *http.Request) (netip.Addr, bool) {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	return at.Addr().Unmap(), true
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
	return slices.ContainsFunc(ps, func(p netip.Prefix) bool { return p.Contains(at) })
}
