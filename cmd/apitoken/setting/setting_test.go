package setting_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"apitoken/cmd/apitoken/setting"
)

const token = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"

// encode returns the text in UTF-16, with a byte order mark if mark is set.
func encode(order binary.ByteOrder, text string, mark bool) string {
	units := utf16.Encode([]rune(text))
	if mark {
		units = append([]uint16{0xFEFF}, units...)
	}
	b := make([]byte, 2*len(units))
	for i, u := range units {
		order.PutUint16(b[2*i:], u)
	}
	return string(b)
}

func TestWhatEditorsAndShellsAddIsRemoved(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                             token,
		"a line end":                          token + "\n",
		"a DOS line end":                      token + "\r\n",
		"an old Mac line end":                 token + "\r",
		"blank lines":                         "\n\n " + token + " \n\t\n",
		"a byte order mark (Notepad)":         "\uFEFF" + token + "\r\n",
		"UTF-16LE (PowerShell's >)":           encode(binary.LittleEndian, token+"\r\n", true),
		"UTF-16BE":                            encode(binary.BigEndian, token+"\r\n", true),
		"two byte order marks":                "\uFEFF\uFEFF" + token,
		"UTF-16 with quotes":                  encode(binary.LittleEndian, `"`+token+`"`+"\r\n", true),
		"no-break spaces":                     "\u00a0" + token + "\u00a0\u202f",
		"an ideographic space":                "\u3000" + token,
		"zero-width characters at the ends":   "\u200b" + token + "\u200d\u2060",
		"marks of direction at the ends":      "\u202a" + token + "\u202c\u200e",
		"double quotes":                       `"` + token + `"`,
		"single quotes and a line end":        "'" + token + "'\n",
		"backticks":                           "`" + token + "`",
		"typographic quotes":                  "“" + token + "”",
		"German quotes":                       "„" + token + "“",
		"two kinds of quotes":                 `'"` + token + `"'`,
		"blanks inside quotes":                `" ` + token + ` "`,
		"a byte order mark, quotes and blank": "\uFEFF  '" + token + "'  \r\n",
	} {
		if got, err := setting.Value(text); got != token || err != nil {
			t.Errorf("%s: got %q, %v; want the value", name, got, err)
		}
	}
}

func TestTheErrorNamesTheProblemAndNotTheValue(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"nothing":                    {"", "is empty"},
		"only blanks":                {" \r\n\t", "is empty"},
		"only a byte order mark":     {"\uFEFF", "is empty"},
		"only quotes":                {`""`, "is empty"},
		"UTF-16LE without a mark":    {encode(binary.LittleEndian, token, false), "is encoded as UTF-16LE without a byte order mark; save it as UTF-8"},
		"UTF-16BE without a mark":    {encode(binary.BigEndian, token, false), "is encoded as UTF-16BE without a byte order mark; save it as UTF-8"},
		"half a UTF-16 character":    {encode(binary.LittleEndian, token, true) + "\n", "is encoded as UTF-16 and has half a character at its end; save it as UTF-8"},
		"UTF-32LE":                   {"\xff\xfe\x00\x00J\x00\x00\x00", "is encoded as UTF-32; save it as UTF-8"},
		"UTF-32BE":                   {"\x00\x00\xfe\xff\x00\x00\x00J", "is encoded as UTF-32; save it as UTF-8"},
		"Windows-1252 quotes":        {"\x93" + token + "\x94", "is not encoded as UTF-8 (byte 1); save it as UTF-8"},
		"NUL at the end":             {token + "\x00", "has a NUL character"},
		"NUL inside":                 {token[:9] + "\x00" + token[9:], "has a NUL character"},
		"two lines":                  {token + "\n" + token, "has 2 lines; allowed: one line with the value and nothing else"},
		"three DOS lines":            {"# mine\r\n" + token + "\r\n" + token, "has 3 lines; allowed: one line with the value and nothing else"},
		"a quote at the start":       {`"` + token, `begins with the quote " and does not end with "`},
		"a quote at the end":         {token + "'", "ends with the quote ' and does not begin with one"},
		"two different quotes":       {`"` + token + "'", `begins with the quote " and does not end with "`},
		"a quote inside":             {token[:9] + `"` + token[9:], `has the quote " inside the value`},
		"export":                     {"export APITOKEN_TOKEN=" + token, "has an assignment (NAME=)"},
		"export with quotes":         {`export APITOKEN_TOKEN="` + token + `"`, "ends with the quote"},
		"a name":                     {"TOKEN=" + token, "has an assignment (NAME=)"},
		"a name with blanks":         {"token = " + token, "has an assignment (NAME=)"},
		"cmd":                        {"set TOKEN=" + token, "has an assignment (NAME=)"},
		"setx":                       {"setx TOKEN " + token, "has an assignment (NAME=)"},
		"PowerShell":                 {"$env:TOKEN=" + token, "has an assignment (NAME=)"},
		"a PowerShell variable":      {"${env:TOKEN} = " + token, "has an assignment (NAME=)"},
		"fish":                       {"set -x TOKEN " + token, "has an assignment (NAME=)"},
		"Bearer":                     {"Bearer " + token, "begins with the name of a header or of an authorization scheme"},
		"bearer with a tab":          {"bearer\t" + token, "begins with the name of a header or of an authorization scheme"},
		"Api-Token":                  {"Api-Token " + token, "begins with the name of a header or of an authorization scheme"},
		"a header":                   {"Authorization: Bearer " + token, "begins with the name of a header or of an authorization scheme"},
		"JSON":                       {`{"bearer_token": "` + token + `"}`, "is a JSON object or list"},
		"PEM":                        {"-----BEGIN KEY-----" + token, "is a PEM block"},
		"a no-break space inside":    {token[:9] + "\u00a0" + token[9:], "has a blank (U+00A0) inside the value"},
		"a blank inside":             {token + " " + token, "has a blank (U+0020) inside the value"},
		"a zero-width space inside":  {token[:9] + "\u200b" + token[9:], "has the invisible character U+200B inside the value"},
		"a soft hyphen inside":       {token[:9] + "\u00ad" + token[9:], "has the invisible character U+00AD inside the value"},
		"the end of a DOS file":      {token + "\x1a", "has the control character U+001A"},
		"an escape sequence":         {"\x1b[1m" + token, "has the control character U+001B"},
		"a byte order mark inside":   {token[:9] + "\uFEFF" + token[9:], "has the invisible character U+FEFF inside the value"},
		"the sentence of the create": {"ApiToken with id: JhxND7ci has been created, your token is: " + token + " please keep it safe", "has a blank (U+0020) inside the value"},
	} {
		got, err := setting.Value(row.text)
		if got != "" || err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %q, %v; want an error with %q", name, got, err, row.want)
		}
		if err != nil && (strings.Contains(err.Error(), token[9:]) || strings.Contains(err.Error(), token[:8])) {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
}

func TestPeppersAndAddressesAreValues(t *testing.T) {
	for _, want := range []string{
		"p1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "p2:AAAA/+==,p1:BBBB=", "https://example.org/a?b=c", "http://[::1]:8080", "corp_" + token,
	} {
		if got, err := setting.Value("\uFEFF'" + want + "'\r\n"); got != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
}

func TestAPathMayHaveBlanksAndEqualsSigns(t *testing.T) {
	for text, want := range map[string]string{
		"/my certs/ca.pem": "/my certs/ca.pem", `"C:\My Certs\ca.pem"` + "\r\n": `C:\My Certs\ca.pem`, "\uFEFFca.pem\n": "ca.pem",
		"env=prod/ca.pem": "env=prod/ca.pem", "' ca.pem'": " ca.pem", "Zoë/名前": "Zoë/名前", "set of certs/ca.pem": "set of certs/ca.pem",
	} {
		if got, err := setting.Path(text); got != want || err != nil {
			t.Errorf("Path(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "is empty", "export APITOKEN_CA_FILE=ca.pem": "has an assignment", "APITOKEN_CA_FILE=ca.pem": "has an assignment", "$env:APITOKEN_CA_FILE = ca.pem": "has an assignment",
		"a\nb": "has 2 lines", `"ca.pem`: "begins with the quote", "ca\x00.pem": "has a NUL character",
	} {
		if got, err := setting.Path(text); got != "" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Path(%q) = %q, %v; want an error with %q", text, got, err, want)
		}
	}
}

func TestTextKeepsLines(t *testing.T) {
	const pem = "-----BEGIN X-----\r\nAAAA\r\n-----END X-----"
	for _, b := range []string{pem, "\uFEFF" + pem + "\r\n", encode(binary.LittleEndian, pem, true), encode(binary.BigEndian, pem+"\n", true)} {
		if got, err := setting.Text([]byte(b)); got != pem || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, pem)
		}
	}
}

// FuzzValue checks that a value has no character of the surroundings, that reading
// a value again changes nothing, and that no error repeats a part of the text.
func FuzzValue(f *testing.F) {
	for _, text := range []string{token, "\uFEFF" + token + "\r\n", encode(binary.LittleEndian, `"`+token+`"`, true), "'", "\xff\xfe", "export A=" + token, "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, err := setting.Value(text)
		if err != nil {
			if value != "" || strings.Contains(err.Error(), token[9:]) {
				t.Errorf("got %q, %v", value, err)
			}
			return
		}
		if value == "" || !utf8.ValidString(value) || strings.ContainsAny(value, "\x00\r\n \t\"'`\uFEFF\u00a0") {
			t.Errorf("Value(%q) = %q", text, value)
		}
		if again, err := setting.Value(value); again != value || err != nil {
			t.Errorf("Value(%q) = %q, %v; want it unchanged", value, again, err)
		}
	})
}
