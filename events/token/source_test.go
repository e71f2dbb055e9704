package token

import (
	"net/netip"
	"slices"
	"testing"
)

func TestSourceRangesAreCanonical(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "192.0.2.7/24": "192.0.2.0/24", "0.0.0.0/0": "0.0.0.0/0",
		"2001:DB8::1": "2001:db8::1/128", "2001:db8::1/32": "2001:db8::/32", "::/0": "::/0",
		"::ffff:192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7/120": "192.0.2.0/24", "::ffff:0:0/96": "0.0.0.0/0",
	} {
		got, err := ParseSourceIPs([]string{text})
		if err != nil || len(got) != 1 || got[0].String() != want {
			t.Errorf("%s: got %v, %v, want %s", text, got, err, want)
			continue
		}
		if err := validSourceIPs(got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, bad := range []string{"", "ann", "192.0.2", "192.0.2.7/33", "192.0.2.7/-1", "192.0.2.7/", "192.0.2.007", "fe80::1%eth0", "fe80::1%eth0/64", "::ffff:192.0.2.7/95", "192.0.2.1-192.0.2.9", "192.0.2.7\n"} {
		_, err := ParseSourceIPs([]string{bad})
		if r := refusal(t, err, CodeInvalidField); r.Field != "source_ips" {
			t.Errorf("%q: the refusal names %s", bad, r.Field)
		}
	}
	if got, err := ParseSourceIPs(nil); got != nil || err != nil {
		t.Errorf("none: got %v, %v", got, err)
	}
	_, err := ParseSourceIPs(slices.Repeat([]string{"192.0.2.7"}, MaxSourceIPs+1))
	refusal(t, err, CodeInvalidField)
}

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func TestRangesWithinRanges(t *testing.T) {
	for _, c := range []struct {
		inner, outer []netip.Prefix
		want         bool
	}{
		{nil, nil, true},
		{prefixes("192.0.2.0/24"), nil, true},
		{nil, prefixes("0.0.0.0/0"), false},
		{prefixes("192.0.2.0/24"), prefixes("192.0.2.0/24"), true},
		{prefixes("192.0.2.7/32"), prefixes("192.0.2.0/24"), true},
		{prefixes("192.0.2.0/23"), prefixes("192.0.2.0/24"), false},
		{prefixes("192.0.3.0/24"), prefixes("192.0.2.0/24"), false},
		{prefixes("192.0.2.0/24", "198.51.100.0/24"), prefixes("192.0.2.0/24"), false},
		{prefixes("192.0.2.0/24"), prefixes("2001:db8::/32", "192.0.0.0/16"), true},
		{prefixes("192.0.2.0/24"), prefixes("::/0"), false},
	} {
		if got := rangesWithin(c.inner, c.outer); got != c.want {
			t.Errorf("%v within %v: got %v, want %v", c.inner, c.outer, got, c.want)
		}
	}
}
