package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"apitoken/events/secret"
)

const plain = "jm1P5Y0ONaJfUJhslJbAjRAyr93rz5Fj"

// holders are the ways in which a secret may reach a printer.
func holders() map[string]any {
	type open struct{ S secret.Secret }
	type hidden struct{ s secret.Secret }
	type deep struct{ h *hidden }
	s := secret.New(plain)
	token := secret.Token{ID: "L7k8ljIC", Secret: s}
	return map[string]any{
		"value": s, "pointer": &s, "pointer to pointer": new(&s),
		"exported field": open{s}, "unexported field": hidden{s}, "inside both": deep{&hidden{s}},
		"pointer to a struct": &open{s}, "pointer to a hiding struct": &hidden{s},
		"slice": []secret.Secret{s}, "array": [1]secret.Secret{s}, "map": map[string]secret.Secret{"k": s}, "any": any(s), "slice of any": []any{s, &s},
		"token": token, "pointer to a token": &token, "text of a token": token.Text(),
		"error": fmt.Errorf("trouble with %v and %s: %w", s, token, error(trouble{s})),
	}
}

type trouble struct{ secret.Secret }

func (t trouble) Error() string { return fmt.Sprintf("trouble with %v", t.Secret) }

// shows reports whether the text contains the secret, or any eight characters of
// it, in one of the forms in which fmt can print them.
func shows(text string) bool {
	for at := 0; at+8 <= len(plain); at++ {
		part := plain[at : at+8]
		for _, shape := range []string{part, fmt.Sprintf("%x", part), fmt.Sprintf("%X", part), fmt.Sprintf("% x", part), strings.Trim(fmt.Sprint([]byte(part)), "[]")} {
			if strings.Contains(text, shape) {
				return true
			}
		}
	}
	return false
}

func TestShowsFindsASecretInEveryForm(t *testing.T) {
	for _, verb := range []string{"%v", "%#v", "%s", "%q", "%x", "%X", "% x"} {
		if leak := fmt.Sprintf(verb, struct{ s string }{plain}); !shows(leak) {
			t.Errorf("with %s the secret is not noticed in %s", verb, leak)
		}
	}
	if !shows(fmt.Sprint([]byte(plain))) {
		t.Error("printed bytes are not noticed")
	}
}

func TestSecretsAreRedactedInEveryVerb(t *testing.T) {
	for name, holder := range holders() {
		for verb := 'A'; verb <= 'z'; verb++ {
			for _, flags := range []string{"", "+", "#", "-50", "050", " ", "+#", ".3"} {
				format := "%" + flags + string(verb)
				if got := fmt.Sprintf(format, holder); shows(got) {
					t.Errorf("%s with %s: %s", name, format, got)
				}
			}
		}
		if got := fmt.Sprint(holder) + fmt.Sprintln(holder); shows(got) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestSecretsPrintAsRedacted(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10s"} {
		if got := fmt.Sprintf(verb, secret.New(plain)); got != "[redacted]" {
			t.Errorf("%s: got %s, want [redacted]", verb, got)
		}
	}
	if got := fmt.Sprintf("%T", secret.New(plain)); got != "secret.Secret" {
		t.Errorf("%%T: got %s", got)
	}
}

func TestSecretsAreRedactedInLogs(t *testing.T) {
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		for name, holder := range holders() {
			slog.New(h).Info("m", "secret", holder, slog.Group("g", "s", holder), name, slog.AnyValue(holder))
			slog.New(h).With("s", holder).WithGroup("g").Info(fmt.Sprint(holder))
		}
	}
	if shows(out.String()) {
		t.Errorf("the log shows a secret: %s", out.String())
	}
	if n := strings.Count(out.String(), "[redacted]"); n < 4*len(holders()) {
		t.Errorf("only %d redactions were logged: %s", n, out.String())
	}
}

func TestSecretsAreRedactedInEncodings(t *testing.T) {
	for name, holder := range holders() {
		b, err := json.Marshal(holder)
		if err != nil || shows(string(b)) {
			t.Errorf("%s as JSON: %s, %v", name, b, err)
		}
	}
	if b, err := json.Marshal(secret.New(plain)); err != nil || string(b) != `"[redacted]"` {
		t.Errorf("got %s, %v", b, err)
	}
	if b, err := xml.Marshal(secret.New(plain)); err != nil || shows(string(b)) {
		t.Errorf("as XML: %s, %v", b, err)
	}
}

func TestASecretPanicsRedacted(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); shows(got) {
			t.Errorf("the panic shows the secret: %s", got)
		}
	}()
	panic(secret.New(plain))
}

func TestRevealReturnsTheText(t *testing.T) {
	if got := secret.New(plain).Reveal(); got != plain {
		t.Error("Reveal does not return the text")
	}
	if got := (secret.Secret{}).Reveal(); got != "" {
		t.Errorf("the zero secret has the text %q", got)
	}
}

func TestSecretsAreReadFromJSON(t *testing.T) {
	var body struct{ Token secret.Secret }
	if err := json.Unmarshal([]byte(`{"token":"`+plain+`"}`), &body); err != nil || body.Token.Reveal() != plain {
		t.Errorf("a secret is not read: %v", err)
	}
	if err := json.Unmarshal([]byte(`{"token":null}`), &body); err != nil || body.Token.Reveal() != plain {
		t.Errorf("null changes it: %v", err)
	}
	for _, bad := range []string{`{"token":12345678901}`, `{"token":["` + plain + `"]}`, `{"token":{"a":"` + plain + `"}}`} {
		err := json.Unmarshal([]byte(bad), &body)
		if err == nil || shows(err.Error()) || strings.Contains(err.Error(), "12345") {
			t.Errorf("got %v, want an error without the text", err)
		}
	}
}
