package oidc_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"apitoken/events/secret"
	"apitoken/infra/oidc"
)

func TestSettings(t *testing.T) {
	got, err := oidc.Parse(`[
		{"alias":"work","url":"https://login.example.com/realms/work","client_id":"apitoken","cli_client_id":"apitoken-cli",
		 "groups_claim":"groups","name_claim":"nick","map_claim":"sam","max_session":"8H"},
		{"alias":"ci","url":"https://token.actions.githubusercontent.com","audiences":["https://tokens.example.com"],"max_session":"90m"},
		{"alias":"dev","url":"http://127.0.0.1:8080/realms/dev","cli_client_id":"cli"}]`, `{"work":"s3cret"}`)
	if err != nil {
		t.Fatal(err)
	}
	if text := got[0].Secret.Reveal(); text != "s3cret" {
		t.Errorf("the secret is %q", text)
	}
	got[0].Secret = secret.Secret{}
	want := []oidc.Issuer{
		{Alias: "work", URL: "https://login.example.com/realms/work", ClientID: "apitoken", CLIClientID: "apitoken-cli", GroupsClaim: "groups", NameClaim: "nick", MapClaim: "sam", MaxSession: 8 * time.Hour},
		{Alias: "ci", URL: "https://token.actions.githubusercontent.com", Audiences: []string{"https://tokens.example.com"}, MaxSession: 90 * time.Minute},
		{Alias: "dev", URL: "http://127.0.0.1:8080/realms/dev", CLIClientID: "cli"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, empty := range []string{"", " \n", "[]"} {
		if got, err := oidc.Parse(empty, " "); err != nil || len(got) > 0 {
			t.Errorf("%q: got %v (%v), want none", empty, got, err)
		}
	}
}

// TestWrongSettingsSayWhatIsAllowed: each error names the issuer, the member, and what is
// allowed, and has no secret.
func TestWrongSettingsSayWhatIsAllowed(t *testing.T) {
	one := func(members string) string {
		return `[{"alias":"work","url":"https://a.example.com","client_id":"c"` + members + `}]`
	}
	with := func(member, value string) string {
		return `[{` + strings.Replace(`"alias":"work","url":"https://a.example.com","client_id":"c"`, member, value, 1) + `}]`
	}
	for _, row := range []struct {
		issuers, secrets string
		parts            []string
	}{
		{`{"alias":"work"}`, "", []string{"is no JSON array", `[{"alias"`}},
		{`[`, "", []string{"is not valid JSON"}},
		{`null`, "", []string{"is no JSON array"}},
		{`[7]`, "", []string{"issuer 1 of the list", "is no JSON object", "alias, url"}},
		{`[{}]`, "", []string{"issuer 1 of the list", "alias", "small letters", "url is missing"}},
		{one(`,"cilent_id":"x"`), "", []string{`the issuer "work"`, `"cilent_id" is unknown`, "cli_client_id"}},
		{one(`,"alias":"again"`), "", []string{`"alias" twice`}},
		{one(`,"client_id":"again"`), "", []string{`"client_id" twice`}},
		{with(`"work"`, `"Work"`), "", []string{"issuer 1", `alias is "Work"`, "small letters"}},
		{with(`"work"`, `"w:1"`), "", []string{`alias is "w:1"`}},
		{with(`"work"`, `"aaaaaaaaaaaaaaaaa"`), "", []string{"alias is", "1 to 16"}},
		{with(`"work"`, `7`), "", []string{"alias has the wrong type; it must be a string"}},
		{with(`"work"`, `null`), "", []string{"alias has the wrong type"}},
		{with("https://a.example.com", "http://a.example.com"), "", []string{`"work"`, "url must begin with https://", "localhost"}},
		{with("https://a.example.com", "http://127.0.0.1.example.com"), "", []string{"url must begin with https://"}},
		{with("https://a.example.com", "ftp://localhost"), "", []string{"url must begin with https://"}},
		{with("https://a.example.com", "a.example.com"), "", []string{"url is no URL"}},
		{with("https://a.example.com", "https://"), "", []string{"url is no URL"}},
		{with("https://a.example.com", "https://a b"), "", []string{"url is no URL"}},
		{with("https://a.example.com", "https://ann:pass@a.example.com"), "", []string{"url has a user name"}},
		{with("https://a.example.com", "https://a.example.com?x"), "", []string{"a query"}},
		{with("https://a.example.com", "https://a.example.com?"), "", []string{"a query"}},
		{with("https://a.example.com", "https://a.example.com#"), "", []string{"a fragment"}},
		{with("https://a.example.com", "https://a.example.com/"+strings.Repeat("a", 255)), "", []string{"url is too long", "255"}},
		{with(`,"client_id":"c"`, ``), "", []string{"client_id is missing", "audiences"}},
		{with(`"c"`, `""`), "", []string{`client_id is ""`, "printable"}},
		{one(`,"audiences":"api"`), "", []string{"audiences has the wrong type; it must be an array of strings"}},
		{one(`,"audiences":["a",""]`), "", []string{`audiences has ""`}},
		{one(`,"groups_claim":"my groups"`), "", []string{"groups_claim", "printable"}},
		{one(`,"map_claim":"email"`), "", []string{"map_claim is email"}},
		{one(`,"max_session":"13H"`), "", []string{`max_session is "13H"`, "12H"}},
		{one(`,"max_session":"0m"`), "", []string{`max_session is "0m"`}},
		{one(`,"max_session":"8h"`), "", []string{`max_session is "8h"`}},
		{one(`,"max_session":"9999999999999999999H"`), "", []string{`max_session`}},
		{one(`,"max_session":8`), "", []string{"max_session has the wrong type"}},
		{one("") + "x", "", []string{"not valid JSON"}},
		{`[{"alias":"a","url":"https://a.example.com","client_id":"c"},{"alias":"a","url":"https://b.example.com","client_id":"c"}]`, "", []string{"the alias is given twice"}},
		{`[{"alias":"a","url":"https://a.example.com","client_id":"c"},{"alias":"b","url":"https://a.example.com","client_id":"c"}]`, "", []string{`"b"`, "the url is given twice"}},
		{one(""), `{"wrok":"s3cret"}`, []string{`"wrok"`, "allowed: work"}},
		{"", `{"work":"s3cret"}`, []string{"there is no issuer"}},
		{with(`"client_id"`, `"cli_client_id"`), `{"work":"s3cret"}`, []string{`"work"`, "has no client_id"}},
		{one(""), `{"work":7}`, []string{`"work"`, "not valid; allowed: a text"}},
		{one(""), `{"work":""}`, []string{`"work"`, "not empty"}},
		{one(""), `{"work":"s3cret","work":"s3cret"}`, []string{`"work" twice`}},
		{one(""), `["s3cret"]`, []string{"is no JSON object"}},
		{one(""), `s3cret`, []string{"is not valid JSON"}},
	} {
		_, err := oidc.Parse(row.issuers, row.secrets)
		if err == nil {
			t.Errorf("%s %s: no error, want one with %q", row.issuers, row.secrets, row.parts)
			continue
		}
		for _, part := range row.parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s %s: got %v, want %q", row.issuers, row.secrets, err, part)
			}
		}
		if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "pass") {
			t.Errorf("the error has a secret: %v", err)
		}
	}
}

// TestAllFaultsAreReportedTogether: nobody wants to deploy once for each mistake.
func TestAllFaultsAreReportedTogether(t *testing.T) {
	_, err := oidc.Parse(`[{"alias":"A","url":"x","client_id":"c"},{"alias":"b","url":"https://b.example.com","client_id":"c","max_session":"x"}]`, `{"b":""}`)
	for _, part := range []string{"alias", "url", `"b"`, "max_session", "the secret of"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %q too", err, part)
		}
	}
}

// FuzzSettings: every text is either refused, or gives issuers within the bounds.
func FuzzSettings(f *testing.F) {
	f.Add(`[{"alias":"work","url":"https://a.example.com","client_id":"c","max_session":"8H","audiences":["a"]}]`, `{"work":"s"}`)
	f.Add(`[{"alias":"work","alias":"w","url":"http://[::1]"}]`, `{}`)
	f.Fuzz(func(t *testing.T, issuers, secrets string) {
		list, err := oidc.Parse(issuers, secrets)
		if err != nil && list != nil {
			t.Errorf("got both issuers and %v", err)
		}
		seen := map[string]bool{}
		for _, i := range list {
			if len(i.Alias) < 1 || len(i.Alias) > 16 || strings.Trim(i.Alias, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || seen[i.Alias] || seen[i.URL] {
				t.Errorf("%s: the alias %q or the URL %q", issuers, i.Alias, i.URL)
			}
			seen[i.Alias], seen[i.URL] = true, true
			if !strings.HasPrefix(strings.ToLower(i.URL), "https://") && !strings.HasPrefix(strings.ToLower(i.URL), "http://") || i.MaxSession < 0 || i.MaxSession > 12*time.Hour {
				t.Errorf("%s: got %+v", issuers, i)
			}
			if i.ClientID == "" && i.CLIClientID == "" && len(i.Audiences) == 0 {
				t.Errorf("%s: no JWT could be for this service", issuers)
			}
		}
	})
}
