package serve

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// from is the source of a request from peer with the lines of the header.
func from(t *testing.T, trusted, peer string, lines ...string) string {
	t.Helper()
	var texts []string
	if trusted != "" {
		texts = strings.Split(trusted, ",")
	}
	ps, err := parseProxies(texts)
	if err != nil {
		t.Fatal(err)
	}
	r := &http.Request{RemoteAddr: peer, Header: http.Header{
		"X-Real-Ip": {"203.0.113.66"}, "Forwarded": {"for=203.0.113.66"}, "True-Client-Ip": {"203.0.113.66"},
		"X-Client-Ip": {"203.0.113.66"}, "Cf-Connecting-Ip": {"203.0.113.66"}, "X-Forwarded": {"203.0.113.66"},
	}}
	if len(lines) > 0 {
		r.Header[forwardedFor] = lines
	}
	if at := ps.source(r); at.IsValid() {
		return at.String()
	}
	return "unknown"
}

func TestTheSourceIsTheLastAddressThatIsNoTrustedProxy(t *testing.T) {
	const net10, both = "10.0.0.0/8", "10.0.0.0/8,fd00::/8"
	many := strings.Repeat("10.0.0.1, ", 1000)
	for _, row := range []struct {
		name, trusted, peer string
		lines               []string
		want                string
	}{
		{"no proxies: the header is ignored", "", "192.0.2.1:1", []string{"198.51.100.7"}, "192.0.2.1"},
		{"a peer that is not trusted", net10, "192.0.2.1:1", []string{"198.51.100.7"}, "192.0.2.1"},
		{"one proxy", net10, "10.0.0.1:1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"two proxies", net10, "10.0.0.1:1", []string{"198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		{"a forged entry before the real one", net10, "10.0.0.1:1", []string{"127.0.0.1, 198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		{"forged text before the real one", net10, "10.0.0.1:1", []string{"<script>, , 198.51.100.7"}, "198.51.100.7"},
		{"a forged trusted entry", net10, "10.0.0.1:1", []string{"10.9.9.9, 198.51.100.7"}, "198.51.100.7"},
		{"several lines in order", net10, "10.0.0.1:1", []string{"203.0.113.1", "198.51.100.7", "10.0.0.3, 10.0.0.2"}, "198.51.100.7"},
		{"a forged first line", net10, "10.0.0.1:1", []string{"garbage", "198.51.100.7"}, "198.51.100.7"},
		{"without blanks", net10, "10.0.0.1:1", []string{"198.51.100.7,10.0.0.2,10.0.0.3"}, "198.51.100.7"},
		{"blanks and tabs", net10, "10.0.0.1:1", []string{" \t198.51.100.7\t , 10.0.0.2 "}, "198.51.100.7"},
		{"no header", net10, "10.0.0.1:1", nil, "unknown"},
		{"an empty header", net10, "10.0.0.1:1", []string{""}, "unknown"},
		{"only proxies", net10, "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "unknown"},
		{"a last entry that is no address", net10, "10.0.0.1:1", []string{"198.51.100.7, unknown"}, "unknown"},
		{"an obfuscated entry", net10, "10.0.0.1:1", []string{"198.51.100.7, _hidden, 10.0.0.2"}, "unknown"},
		{"a host name", net10, "10.0.0.1:1", []string{"198.51.100.7, localhost"}, "unknown"},
		{"nginx on a Unix socket", net10, "10.0.0.1:1", []string{"198.51.100.7, unix:"}, "unknown"},
		{"an empty last entry", net10, "10.0.0.1:1", []string{"198.51.100.7,"}, "unknown"},
		{"an empty entry between", net10, "10.0.0.1:1", []string{"198.51.100.7, , 10.0.0.2"}, "unknown"},
		{"an empty last line", net10, "10.0.0.1:1", []string{"198.51.100.7", ""}, "unknown"},
		{"a short IPv4 address", net10, "10.0.0.1:1", []string{"198.51.7"}, "unknown"},
		{"an octal IPv4 address", net10, "10.0.0.1:1", []string{"0198.051.0100.07"}, "unknown"},
		{"a decimal IPv4 address", net10, "10.0.0.1:1", []string{"3325256711"}, "unknown"},
		{"a range", net10, "10.0.0.1:1", []string{"198.51.100.0/24"}, "unknown"},
		{"quotes", net10, "10.0.0.1:1", []string{`"198.51.100.7"`}, "unknown"},
		{"IPv6", both, "[fd00::1]:1", []string{"2001:db8::7"}, "2001:db8::7"},
		{"IPv6 in capitals and with zeros", both, "[fd00::1]:1", []string{"2001:0DB8:0:0::7"}, "2001:db8::7"},
		{"a trusted IPv6 entry", both, "10.0.0.1:1", []string{"2001:db8::7, fd00::2"}, "2001:db8::7"},
		{"an IPv4-mapped client", net10, "10.0.0.1:1", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"an IPv4-mapped proxy in the header", net10, "10.0.0.1:1", []string{"198.51.100.7, ::ffff:10.0.0.2"}, "198.51.100.7"},
		{"an IPv4-mapped peer", net10, "[::ffff:10.0.0.1]:1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"an IPv4-mapped peer that is not trusted", net10, "[::ffff:192.0.2.1]:1", []string{"198.51.100.7"}, "192.0.2.1"},
		{"an IPv4-mapped range", "::ffff:10.0.0.0/104", "10.0.0.1:1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"a port", net10, "10.0.0.1:1", []string{"198.51.100.7:51234"}, "198.51.100.7"},
		{"a proxy with a port", net10, "10.0.0.1:1", []string{"198.51.100.7, 10.0.0.2:80"}, "198.51.100.7"},
		{"brackets", net10, "10.0.0.1:1", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"brackets and a port", net10, "10.0.0.1:1", []string{"[2001:db8::7]:443"}, "2001:db8::7"},
		{"brackets around IPv4", net10, "10.0.0.1:1", []string{"[198.51.100.7]"}, "unknown"},
		{"half a bracket", net10, "10.0.0.1:1", []string{"[2001:db8::7"}, "unknown"},
		{"a port that is too large", net10, "10.0.0.1:1", []string{"198.51.100.7:65536"}, "unknown"},
		{"a zone", net10, "10.0.0.1:1", []string{"fe80::1%eth0"}, "unknown"},
		{"a zone in brackets", net10, "10.0.0.1:1", []string{"[fe80::1%eth0]:1"}, "unknown"},
		{"a Unix socket is not trusted", net10, "@", []string{"198.51.100.7, 10.0.0.2"}, "unknown"},
		{"a Unix socket without proxies", "", "@", []string{"198.51.100.7"}, "unknown"},
		{"a trusted Unix socket and a trusted proxy", "unix:," + net10, "@", []string{"198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		{"a trusted Unix socket without a name", "unix:", "", []string{"198.51.100.7"}, "198.51.100.7"},
		{"a trusted Unix socket and a forged entry", "unix:", "@", []string{"203.0.113.5, 198.51.100.7"}, "198.51.100.7"},
		{"a trusted Unix socket without the header", "unix:", "@", nil, "unknown"},
		{"a trusted Unix socket does not trust peers with addresses", "unix:", "192.0.2.1:1", []string{"198.51.100.7"}, "192.0.2.1"},
		{"1,000 proxies", net10, "10.0.0.1:1", []string{"198.51.100.7, " + many + "10.0.0.2"}, "198.51.100.7"},
		{"1,000 forged entries", net10, "10.0.0.1:1", []string{strings.Repeat("203.0.113.1, ", 1000) + "198.51.100.7"}, "198.51.100.7"},
		{"one trusted address", "10.0.0.1", "10.0.0.1:1", []string{"198.51.100.7, 10.0.0.2"}, "10.0.0.2"},
		{"the header's own range", "10.0.0.0/8,198.51.100.0/24", "10.0.0.1:1", []string{"203.0.113.5, 198.51.100.7"}, "203.0.113.5"},
	} {
		if got := from(t, row.trusted, row.peer, row.lines...); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

func TestRangesOfProxiesAreAddressesOrCIDR(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1": "10.0.0.1/32", " 10.1.2.3/8": "10.0.0.0/8", "fd00::1": "fd00::1/128", "::ffff:10.0.0.1": "10.0.0.1/32", "0.0.0.0/0": "0.0.0.0/0",
		"": "", "proxy.example.org": "", "10.0.0.0/33": "", "10.0.0.0-10.0.0.9": "", "fe80::1%eth0": "", "fe80::%eth0/64": "", "::ffff:0:0/95": "", "10.0.0.1:80": "", "*": "",
	} {
		ps, err := parseProxies([]string{text})
		if want == "" && (err == nil || ps.ranges != nil) {
			t.Errorf("%q: got %v, %v; want an error", text, ps, err)
		} else if want != "" && (err != nil || len(ps.ranges) != 1 || ps.ranges[0].String() != want) {
			t.Errorf("%q: got %v, %v; want %s", text, ps, err, want)
		}
	}
}

// FuzzSource checks that the source is never a trusted proxy, never has a zone, is
// never IPv4-mapped, and does not change if a client adds text before the entry of
// the proxy.
func FuzzSource(f *testing.F) {
	for _, line := range []string{"198.51.100.7, 10.0.0.2", "", ",", "[2001:db8::7]:1", "::ffff:10.0.0.1", "fe80::1%a,10.0.0.1", "10.0.0.1,10.0.0.1"} {
		f.Add(line, "203.0.113.5")
	}
	ps := proxies{ranges: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	f.Fuzz(func(t *testing.T, line, forged string) {
		request := func(lines ...string) netip.Addr {
			return ps.source(&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{forwardedFor: lines}})
		}
		at := request(line)
		if at.IsValid() && (ps.trusts(at) || at.Is4In6() || at.Zone() != "") {
			t.Errorf("%q: got %v", line, at)
		}
		if !at.IsValid() {
			return
		}
		for _, lines := range [][]string{{forged, line}, {forged + "," + line}, {forged + ", " + line}} {
			if got := request(lines...); got != at {
				t.Errorf("%q: got %v, want %v as without the forged text", lines, got, at)
			}
		}
		if got := ps.source(&http.Request{RemoteAddr: "192.0.2.1:1", Header: http.Header{forwardedFor: {line}}}); got.String() != "192.0.2.1" {
			t.Errorf("a peer that is not trusted: got %v", got)
		}
	})
}

// TestAProxyOutsideOfTheTrustedOnesIsNamedOnce: a client that sends the header with every
// request writes one line.
func TestAProxyOutsideOfTheTrustedOnesIsNamedOnce(t *testing.T) {
	for _, row := range []struct {
		name, trusted, peer string
		lines               []string
		warns               bool
	}{
		{"no trusted proxies", "", "192.0.2.1:1", []string{"198.51.100.7"}, true},
		{"another proxy", "10.0.0.0/8", "192.0.2.1:1", []string{"198.51.100.7"}, true},
		{"the trusted one", "10.0.0.0/8", "10.0.0.1:1", []string{"198.51.100.7"}, false},
		{"a peer on a Unix socket", "", "@", []string{"198.51.100.7"}, false},
		{"no header", "", "192.0.2.1:1", nil, false},
	} {
		ps, err := parseProxies(strings.FieldsFunc(row.trusted, func(r rune) bool { return r == ',' }))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		source := ps.warned(slog.New(slog.NewTextHandler(&out, nil)))
		r := &http.Request{RemoteAddr: row.peer, Header: http.Header{}}
		if row.lines != nil {
			r.Header[forwardedFor] = row.lines
		}
		for range 2 {
			if got, want := source(r), ps.source(r); got != want {
				t.Errorf("%s: the source is %s, want %s", row.name, got, want)
			}
		}
		want := 0
		if row.warns {
			want = 1
		}
		if got := strings.Count(out.String(), "level=WARN"); got != want || strings.Contains(out.String(), "198.51.100.7") {
			t.Errorf("%s: got %q, want %d warnings without the header", row.name, out.String(), want)
		}
	}
}
