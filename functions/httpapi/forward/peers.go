package forward

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
)

const peerDetail = "This address may not ask for verdicts. Proxies on other machines must be named with the flag --forward-peers of apitoken serve."

// Known reports whether the peer of a connection may ask: it is on this machine, or one
// of peers. A process of this machine may connect to one of its other addresses, and then
// it has the same address itself.
func Known(peers []netip.Prefix, local net.Addr, remote string) bool {
	if _, ok := local.(*net.UnixAddr); ok {
		return true // the mode of the socket says which processes can be this peer
	}
	peer, ok := addressOf(remote)
	if !ok {
		return false
	}
	if local != nil {
		if own, ok := addressOf(local.String()); ok && own == peer {
			return true
		}
	}
	return peer.IsLoopback() || slices.ContainsFunc(peers, func(p netip.Prefix) bool { return p.Contains(peer) })
}

func (h *handler) knows(r *http.Request) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return Known(h.Peers, local, r.RemoteAddr)
}

func addressOf(text string) (netip.Addr, bool) {
	at, err := netip.ParseAddrPort(text)
	return at.Addr().Unmap().WithZone(""), err == nil
}
