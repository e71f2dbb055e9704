// Package proxyconfig has a complete configuration for each reverse proxy that can
// ask for verdicts. Each file is valid as it is: with the default addresses. Config
// replaces these addresses and nothing else, so the tests of the files hold for what
// people get.
package proxyconfig

import (
	"embed"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

//go:embed nginx.conf standalone.conf traefik.yaml Caddyfile envoy.yaml
var files embed.FS

// Addresses are the three addresses in a configuration, each as HOST:PORT. Forward may
// be unix:PATH for a proxy that can ask at a Unix socket.
type Addresses struct {
	Listen  string // of the proxy
	Forward string // where apitoken serve answers proxies
	Backend string // of the service behind the proxy
}

// Default are the addresses in the files.
var Default = Addresses{Listen: "127.0.0.1:8000", Forward: "127.0.0.1:8081", Backend: "127.0.0.1:9000"}

// proxy is one of the proxies. write writes an address of the file with another value.
type proxy struct {
	name, file string
	listen     func(address string) string // how the file has the address of the proxy
	other      func(address string) string // how the file has the other two
	socket     func(path string) string    // how the file has a Unix socket; nil: the proxy cannot use one
}

var proxies = []proxy{
	{"nginx", "nginx.conf", func(a string) string { return "listen " + a + ";" }, func(a string) string { return "server " + a + ";" },
		func(path string) string { return "server unix:" + path + ";" }},
	{"traefik", "traefik.yaml", func(a string) string { return "web.address=" + a }, func(a string) string { return "http://" + a }, nil},
	{"caddy", "Caddyfile", caddySite, func(a string) string { return " " + a }, func(path string) string { return " unix/" + path }},
	{"envoy", "envoy.yaml", envoyAddress, envoyAddress, func(path string) string { return fmt.Sprintf("pipe: {path: %q}", path) }},
}

func caddySite(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return ":" + port + " {\n\tbind " + host + "\n"
}

func envoyAddress(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return fmt.Sprintf("socket_address: {address: %s, port_value: %s}", yamlHost(host), port)
}

// yamlHost quotes an IPv6 address, because of its colons.
func yamlHost(host string) string {
	if strings.Contains(host, ":") {
		return fmt.Sprintf("%q", host)
	}
	return host
}

// Standalone returns a whole configuration of nginx around its file.
func Standalone(config string) (string, error) {
	b, err := files.ReadFile("standalone.conf")
	if err != nil {
		return "", fmt.Errorf("reading the embedded file standalone.conf: %w", err)
	}
	return string(b) + config + "}\n", nil
}

// Names returns the names of the proxies.
func Names() (names []string) {
	for _, p := range proxies {
		names = append(names, p.name)
	}
	return names
}

// Config returns the configuration for a proxy with these addresses. The error is a
// sentence about an address.
func Config(name string, a Addresses) (string, error) {
	i := slices.IndexFunc(proxies, func(p proxy) bool { return p.name == name })
	if i < 0 {
		return "", fmt.Errorf("the proxy %s is unknown; allowed: %s", name, strings.Join(Names(), ", "))
	}
	p := proxies[i]
	ask, err := p.asks(a.Forward)
	if err != nil {
		return "", err
	}
	if err := check("--listen", a.Listen); err != nil {
		return "", err
	}
	if err := check("--backend", a.Backend); err != nil {
		return "", err
	}
	b, err := files.ReadFile(p.file)
	if err != nil {
		return "", fmt.Errorf("reading the embedded file %s: %w", p.file, err)
	}
	return strings.NewReplacer(
		p.listen(Default.Listen), p.listen(a.Listen), p.other(Default.Forward), ask, p.other(Default.Backend), p.other(a.Backend),
	).Replace(string(b)), nil
}

// asks is how the file has the address at which the proxy asks.
func (p proxy) asks(forward string) (string, error) {
	path, isUnix := strings.CutPrefix(forward, "unix:")
	switch {
	case !isUnix:
		return p.other(forward), check("--forward", forward)
	case p.socket == nil:
		return "", fmt.Errorf("--forward: %s cannot ask at a Unix socket; allowed: HOST:PORT", p.name)
	case !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \t\r\n;{}\"'\\$#"):
		return "", errors.New("--forward: unix: needs an absolute path without spaces and special characters, like unix:/run/apitoken/forward.sock")
	}
	return p.socket(path), nil
}

// check refuses an address that would change the rest of the file.
func check(flag, address string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:"
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || strings.Trim(host, allowed) != "" || !isPort(port) {
		return fmt.Errorf("%s: %q is no address; allowed: HOST:PORT, like 127.0.0.1:8000", flag, address)
	}
	return nil
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}
