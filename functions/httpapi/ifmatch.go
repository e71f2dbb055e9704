package httpapi

import (
	"strconv"
	"strings"

	"apitoken/functions/httpapi/machine"
)

// matchHeader is the header If-Match (RFC 9110 section 13.1.1).
const matchHeader = "If-Match"

const allowedMatch = `allowed: * alone, or entity tags in quotes as an ETag gives them, like "3", separated by commas`

// ifMatch returns the sequences that the request's If-Match names, in the form
// that the issuer wants: nil without a condition, otherwise the sequences of which
// the token must have one. "*" is nil too, because each call that changes a token
// refuses a missing one. A weak tag and a tag that is none of ours match no token.
// If only such tags are given, the result is the sequence 0, which no token has:
// the issuer takes an empty list of Revoke for no condition.
func (x exchange) ifMatch() ([]uint64, error) {
	values := x.Request.Header.Values(matchHeader)
	if len(values) == 0 {
		return nil, nil
	}
	// Several headers are one list (RFC 9110 section 5.3). API Gateway joins them.
	sequences, problem := parseIfMatch(strings.Join(values, ","))
	if problem != "" {
		return nil, machine.FieldProblem("invalid_header", matchHeader, problem+"; "+allowedMatch)
	}
	return sequences, nil
}

// parseIfMatch reads the value of If-Match as ifMatch returns it. problem is "" if
// the value is well-formed. RFC 9110 does not say what a malformed value means. It
// is refused and is not a tag that matches nothing: the answer "the token has
// changed" would be wrong.
func parseIfMatch(list string) (sequences []uint64, problem string) {
	if list = trimBlanks(list); list == "*" {
		return nil, ""
	}
	for list != "" {
		if strings.HasPrefix(list, ",") { // section 5.6.1.2: empty elements are ignored
			list = trimBlanks(list[1:])
			continue
		}
		tag, rest, ok := cutTag(list)
		if !ok {
			return nil, "is not well-formed"
		}
		if rest = trimBlanks(rest); rest != "" && rest[0] != ',' {
			return nil, "has text after an entity tag, before the next comma"
		}
		if n, ours := sequenceOf(tag); ours {
			sequences = append(sequences, n)
		}
		list = rest
	}
	if len(sequences) == 0 {
		return []uint64{0}, ""
	}
	return sequences, ""
}

// cutTag cuts the entity tag at the beginning of the list (section 8.8.3). A tag
// may contain commas.
func cutTag(list string) (tag, rest string, ok bool) {
	weak := strings.HasPrefix(list, "W/")
	opaque, quoted := strings.CutPrefix(strings.TrimPrefix(list, "W/"), `"`)
	inner, rest, closed := strings.Cut(opaque, `"`)
	if !quoted || !closed || strings.ContainsFunc(inner, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return "", "", false
	}
	if weak {
		return "W/" + inner, rest, true
	}
	return inner, rest, true
}

// sequenceOf returns the sequence of a tag. The comparison of tags is strong: one
// sequence has one tag, so "07" is not ours, and no weak tag is.
func sequenceOf(tag string) (uint64, bool) {
	n, err := strconv.ParseUint(tag, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatUint(n, 10) == tag
}

// etagOf returns the ETag of a token. The tag is strong by intent: the sequence
// names what callers can change, and not the last use or the passing of time.
func etagOf(sequence uint64) string { return `"` + strconv.FormatUint(sequence, 10) + `"` }

func trimBlanks(s string) string { return strings.Trim(s, " \t") }
