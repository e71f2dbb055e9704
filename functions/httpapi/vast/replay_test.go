package vast_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events/token"
	"apitoken/functions/httpapi/vast"

	"github.com/rogpeppe/go-internal/txtar"
)

// request is one request of testdata/requests.txtar.
type request struct{ name, bytes string }

// recorded returns the requests. txtar ends each file with a line break, which is no
// part of the request.
func recorded(t *testing.T) (all []request) {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/requests.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		text := strings.TrimSuffix(string(f.Data), "\n")
		all = append(all, request{f.Name, strings.ReplaceAll(text, "\n", "\r\n")})
	}
	return all
}

// replay sends a request of the file over a connection of its own. The token of the
// request is the administrator's, and its id is a token of ann.
func (w *scene) replay(r request, id string) answer {
	w.t.Helper()
	address := w.server.Listener.Addr().String()
	c, err := net.Dial("tcp", address)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	text := strings.NewReplacer("HOST", address, "TOKEN", w.admin, "IDIDIDID", id).Replace(r.bytes)
	if _, err := io.WriteString(c, text); err != nil {
		w.t.Fatal(err)
	}
	line := strings.Fields(text)
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: line[0]})
	if err != nil {
		w.t.Fatalf("%s: %v", r.name, err)
	}
	return w.read(line[0], line[1], res)
}

var secrets = regexp.MustCompile(`[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}`)

// TestRecordedRequestsGetTheirAnswers: every request is sent to a fresh service in
// which ann has one token. The golden file has the answers.
func TestRecordedRequestsGetTheirAnswers(t *testing.T) {
	var all strings.Builder
	for _, r := range recorded(t) {
		w := newScene(t)
		w.sleep(time.Second) // a list is in the order of creation
		id, _ := w.mint("ann", token.Wish{Name: "nightly backup"})
		a := w.replay(r, id)
		if kind := a.Header.Get("Content-Type"); kind != "application/json" {
			t.Errorf("%s: got the type %q; vastpy reads only application/json", r.name, kind)
		}
		if a.Status >= 300 && a.Status < 400 || a.Status >= 500 {
			t.Errorf("%s: got %d %s", r.name, a.Status, a.Body)
		}
		body := secrets.ReplaceAllString(string(a.Body), "NEW.TOKEN")
		body = strings.NewReplacer(w.server.URL, "http://HOST", id, "IDIDIDID", w.admin[:8], "ADMINSID").Replace(body)
		body = lastUse.ReplaceAllString(body, `"last_used":null`) // a busy machine does not store each use
		body = newID.ReplaceAllString(body, `{"id":"NEW","token":"NEW.TOKEN"}`)
		fmt.Fprintf(&all, "%s\n%d %s", r.name, a.Status, body)
		w.server.Close()
	}
	golden(t, "replayed.txt", all.String())
}

var lastUse = regexp.MustCompile(`"last_used":"[^"]*"`)

var newID = regexp.MustCompile(`\{"id":"[0-9A-Za-z]{8}","token":"NEW.TOKEN"\}`)

// TestRecordedRequestsDoWhatTheySay: the whole life of a token, with requests of each
// client in turn.
func TestRecordedRequestsDoWhatTheySay(t *testing.T) {
	byName := map[string]request{}
	for _, r := range recorded(t) {
		byName[r.name] = r
	}
	for _, client := range []struct{ create, list, show, modify, revoke, archive string }{
		{"vastpy: apitokens.post(name='nightly backup', expiry_date='30D', owner='ann')", "vastpy: apitokens.get(owner='ann', name='nightly backup')", "vastpy: apitokens[ID].get()",
			"vastpy: apitokens[ID].patch(name='weekly', expiry_date='60D')", "vastpy: apitokens[ID].revoke.patch()", "vastpy: apitokens.get(archived=True)"},
		{"vastpy-cli: post apitokens expiry_date=30D owner=ann", "vastpy-cli: get apitokens owner=ann", "vastpy-cli: get apitokens/IDIDIDID",
			"vastpy-cli: patch apitokens/IDIDIDID expiry_date=60D", "vastpy-cli: patch apitokens/IDIDIDID/revoke", "vastpy-cli: get apitokens archived=true"},
		{"go-vast-client: ApiTokens.Create(name, owner)", "go-vast-client: ApiTokens.Ensure(name)", "go-vast-client: ApiTokens.GetById",
			"go-vast-client: ApiTokens.Update", "go-vast-client: ApiTokens.Revoke", "vastpy: apitokens.get(archived=True)"},
	} {
		w := newScene(t)
		send := func(name, id string, status int) answer {
			t.Helper()
			r, ok := byName[name]
			if !ok {
				t.Fatalf("there is no request %q", name)
			}
			return w.replay(r, id).expect(status)
		}
		listed := func(name, id string) bool {
			t.Helper()
			return slices.ContainsFunc(decodeAs[[]vast.APIToken](send(name, id, http.StatusOK)), func(t vast.APIToken) bool { return t.ID == id })
		}
		made := decodeAs[vast.Created](send(client.create, "", http.StatusCreated))
		w.do("GET", collection, made.Token, "").expect(http.StatusOK)
		if !listed(client.list, made.ID) {
			t.Errorf("%s: the new token is not there", client.list)
		}
		before := decodeAs[vast.APIToken](send(client.show, made.ID, http.StatusOK))
		send(client.modify, made.ID, http.StatusOK).message()
		after := decodeAs[vast.APIToken](send(client.show, made.ID, http.StatusOK))
		if before.ExpiryDate.Sub(before.Created.Time).Hours() != 30*24 || after.ExpiryDate.Sub(after.Created.Time).Hours() != 60*24 {
			t.Errorf("%s: got the expiry %s, then %s", client.modify, before.ExpiryDate, after.ExpiryDate)
		}
		send(client.revoke, made.ID, http.StatusOK).message()
		w.do("GET", collection, made.Token, "").expect(http.StatusUnauthorized)
		if listed(client.list, made.ID) || !listed(client.archive, made.ID) {
			t.Errorf("%s: the revoked token is in the list, or not in the archive", client.revoke)
		}
		if text := send(client.revoke, made.ID, http.StatusNotFound).message(); text != "API key not found" {
			t.Errorf("%s again: got %q", client.revoke, text)
		}
	}
}

// TestRecordedFileIsWhole: no tool has changed its line breaks or lengths.
func TestRecordedFileIsWhole(t *testing.T) {
	b, err := os.ReadFile("testdata/requests.txtar")
	if err != nil || strings.Contains(string(b), "\r") {
		t.Fatalf("the file has CR (%v)", err)
	}
	all := recorded(t)
	if len(all) != 49 {
		t.Errorf("got %d requests", len(all))
	}
	for _, r := range all {
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(r.bytes)))
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		body, err := io.ReadAll(req.Body)
		if chunked := slices.Contains(req.TransferEncoding, "chunked"); err != nil || chunked && len(body) > 0 || !chunked && int64(len(body)) != req.ContentLength {
			t.Errorf("%s: got %d bytes of body (%v)", r.name, len(body), err)
		}
	}
}
