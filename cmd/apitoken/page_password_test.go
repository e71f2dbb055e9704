package main

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"apitoken/functions/httpapi/signin"
)

// visitor is a person with a browser at the page of a server.
type visitor struct {
	t      *testing.T
	client *http.Client
}

const pageOfServer = "https://tokens.example.com"

// send gets a page, or posts a form as the page does. It returns the answer and its text.
func (v visitor) send(path string, form url.Values, credential string) (*http.Response, string) {
	v.t.Helper()
	method, header := http.MethodGet, http.Header{}
	if form != nil {
		method = http.MethodPost
		header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {pageOfServer}, "Sec-Fetch-Site": {"same-origin"}}
	}
	if credential != "" {
		header.Set("Authorization", "Bearer "+credential)
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, pageOfServer+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header = header
	answer, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer, string(body)
}

// shows checks that an answer has this status and these texts, and returns its text.
func (v visitor) shows(status int, path string, form url.Values, texts ...string) string {
	v.t.Helper()
	answer, body := v.send(path, form, "")
	if answer.StatusCode != status {
		v.t.Fatalf("%s: got %s %s, want %d", path, answer.Status, body, status)
	}
	for _, text := range texts {
		if !strings.Contains(body+answer.Header.Get("Location"), text) {
			v.t.Errorf("%s: the answer lacks %q: %s", path, text, body)
		}
	}
	return body
}

func (v visitor) session() string {
	u, _ := url.Parse(pageOfServer + "/ui/")
	for _, c := range v.client.Jar.Cookies(u) {
		if c.Name == signin.SessionCookie {
			return c.Value
		}
	}
	return ""
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	shownSecret = regexp.MustCompile(`data-secret>\n([^<]*)</textarea>`)
)

// TestAPersonSignsInAtThePageWithAPassword of the password file, makes a token, which
// outlives the session, and signs out.
func TestAPersonSignsInAtThePageWithAPassword(t *testing.T) {
	const password, wrong = `sésame & "more"=1%`, "hunter2hunter2"
	hash, err := bcrypt.GenerateFromPassword([]byte(password), 10)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	users := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(users, []byte("ann:"+string(hash)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := run(t, dir, "--password-file", users, "--tls-self-signed", "--tls-name", "tokens.example.com", "--public-url", pageOfServer)
	v := visitor{t, browserFor(t, s, filepath.Join(dir, "tls.crt"))}

	v.shows(http.StatusOK, "/ui/sign-in", nil, "With a password")
	for user, tried := range map[string]string{"ann": wrong, "nobody": password} {
		body := v.shows(http.StatusUnauthorized, "/ui/sign-in", url.Values{"way": {"password"}, "username": {user}, "password": {tried}}, `id="password-wrong"`, "The user name or the password is wrong")
		if strings.Contains(html.UnescapeString(body), tried) || v.session() != "" {
			t.Errorf("%s: the page repeats the password, or there is a session: %s", user, body)
		}
	}
	v.shows(http.StatusSeeOther, "/ui/sign-in", url.Values{"way": {"password"}, "username": {"ann"}, "password": {password}}, "./")
	session := v.session()
	v.shows(http.StatusOK, "/ui/", nil, "You have no token yet", "0 of 5 used")
	v.shows(http.StatusOK, "/ui/sessions", nil, "with a password")

	form := url.Values{"step": {"make"}}
	for _, m := range hiddenField.FindAllStringSubmatch(v.shows(http.StatusOK, "/ui/create", url.Values{"step": {"review"}, "name": {"backup"}, "expires": {"7D"}}, "Make the token"), -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	made := shownSecret.FindStringSubmatch(v.shows(http.StatusOK, "/ui/create", form, "shown this one time"))
	if made == nil {
		t.Fatal("the page does not show the token")
	}
	v.shows(http.StatusOK, "/ui/", nil, "backup", "1 of 5 used")

	v.shows(http.StatusSeeOther, "/ui/sign-out", url.Values{}, "sign-in?ended=signed-out")
	if v.session() != "" {
		t.Error("the browser still has the session")
	}
	v.shows(http.StatusSeeOther, "/ui/", nil, "sign-in")
	for credential, want := range map[string]int{session: http.StatusUnauthorized, made[1]: http.StatusOK} {
		if answer, body := v.send("/v1/auth/access-tokens/self", nil, credential); answer.StatusCode != want || want == http.StatusOK && !strings.Contains(body, `"name":"ann"`) {
			t.Errorf("after the sign-out: got %s %s, want %d", answer.Status, body, want)
		}
	}

	if err := s.end(syscall.SIGTERM); err != nil { // until then an event or a line may be on its way
		t.Fatal(err)
	}
	events, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{password, "sésame", wrong, session, made[1], made[1][9:]} {
		if strings.Contains(s.out.String()+s.log.String()+string(events), secret) {
			t.Error("the output of the server or an event has a secret")
		}
	}
	if !strings.Contains(string(events), `"actorvia":"ui"`) {
		t.Errorf("no event is by a caller at the page: %s", events)
	}
}
