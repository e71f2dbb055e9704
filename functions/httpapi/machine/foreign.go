package machine

import (
	"bytes"
	"errors"
	"mime"
	"regexp"
	"strings"
	"unicode/utf8"
)

// foreign is a form of body that clients send in place of a JSON object, with
// its name in a sentence. The name must not contain a part of the body. The
// pattern is compiled only after a body was refused, because each start of a
// function would have to wait for it.
type foreign struct {
	begins string // a pattern
	name   string
}

func (f foreign) matches(body []byte) bool { return regexp.MustCompile(f.begins).Match(body) }

// compressed has the first bytes of compressed bodies, each with the name of the
// compression. Brotli has no such bytes.
var compressed = []struct{ begins, name string }{
	{"\x1f\x8b", "gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"BZh", "bzip2"}, {"\xfd7zXZ", "xz"}, {"PK\x03\x04", "zip"},
	{"\x04\x22\x4d\x18", "lz4"}, {"\xff\x06\x00\x00sNaPpY", "snappy"}, {"\x1f\x9d", "compress"}, {"7z\xbc\xaf", "7-Zip"},
	{"\x78\x01", "zlib (deflate)"}, {"\x78\x5e", "zlib (deflate)"}, {"\x78\x9c", "zlib (deflate)"}, {"\x78\xda", "zlib (deflate)"},
}

// binaryForms are binary forms of JSON objects. No UTF-8 text begins with their bytes.
var binaryForms = []struct {
	begins func(body []byte) bool
	name   string
}{
	{func(b []byte) bool { return b[0]&0xe0 == 0xa0 || bytes.HasPrefix(b, []byte("\xd9\xd9\xf7")) }, "CBOR"}, // RFC 8949: a map, or a tag for CBOR
	{func(b []byte) bool { return b[0]&0xf0 == 0x80 }, "MessagePack"},                                        // a map of up to 15 members
}

// foreignTexts are recognized by the text at the beginning of a body. A JSON
// object matches none of them.
var foreignTexts = []foreign{
	{`^[\x00-\x08\x0e-\x1f]`, "binary data"},
	{`^\[object `, "an object of JavaScript that was not encoded"},
	{`^(---\s|%YAML|[A-Za-z_]+:\s)`, "YAML"},
	{`^--`, "a multipart form"},
	{`^<`, "XML or HTML"},
	{`^'`, "in apostrophes, which a shell did not remove"},
	{`^(@|\$)`, "the name of a file or of a variable, and not its content"},
	{`^(//|/\*|#)`, "text with a comment; JSON has no comments"},
	{`^%7[Bb]`, "percent-encoded"},
	{`^(eyJ|ewog|e30)[A-Za-z0-9+/_=-]*\s*$`, "base64"},
	{`^[A-Za-z0-9_.%+\[\]-]+=`, "a form, with NAME=VALUE pairs"},
	{`^\{\s*'`, "an object with single quotes; JSON has double quotes"},
	{`^\{\s*[A-Za-z_]+\s*:`, "an object with names without quotes"},
	{`^\{\s*"[^"]*"\s*=>`, "an object of another language, with => in place of a colon"},
}

// namedForm returns the problem of a refused body with the name of the body's
// form, or the same problem if the form has no name here.
func namedForm(refused error, body []byte) error {
	p, ok := errors.AsType[*Problem](refused)
	if !ok || p.Code != "malformed_json" || len(p.Errors) > 0 {
		return refused
	}
	text := bytes.TrimSpace(body)
	for _, f := range foreignTexts {
		if f.matches(text) {
			return NewProblem("malformed_json", "The request body is not JSON: it is "+f.name+". It must be one JSON object.")
		}
	}
	return refused
}

// foreignEncoding says how the body is encoded, or "" if it is UTF-8 text.
func foreignEncoding(body []byte, contentType string) string {
	valid := utf8.Valid(body)
	charset := declaredCharset(contentType)
	switch {
	case isUTF32(body):
		return "is UTF-32 text; only UTF-8 is allowed"
	case bytes.HasPrefix(body, []byte{0xff, 0xfe}), bytes.HasPrefix(body, []byte{0xfe, 0xff}), len(body) > 1 && (body[0] == 0) != (body[1] == 0):
		return "is UTF-16 text; only UTF-8 is allowed"
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return "begins with a byte order mark; only UTF-8 without the mark is allowed"
	case compression(body) != "":
		return "is compressed with " + compression(body) + "; only a body without compression is allowed"
	case valid && (charset == "" || isASCII(body)):
		return ""
	case valid: // by chance: in the other charset the bytes are another text
		return "has the charset " + charset + " in its Content-Type; only UTF-8 is allowed"
	}
	for _, form := range binaryForms {
		if form.begins(body) {
			return "is " + form.name + "; only JSON is allowed"
		}
	}
	if charset != "" {
		return "is not valid UTF-8 (its Content-Type says " + charset + "); only UTF-8 is allowed"
	}
	return "is not valid UTF-8; only UTF-8 is allowed"
}

// compression returns the name of a body's compression, or "".
func compression(body []byte) string {
	for _, c := range compressed {
		if bytes.HasPrefix(body, []byte(c.begins)) {
			return c.name
		}
	}
	return ""
}

// isUTF32 reports whether a body begins with the byte order mark of UTF-32, or with a
// character below U+0100 in this encoding.
func isUTF32(body []byte) bool {
	if len(body) < 4 {
		return false
	}
	first := body[:4]
	return bytes.Equal(first, []byte{0xff, 0xfe, 0, 0}) || bytes.Equal(first, []byte{0, 0, 0xfe, 0xff}) ||
		bytes.Equal(first[:3], []byte{0, 0, 0}) || first[0] != 0 && bytes.Equal(first[1:], []byte{0, 0, 0})
}

// declaredCharset returns the charset of a Content-Type as an answer may repeat
// it, or "" if there is none or if it is UTF-8 or ASCII.
func declaredCharset(contentType string) string {
	_, parameters, err := mime.ParseMediaType(contentType)
	charset := strings.ToLower(parameters["charset"])
	if err != nil || charset == "" || charset == "utf-8" || charset == "utf8" || charset == "us-ascii" {
		return ""
	}
	return printable(charset)
}

func isASCII(body []byte) bool {
	return !bytes.ContainsFunc(body, func(r rune) bool { return r >= utf8.RuneSelf })
}

// contentEncodings returns the encodings of a Content-Encoding header as an
// answer may repeat them. "identity" is none.
func contentEncodings(values []string) (names []string) {
	for name := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name = strings.TrimSpace(name)
		if name != "" && !strings.EqualFold(name, "identity") {
			names = append(names, printable(name))
		}
	}
	return names
}
