package keycloak

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"apitoken/localstack/engines"
)

var idToken = regexp.MustCompile(`"id_token" *: *"([^"]*)"`)

// Claims returns the claims of a JWT without a look at its signature.
func Claims(t testing.TB, jwt string) map[string]any {
	t.Helper()
	return part(t, jwt, 1)
}

// part decodes one of the first two parts of a JWT.
func part(t testing.TB, jwt string, i int) map[string]any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("the JWT has %d parts", len(parts))
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[i])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	engines.Decode(t, b, &out)
	return out
}

// Unsigned returns a JWT with the claims of another, the algorithm "none" and no
// signature.
func Unsigned(t testing.TB, jwt string) string {
	t.Helper()
	return encode(t, map[string]any{"alg": "none", "typ": "JWT"}) + "." + strings.Split(jwt, ".")[1] + "."
}

// PublicKeys returns the realm's public keys in PEM by their names.
func (r Realm) PublicKeys(t testing.TB) map[string][]byte {
	t.Helper()
	var set struct {
		Keys []struct {
			Kid string
			X5c [][]byte
		}
	}
	status, b := send(t, http.MethodGet, r.endpoint("certs"), "", "", nil)
	if status != http.StatusOK {
		t.Fatalf("the keys: got %d %s", status, b)
	}
	engines.Decode(t, b, &set)
	keys := map[string][]byte{}
	for _, key := range set.Keys {
		certificate, err := x509.ParseCertificate(key.X5c[0])
		if err != nil {
			t.Fatal(err)
		}
		keys[key.Kid] = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: certificate.RawSubjectPublicKeyInfo})
	}
	return keys
}

// SignedWithPublicKey returns a JWT with the claims of another, signed by HS256 with the
// text of the public key of the other's signature. A verifier that takes the algorithm
// from the token would accept it.
func SignedWithPublicKey(t testing.TB, jwt string, keys map[string][]byte) string {
	t.Helper()
	kid, _ := part(t, jwt, 0)["kid"].(string)
	if keys[kid] == nil {
		t.Fatalf("the realm has no key %q", kid)
	}
	text := encode(t, map[string]any{"alg": "HS256", "typ": "JWT", "kid": kid}) + "." + strings.Split(jwt, ".")[1]
	mac := hmac.New(sha256.New, keys[kid])
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func encode(t testing.TB, v any) string {
	t.Helper()
	return base64.RawURLEncoding.EncodeToString(engines.Encode(t, v))
}
