package events

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// The problems of a public URL. None repeats the text: it may have a password.
var (
	errNotHTTPS   = errors.New("the URL must begin with https://, like https://tokens.example.com: tokens must not travel without TLS")
	errURLPath    = errors.New("the URL must end after the host and the port, like https://tokens.example.com: the metadata of RFC 9728 are at the root of the host")
	errURLHost    = errors.New("the URL has no valid host; allowed: a DNS name in ASCII, or an IP address, IPv6 in brackets, like https://tokens.example.com")
	errURLPort    = errors.New("the URL has no valid port; allowed: a number from 1 to 65535, or none")
	errURLAccount = errors.New("the URL has a user name or a password; give only the host and the port, like https://tokens.example.com")
)

// PublicURL reads the address of the service for its clients: https, a host, and
// maybe a port. It returns the address in small letters, without a slash at its end
// and without the port 443. The result needs no escape in a header or in JSON.
func PublicURL(text string) (string, error) {
	scheme, authority, found := strings.Cut(text, "://")
	if !found || !strings.EqualFold(scheme, "https") {
		return "", errNotHTTPS
	}
	authority = strings.ToLower(strings.TrimSuffix(authority, "/"))
	switch {
	case strings.Contains(authority, "@"):
		return "", errURLAccount
	case strings.ContainsAny(authority, "/?#\\"):
		return "", errURLPath
	}
	host, port := authority, ""
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port = authority[:colon], authority[colon+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
			return "", errURLPort
		}
	}
	if !isHost(host) {
		return "", errURLHost
	}
	if port == "" || port == "443" {
		return "https://" + host, nil
	}
	return "https://" + host + ":" + port, nil
}

// maxHost is the limit of a DNS name in bytes (RFC 1035 section 2.3.4).
const maxHost = 253

// isHost reports whether the text is a DNS name, an IPv4 address, or an IPv6 address
// in brackets.
func isHost(text string) bool {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return closed && err == nil && a.Is6() && a.Zone() == ""
	}
	if text == "" || len(text) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}
