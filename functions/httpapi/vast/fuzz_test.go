package vast_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"apitoken/events/settings"
	"apitoken/events/token"
	"apitoken/functions/httpapi/apitest"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/vast"
)

// FuzzRequests sends every query and every body to every route. The answer is always
// one of the document, and never a fault: the only 503 is the one at the limit.
func FuzzRequests(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""}, {"archived=True&owner=ann", `{"name":123,"owner":"ann","expiry_date":"30D"}`}, {"page=2&page_size=1&name=x", `{"name":1.5}`},
		{"page=9223372036854775807", `{"max_api_tokens_per_user":5}`}, {"owner=auth_id:7", `{"pwd_expiration_timeout":"1Y","pwd_expiration_timeout_enabled":true}`},
		{"%zz", `{"name":`}, {"token=x", `[]`}, {"owner=%00", `{"name":"\ud800"}`}, {"page_size=0", `{"max_api_tokens_per_user":99999999999999999999}`},
	} {
		for n := range len(machine.Routes(vast.Face())) {
			f.Add(byte(n), seed[0], seed[1])
		}
	}
	w := newScene(f)
	w.change(settings.Change{TokenLimit: new(50), ChangeRate: new(0)})
	id, _ := w.mint("ann", token.Wish{})
	routes := machine.Routes(vast.Face())
	f.Fuzz(func(t *testing.T, n byte, query, body string) {
		route := routes[int(n)%len(routes)]
		path := strings.NewReplacer("{id}", id, "{vms}", "1").Replace(route.Path)
		r := httptest.NewRequestWithContext(t.Context(), route.Method, path, strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Api-Token "+w.admin)
		rec := httptest.NewRecorder()
		w.server.Config.Handler.ServeHTTP(rec, r)
		var text string
		limit := rec.Code == http.StatusServiceUnavailable && json.Unmarshal(rec.Body.Bytes(), &text) == nil && text == "Max allowed API tokens reached"
		if rec.Code >= 500 && !limit {
			t.Errorf("%s %s?%s %q: got %d %s", route.Method, path, query, body, rec.Code, rec.Body)
		}
		a := apitest.Answer{Method: route.Method, Path: path, Status: rec.Code, Header: rec.Header(), Body: rec.Body.Bytes()}
		for _, complaint := range documented(t).Complaints(a) {
			t.Errorf("%s %s?%s %q differs from the document: %s\n%d %s", route.Method, path, query, body, complaint, rec.Code, rec.Body)
		}
	})
}
