package token

import (
	"net/netip"
	"slices"

	"apitoken/events/secret"
)

// mappedBits is the number of leading bits that all IPv4-mapped IPv6 addresses share
// (RFC 4291 section 2.5.5.2).
const mappedBits = 96

// ParseSourceIPs reads source ranges, each an address or a CIDR range, into
// their canonical form: host bits cleared, IPv4-mapped IPv6 as IPv4. The
// refusal is invalid_field on source_ips.
func ParseSourceIPs(texts []string) ([]netip.Prefix, error) {
	if len(texts) > MaxSourceIPs {
		return nil, tooManyRanges(len(texts))
	}
	var ranges []netip.Prefix
	for _, text := range texts {
		p, ok := parseRange(text)
		if !ok {
			return nil, invalid(fieldSourceIPs, "the source range %s is invalid; allowed: an IP address without a zone, like 192.0.2.7, or a CIDR range, like 192.0.2.0/24", secret.Quote(text))
		}
		ranges = append(ranges, p)
	}
	return ranges, nil
}

func parseRange(text string) (netip.Prefix, bool) {
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

// validSourceIPs refuses ranges that are not in the form of ParseSourceIPs.
func validSourceIPs(ranges []netip.Prefix) error {
	if len(ranges) > MaxSourceIPs {
		return tooManyRanges(len(ranges))
	}
	for _, p := range ranges {
		if !p.IsValid() || p.Addr().Is4In6() || p != p.Masked() {
			return invalid(fieldSourceIPs, "the source range %s is not in canonical form; allowed: a CIDR range without host bits, and IPv4 not mapped to IPv6", p)
		}
	}
	return nil
}

func tooManyRanges(n int) error {
	return invalid(fieldSourceIPs, "there are %d source ranges; at most %d are allowed", n, MaxSourceIPs)
}

// rangesWithin reports whether each inner range is within one outer range. An empty
// list of ranges admits every address.
func rangesWithin(inner, outer []netip.Prefix) bool {
	if len(outer) == 0 {
		return true
	}
	return len(inner) > 0 && !slices.ContainsFunc(inner, func(i netip.Prefix) bool {
		return !slices.ContainsFunc(outer, func(o netip.Prefix) bool { return o.Bits() <= i.Bits() && o.Contains(i.Addr()) })
	})
}
