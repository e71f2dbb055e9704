package forward

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"apitoken/events/guard"
	"apitoken/functions/httpapi/machine"
)

// Prefix is the beginning of all paths.
const Prefix = "/v1/auth/forward/"

// reader reads the question of one kind of proxy. The problem names the header that
// the proxy must send in another way.
type reader func(*handler, *http.Request) (guard.Question, *machine.Problem)

// readers are the kinds of proxies whose question is in headers.
var readers = map[string]reader{"nginx": readNginx, "traefik": readForwarded, "caddy": readForwarded}

// envoy is the word for Envoy, which appends the path of its client.
const envoy = "envoy"

// readerOf returns the word of a request target and its reader, or no reader.
func readerOf(target string) (word string, read reader) {
	rest, ok := strings.CutPrefix(withoutQuery(target), Prefix)
	if !ok {
		return "", nil
	}
	if strings.HasPrefix(rest, envoy+"/") {
		return envoy, readEnvoy
	}
	if read = readers[rest]; read == nil {
		return "", nil
	}
	return rest, read
}

// readNginx reads the headers that the snippet for nginx sets.
func readNginx(_ *handler, r *http.Request) (q guard.Question, p *machine.Problem) {
	if q.Method, p = only(r.Header, "X-Original-Method"); p != nil {
		return q, p
	}
	uri, p := only(r.Header, "X-Original-Uri")
	if p != nil {
		return q, p
	}
	q.Path = withoutQuery(uri)
	q.Source, p = address(r.Header, "X-Real-Ip")
	return q, p
}

// readForwarded reads the headers that Traefik and Caddy set.
func readForwarded(h *handler, r *http.Request) (q guard.Question, p *machine.Problem) {
	if q.Method, p = only(r.Header, "X-Forwarded-Method"); p != nil {
		return q, p
	}
	uri, p := only(r.Header, "X-Forwarded-Uri")
	if p != nil {
		return q, p
	}
	q.Path = withoutQuery(uri)
	if q.Host, p = only(r.Header, "X-Forwarded-Host"); p != nil {
		return q, p
	}
	lines := r.Header["X-Forwarded-For"]
	if strings.Join(lines, "") == "" {
		return q, missing("X-Forwarded-For")
	}
	q.Source = h.Client(lines)
	return q, nil
}

// readEnvoy reads a request that Envoy sent with the method and the host of its
// client. The path of the client follows the word.
func readEnvoy(_ *handler, r *http.Request) (q guard.Question, p *machine.Problem) {
	if q.Host = r.Host; q.Host == "" {
		return q, missing("Host")
	}
	q.Method, q.Path = r.Method, strings.TrimPrefix(withoutQuery(r.RequestURI), Prefix+envoy)
	q.Source, p = address(r.Header, "X-Envoy-External-Address")
	return q, p
}

// only returns the one value of a header. A second value is one that a client has
// sent: the proxy did not replace it.
func only(h http.Header, name string) (string, *machine.Problem) {
	switch values := h[name]; {
	case len(values) > 1:
		return "", misconfigured("The proxy sent the header %s %d times; it must replace the header of its client.", shown(name), len(values))
	case len(values) == 0, values[0] == "":
		return "", missing(name)
	default:
		return values[0], nil
	}
}

func missing(name string) *machine.Problem {
	return misconfigured("The proxy did not send the header %s.", shown(name))
}

func misconfigured(format string, a ...any) *machine.Problem {
	return machine.NewProblem("forward_misconfigured", fmt.Sprintf(format, a...)+" The command apitoken config prints a configuration that is right.")
}

// address returns the address that is the one value of a header.
func address(h http.Header, name string) (netip.Addr, *machine.Problem) {
	text, p := only(h, name)
	if p != nil {
		return netip.Addr{}, p
	}
	at, err := netip.ParseAddr(text)
	if err != nil || at.Zone() != "" {
		return netip.Addr{}, misconfigured("The header %s of the proxy has no IP address; allowed: the address of its client, without a port.", shown(name))
	}
	return at.Unmap(), nil
}

// lastAddress returns the last address in the lines of X-Forwarded-For.
func lastAddress(lines []string) netip.Addr {
	last := lines[len(lines)-1]
	at, err := netip.ParseAddr(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]))
	if err != nil || at.Zone() != "" {
		return netip.Addr{}
	}
	return at.Unmap()
}

// shown writes the canonical name of a header as people write it.
func shown(name string) string {
	return strings.NewReplacer("-Uri", "-URI", "-Ip", "-IP").Replace(name)
}

func withoutQuery(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	return path
}
