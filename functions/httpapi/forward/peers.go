package forward

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
)

const peerDetail = "This address may not ask for verdicts. Proxies on other machines must be named with the flag --forward-peers of apitoken serve."

// allowsPeer reports whether the peer of the connection may ask: it is on this
// machine, or one of Peers. A process of this machine may connect to one of its
// other addresses, and then it has the same address itself.
func (h *handler) allowsPeer(r *http.Request) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if _, ok := local.(*net.UnixAddr); ok {
		return true // the mode of the socket says which processes can be this peer
	}
	peer, ok := addressOf(r.RemoteAddr)
	if !ok {
		return false
	}
	if local != nil {
		if own, ok := addressOf(local.String()); ok && own == peer {
			return true
		}
	}
	return peer.IsLoopback() || slices.ContainsFunc(h.Peers, func(p netip.Prefix) bool { return p.Contains(peer) })
}

func addressOf(text string) (netip.Addr, bool) {
	at, err := netip.ParseAddrPort(text)
	return at.Addr().Unmap().WithZone(""), err == nil
}
