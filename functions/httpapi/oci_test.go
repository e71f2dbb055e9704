package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
)

// signed is the credential of OCI's client (oci-cli 3.95.1) for a request without a
// body. The service reads no signature, so the signature here is not valid.
const signed = `Signature algorithm="rsa-sha256",headers="date (request-target) host",` +
	`keyId="ocid1.tenancy.oc1..aaaaaaaaexample/ocid1.user.oc1..aaaaaaaaexample/20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34",signature="c2lnbmF0dXJl",version="1"`

// asOCI is a request with the bytes of OCI's client.
func asOCI(method, target, credential string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: Oracle-PythonSDK/2.189.0\r\nAccept-Encoding: gzip, deflate\r\n"+
		"accept: application/json\r\nConnection: keep-alive\r\ndate: Sat, 21 Nov 2026 20:59:57 GMT\r\nopc-client-retries: true\r\n"+
		"opc-request-id: 0123456789ABCDEF0123456789ABCDEF\r\ncontent-type: application/json\r\nauthorization: %s\r\n\r\n", method, target, credential)
}

// TestRequestsOfOCIsClientAreRefused: the service has none of the paths of OCI and
// checks no signatures. It says so in a problem of its own.
func TestRequestsOfOCIsClientAreRefused(t *testing.T) {
	w := newScene(t)
	c := w.dial(w.listen())
	answers := bufio.NewReader(c)
	for _, row := range []struct {
		method, target string
		status         int
		code           string
	}{
		{"GET", "/20160918/users/ocid1.user.oc1..aaaaaaaaexample/authTokens", 404, "path_not_found"},
		{"DELETE", "//20160918/users/ann/authTokens/abc", 404, "path_not_found"}, // of an endpoint with a slash at its end
		{"GET", collection, 401, "scheme_unsupported"},
		{"GET", "/v1/session/who-am-i", 401, "scheme_unsupported"},
	} {
		if _, err := io.WriteString(c, asOCI(row.method, row.target, signed)); err != nil {
			t.Fatal(err)
		}
		got, _ := w.readAnswer(answers, row.method)
		if got.status != row.status || !strings.Contains(string(got.body), `"code":"`+row.code+`"`) {
			t.Errorf("%s %s: got %d %s, want %d %s", row.method, row.target, got.status, got.body, row.status, row.code)
		}
	}
}
