package vast_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"apitoken/functions/httpapi/vast"
	"apitoken/localstack/drive"
	"apitoken/localstack/engines"
)

// TestALoginOfVASTsGoClientGivesASessionForVASTsClients: the request is that of the Go
// client (POST /api/token/, as its source makes it). vastpy takes the session as a token.
// What vastpy sends for a user and a password is refused: it has the password in each
// request.
func TestALoginOfVASTsGoClientGivesASessionForVASTsClients(t *testing.T) {
	cli := engines.Tool(t, engines.Vastpy)
	s := drive.Serve(t, "--password-file", drive.Passwords(t))
	address := net.JoinHostPort(s.Host, s.Port)
	body, err := json.Marshal(map[string]string{"username": "ann", "password": drive.Password})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+address+"/api/token/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	a := engines.Do(t, &http.Client{Transport: transport}, r)
	if !a.OK() {
		t.Fatalf("got %s", a)
	}
	var session vast.Session
	engines.Decode(t, a.Body, &session)

	run := func(environment ...string) (string, int) {
		t.Helper()
		out, errOut, code := drive.Exec(t, t.TempDir(), append(environment, "VMS_ADDRESS="+address), cli, "post", "apitokens", "name=made")
		return out + errOut, code
	}
	if out, code := run("VMS_TOKEN=" + session.Access); code != 0 || !strings.Contains(out, "token") {
		t.Errorf("with the session: got exit %d and %s", code, out)
	}
	if out, code := run("VMS_USER=ann", "VMS_PASSWORD="+drive.Password); code == 0 || !strings.Contains(out, "No call takes a password.") || !strings.Contains(out, "VMS_TOKEN") {
		t.Errorf("with the password: got exit %d and %s", code, out)
	}
	s.CheckLog(drive.Password)
}
