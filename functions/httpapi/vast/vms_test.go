package vast_test

import (
	"net/http"
	"strings"
	"testing"

	"apitoken/functions/httpapi/vast"
)

const (
	maximum = "/api/latest/vms/1/set_max_api_tokens_per_user/"
	timeout = "/api/latest/vms/1/pwd_settings/"
)

func TestMaximumOfTokensIsSet(t *testing.T) {
	w := newScene(t)
	for body, want := range map[string]int{`{"max_api_tokens_per_user":0}`: 0, `{"max_api_tokens_per_user":7}`: 7, `{"max_api_tokens_per_user":50}`: 50} {
		if got := decodeAs[vast.Maximum](w.do("PATCH", maximum, w.admin, body).expect(http.StatusOK)); got.Tokens != want {
			t.Errorf("%s: got %d", body, got.Tokens)
		}
		set, err := w.issuer.Settings(t.Context(), root)
		if err != nil || set.TokenLimit != want {
			t.Errorf("%s: the setting is %d (%v)", body, set.TokenLimit, err)
		}
	}
	w.do("PATCH", maximum, w.admin, `{"max_api_tokens_per_user":2}`).expect(http.StatusOK)
	for _, v := range []string{`-1`, `51`, `1.5`, `1e1`, `"5"`, `true`, `[5]`, `99999999999999999999`, `null`} {
		a := w.do("PATCH", maximum, w.admin, `{"max_api_tokens_per_user":`+v+`}`).expect(http.StatusBadRequest)
		if text := a.message(); !strings.Contains(text, "max_api_tokens_per_user") || !strings.Contains(text, "0 to 50") {
			t.Errorf("%s: got %q", v, text)
		}
	}
	for _, body := range []string{``, `{}`, `{"token_limit":3}`} {
		if text := w.do("PATCH", maximum, w.admin, body).expect(http.StatusBadRequest).message(); !strings.Contains(text, "max_api_tokens_per_user") {
			t.Errorf("%s: got %q", body, text)
		}
	}
	if set, _ := w.issuer.Settings(t.Context(), root); set.TokenLimit != 2 {
		t.Errorf("a refused change set the limit to %d", set.TokenLimit)
	}
}

// TestTimeoutInAllCombinations: each row is sent after the rows before it.
func TestTimeoutInAllCombinations(t *testing.T) {
	w := newScene(t)
	const on, off, lifetime = `"pwd_expiration_timeout_enabled":true`, `"pwd_expiration_timeout_enabled":false`, `"pwd_expiration_timeout":`
	for _, c := range []struct {
		body    string
		want    vast.Timeout
		refused bool
	}{
		{``, vast.Timeout{Lifetime: "180D"}, true},
		{`{}`, vast.Timeout{Lifetime: "180D"}, true},
		{`{` + lifetime + `""}`, vast.Timeout{Lifetime: "180D"}, true},
		{`{` + lifetime + `null,"pwd_expiration_timeout_enabled":null}`, vast.Timeout{Lifetime: "180D"}, true},
		{`{` + off + `}`, vast.Timeout{Lifetime: "180D"}, false},
		{`{` + on + `}`, vast.Timeout{Lifetime: "180D", Enabled: true}, false},
		{`{` + lifetime + `"90D"}`, vast.Timeout{Lifetime: "90D", Enabled: true}, false},
		{`{` + on + `}`, vast.Timeout{Lifetime: "90D", Enabled: true}, false}, // the lifetime stays
		{`{` + lifetime + `"1W",` + on + `}`, vast.Timeout{Lifetime: "7D", Enabled: true}, false},
		{`{` + lifetime + `"1Y",` + off + `}`, vast.Timeout{Lifetime: "7D", Enabled: true}, true},
		{`{` + lifetime + `"90m"}`, vast.Timeout{Lifetime: "90m", Enabled: true}, false},
		{`{` + lifetime + `"1M"}`, vast.Timeout{Lifetime: "30D", Enabled: true}, false},
		{`{` + lifetime + `"",` + off + `}`, vast.Timeout{Lifetime: "180D"}, false},
		{`{` + lifetime + `"45s"}`, vast.Timeout{Lifetime: "45s", Enabled: true}, false},
		{`{` + lifetime + `"",` + on + `}`, vast.Timeout{Lifetime: "45s", Enabled: true}, false},
	} {
		a := w.do("PATCH", timeout, w.admin, c.body)
		switch {
		case c.refused && (a.Status != http.StatusBadRequest || !strings.Contains(a.message(), "pwd_expiration_timeout_enabled")):
			t.Errorf("%s: got %d %s, want a refusal that names both members", c.body, a.Status, a.Body)
		case !c.refused && decodeAs[vast.Timeout](a.expect(http.StatusOK)) != c.want:
			t.Errorf("%s: got %s, want %+v", c.body, a.Body, c.want)
		}
		if got := decodeAs[vast.Timeout](w.do("GET", timeout, w.admin, "").expect(http.StatusOK)); got != c.want {
			t.Errorf("after %s: got %+v, want %+v", c.body, got, c.want)
		}
	}
}

func TestWrongTimeoutsNameTheMember(t *testing.T) {
	w := newScene(t)
	for _, v := range append(wrongLifetimes, `"`+w.admin+`"`) {
		text := w.do("PATCH", timeout, w.admin, `{"pwd_expiration_timeout":`+v+`}`).expect(http.StatusBadRequest).message()
		if !strings.Contains(text, "pwd_expiration_timeout") || strings.Contains(text, "expires_in") || strings.Contains(text, "expiry_date") || strings.Contains(text, w.admin[9:]) {
			t.Errorf("%s: got %q", v, text)
		}
	}
	for _, v := range []string{`"true"`, `1`, `"False"`, `[]`} {
		text := w.do("PATCH", timeout, w.admin, `{"pwd_expiration_timeout_enabled":`+v+`}`).expect(http.StatusBadRequest).message()
		if text != "pwd_expiration_timeout_enabled must be true or false." {
			t.Errorf("%s: got %q", v, text)
		}
	}
	if text := w.do("PATCH", timeout, w.admin, `{"expiration_timeout_seconds":1}`).expect(http.StatusBadRequest).message(); !strings.Contains(text, "expiration_timeout_seconds is unknown") {
		t.Errorf("got %q", text)
	}
}

// TestEveryNumberIsThisVMS: scripts have the number of their own VMS.
func TestEveryNumberIsThisVMS(t *testing.T) {
	w := newScene(t)
	for _, vms := range []string{"0", "1", "12", "99999999999999999999"} {
		w.do("GET", "/api/latest/vms/"+vms+"/pwd_settings/", w.admin, "").expect(http.StatusOK)
		w.do("PATCH", "/api/v5/vms/"+vms+"/pwd_settings/", w.admin, `{"pwd_expiration_timeout_enabled":true}`).expect(http.StatusOK)
		w.do("PATCH", "/api/vms/"+vms+"/set_max_api_tokens_per_user", w.admin, `{"max_api_tokens_per_user":9}`).expect(http.StatusOK)
	}
	for _, vms := range []string{"x", "-1", "1.0", "+1", "%31x", "%D9%A3", "self"} {
		for _, c := range [][2]string{{"GET", "/pwd_settings/"}, {"PATCH", "/pwd_settings/"}, {"PATCH", "/set_max_api_tokens_per_user/"}} {
			if d := decodeAs[vast.Denied](w.do(c[0], "/api/latest/vms/"+vms+c[1], w.admin, "").expect(http.StatusNotFound)); d.Code != "path_not_found" {
				t.Errorf("%s: got the code %s", vms, d.Code)
			}
		}
	}
	w.do("GET", "/api/latest/vms/", w.admin, "").expect(http.StatusNotFound)
}
