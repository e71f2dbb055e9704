package events_test

import (
	"strings"
	"testing"

	"apitoken/events"
)

func TestPublicURLIsHTTPSWithAHostAndAPort(t *testing.T) {
	for text, want := range map[string]string{
		"https://tokens.example.com":       "https://tokens.example.com",
		"https://tokens.example.com/":      "https://tokens.example.com",
		"HTTPS://Tokens.Example.COM:8443/": "https://tokens.example.com:8443",
		"https://tokens.example.com:443":   "https://tokens.example.com",
		"https://localhost:1":              "https://localhost:1",
		"https://192.0.2.7":                "https://192.0.2.7",
		"https://[2001:db8::7]":            "https://[2001:db8::7]",
		"https://[2001:DB8::7]:65535":      "https://[2001:db8::7]:65535",
		"https://xn--bcher-kva.example":    "https://xn--bcher-kva.example",
	} {
		if got, err := events.PublicURL(text); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

// TestPublicURLSaysWhatIsWrong: the text would be in a header and in links. No error
// repeats the text.
func TestPublicURLSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"http://tokens.example.com": "must begin with https://", "tokens.example.com": "must begin with https://", "": "must begin with https://",
		"//tokens.example.com": "must begin with https://", "javascript:alert(1)": "must begin with https://", " https://a.example": "must begin with https://",
		"https://tokens.example.com/api": "must end after the host", "https://tokens.example.com//": "must end after the host",
		"https://a.example?x": "must end after the host", "https://a.example#x": "must end after the host", `https://a.example\x`: "must end after the host",
		"https://":                    "no valid host",
		"https://:8443":               "no valid host",
		"https://a..example":          "no valid host",
		"https://a.example.":          "no valid host",
		"https://-a.example":          "no valid host",
		"https://*.example.com":       "no valid host",
		"https://a_b.example":         "no valid host",
		"https://b\u00fccher.example": "no valid host",
		`https://a.example"`:          "no valid host",
		"https://a.example\r\nX: y":   "no valid port",
		"https://a example":           "no valid host",
		"https://a.example\n":         "no valid host",
		"https://2001:db8::7":         "no valid host", "https://[192.0.2.7]": "no valid host", "https://[fe80::1%eth0]": "no valid host", "https://[::1": "no valid host",
		"https://" + strings.Repeat("a", 64) + ".example": "no valid host", "https://" + strings.Repeat("a.", 127) + "a": "no valid host",
		"https://a.example:0": "no valid port", "https://a.example:65536": "no valid port", "https://a.example:": "no valid port", "https://a.example:08": "no valid port",
		"https://ann:hunter2@a.example": "user name or a password", "https://evil.example@a.example": "user name or a password",
	} {
		got, err := events.PublicURL(text)
		if got != "" || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %q, %v, want an error with %q", text, got, err, want)
		}
	}
}

func FuzzPublicURL(f *testing.F) {
	f.Add("https://tokens.example.com:8443/")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := events.PublicURL(text)
		if err != nil {
			return
		}
		if again, err := events.PublicURL(got); again != got || err != nil || strings.ContainsAny(got, "\"\\ \r\n\t<>@?#") {
			t.Errorf("%q: got %q, then %q, %v", text, got, again, err)
		}
	})
}
