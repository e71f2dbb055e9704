package httpapi_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"apitoken/events/guard"
	"apitoken/events/guard/guardtest"
	"apitoken/events/scope"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/infra/bolt/bolttest"
)

// TestTheServiceAnswersWithTheVerdict sends each question as a call of the service.
func TestTheServiceAnswersWithTheVerdict(t *testing.T) {
	guardtest.Run(t, bolttest.Open(t), 24, func(t *testing.T, s guardtest.Service) guardtest.Ask {
		return func(t *testing.T, q guard.Question) (guardtest.Answer, bool) {
			if strings.Contains(q.Path, "..") || strings.Contains(q.Path, "//") || strings.Contains(q.Path, "%2F") {
				return guardtest.Answer{}, false // these are no paths of the service, and it answers 404 first
			}
			r := httptest.NewRequest(q.Method, q.Path, nil)
			r.Header["Authorization"] = q.Authorization
			return answerOf(t, serviceOf(s, q.Source), r)
		}
	})
}

// TestTheIntrospectionAnswersWithTheVerdict asks about each token as a service does
// that checks tokens itself.
func TestTheIntrospectionAnswersWithTheVerdict(t *testing.T) {
	guardtest.Run(t, bolttest.Open(t), 20, func(t *testing.T, s guardtest.Service) guardtest.Ask {
		if _, _, err := s.Bootstrap(t.Context(), "admin", false); err != nil {
			t.Fatal(err)
		}
		return func(t *testing.T, q guard.Question) (guardtest.Answer, bool) {
			text, bearer := "", false
			if len(q.Authorization) == 1 {
				text, bearer = strings.CutPrefix(q.Authorization[0], "Bearer ")
			}
			if !bearer || strings.Contains(text, ",") {
				return guardtest.Answer{}, false // it gets a token and no header
			}
			got, err := s.Introspect(t.Context(), guard.Principal{Owner: "admin"}, text, q.Method+" "+q.Path, q.Source)
			switch {
			case err != nil:
				return guardtest.Answer{Fault: true}, true
			case got.Active:
				return guardtest.Answer{Owner: got.Owner, TokenID: got.ID}, true
			}
			return guardtest.Answer{Code: got.Reason}, true
		}
	})
}

// TestTheIntrospectionOfOAuthAnswersWithTheVerdict asks about each token as a resource
// server does. It compares the scopes itself, and does not learn why a token is
// inactive: the other introspection gives the code of the answer.
func TestTheIntrospectionOfOAuthAnswersWithTheVerdict(t *testing.T) {
	guardtest.Run(t, bolttest.Open(t), 20, func(t *testing.T, s guardtest.Service) guardtest.Ask {
		_, admin, err := s.Bootstrap(t.Context(), "admin", false)
		if err != nil {
			t.Fatal(err)
		}
		return func(t *testing.T, q guard.Question) (guardtest.Answer, bool) {
			text, bearer := "", false
			if len(q.Authorization) == 1 {
				text, bearer = strings.CutPrefix(q.Authorization[0], "Bearer ")
			}
			if !bearer || strings.Contains(text, ",") {
				return guardtest.Answer{}, false // it gets a token and no header
			}
			form := url.Values{"token": {text}}
			if q.Source.IsValid() {
				form.Set("source_ip", q.Source.String())
			}
			r := httptest.NewRequest(http.MethodPost, oauthIntrospect, strings.NewReader(form.Encode()))
			r.Header.Set("Authorization", "Bearer "+admin.Reveal())
			return resourceServer(t, s, q, text, handle(serviceOf(s, q.Source), r)), true
		}
	})
}

// resourceServer is the answer of a resource server to its client.
func resourceServer(t *testing.T, s guardtest.Service, q guard.Question, text string, a answer) guardtest.Answer {
	t.Helper()
	if a.status != http.StatusOK {
		return guardtest.Answer{Fault: a.status >= 500}
	}
	got := decodeAs[httpapi.OAuthIntrospection](t, a)
	var scopes []string
	for word := range strings.FieldsSeq(got.Scope) {
		scopes = append(scopes, strings.Replace(word, ":", " ", 1))
	}
	switch {
	case got.Active && scope.Allows(scopes, scope.CallOf(q.Method, q.Path)):
		return guardtest.Answer{Owner: got.Sub, TokenID: got.JTI}
	case got.Active:
		return guardtest.Answer{Code: guard.CodeOutOfScope}
	}
	other, err := s.Introspect(t.Context(), guard.Principal{Owner: "admin"}, text, "", q.Source)
	if err != nil || other.Active {
		t.Errorf("OAuth's introspection says inactive, the other one %+v, %v", other, err)
	}
	return guardtest.Answer{Code: other.Reason}
}

func serviceOf(s guardtest.Service, source netip.Addr) http.Handler {
	return machine.New(machine.Config{
		Issuer: s.Issuer, Guard: s.Guard(), Deployment: deployment, Now: s.Now, Logger: slog.New(slog.DiscardHandler),
		Source: func(*http.Request) netip.Addr { return source },
	}, httpapi.Face())
}

// answerOf sends a request. Every answer but these is one after the request has
// passed: the token of the path may not exist.
func answerOf(t *testing.T, h http.Handler, r *http.Request) (guardtest.Answer, bool) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	got := w.Result()
	defer got.Body.Close()
	var problem httpapi.Problem
	body, err := io.ReadAll(got.Body)
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &problem)
	}
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case got.StatusCode >= 500:
		return guardtest.Answer{Fault: true}, true
	case got.StatusCode == http.StatusUnauthorized, got.StatusCode == http.StatusForbidden && problem.Code != token.CodePermissionDenied:
		return guardtest.Answer{Code: problem.Code}, true
	}
	return guardtest.Answer{}, true
}
