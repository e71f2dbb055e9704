package httpapi_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/forward"
	"apitoken/functions/httpapi/machine"
)

// tokenIDs are the ids in the path of a problem and in its detail.
var tokenIDs = regexp.MustCompile(`(access-tokens/|token )[0-9A-Za-z]{8}("|/| was )`)

// errorCases have one case for each code that the service answers.
func errorCases() []errorCase {
	return slices.Concat(malformedCases(), credentialCases(), ruleCases(), forwardCases())
}

// forwardCases are the problems of the listener for reverse proxies.
func forwardCases() []errorCase {
	ask := func(peer string) func(*scene) answer {
		return func(w *scene) answer {
			r := request(w.t, "GET", forward.Prefix+"nginx", w.admin)
			r.RemoteAddr = peer
			r.Header.Set("X-Original-Method", "GET")
			r.Header.Set("X-Real-IP", "192.0.2.7")
			return handle(forward.New(forward.Config{Guard: w.issuer.Guard(), Logger: slog.New(slog.DiscardHandler)}), r)
		}
	}
	return []errorCase{
		{"forward_misconfigured", "", "", ask("127.0.0.1:1")},
		{"permission_denied_by_peer", "", "", ask("192.0.2.1:1")},
	}
}

// admin sends a call with the administrator's token.
func admin(method, path, body string) func(*scene) answer {
	return func(w *scene) answer { return w.do(method, path, w.admin, body) }
}

// with sends a call of the administrator with one more header.
func with(name, value, method, path, body string) func(*scene) answer {
	return func(w *scene) answer {
		return w.send(method, path, http.Header{"Authorization": {"Bearer " + w.admin}, name: {value}}, strings.NewReader(body))
	}
}

// by makes a token, and sends a call with it.
func by(in httpapi.CreateRequest, method, path, body string) func(*scene) answer {
	return func(w *scene) answer {
		_, text := w.make(in)
		return w.do(method, path, text, body)
	}
}

// about makes a token, and the administrator sends a call about it.
func about(in httpapi.CreateRequest, method, body string, before func(w *scene, id string)) func(*scene) answer {
	return func(w *scene) answer {
		made, _ := w.make(in)
		before(w, made.ID)
		return w.do(method, collection+made.ID, w.admin, body)
	}
}

func malformedCases() []errorCase {
	const host = "Host: localhost\r\n"
	return []errorCase{
		{"body_too_large", "", "", admin("POST", collection, strings.Repeat(" ", 70_000))},
		{"encoding_unsupported", "", "", with("Content-Encoding", "gzip", "POST", collection, "x")},
		{"expectation_unsupported", "", "", raw("POST / HTTP/1.1\r\n" + host + "Expect: cake\r\nContent-Length: 2\r\n\r\n")},
		{"header_too_large", "", "", raw("GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 40<<10) + "\r\n\r\n")},
		{"invalid_field", "name", "", admin("POST", collection, `{"name":" "}`)},
		{"invalid_header", "Idempotency-Key", "", with("Idempotency-Key", "short", "POST", collection, `{}`)},
		{"invalid_parameter", "limit", "", admin("GET", collection+"?limit=0", "")},
		{"malformed_json", "", "", admin("POST", collection, `{"name"`)},
		{"malformed_request", "", "", raw("hello\r\n\r\n")},
		{"method_not_allowed", "", "", admin("PUT", "/v1/version", "")},
		{"path_not_found", "", "", admin("GET", "/nowhere", "")},
		{"transfer_unsupported", "", "", raw("POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n")},
		{"unknown_member", "surplus", "", admin("POST", collection, `{"surplus":1}`)},
		{"version_unsupported", "", "", raw("GET / HTTP/3.0\r\n" + host + "\r\n")},
		{"wrong_type", "name", "", admin("POST", collection, `{"name":1}`)},
		{"internal", "", "", func(w *scene) answer { // a pepper is missing
			other := issuer.New(issuer.Config{Store: w.store, Keys: testKeys(w.t, "other"), Now: w.clock})
			return handle(w.handler(func(c *machine.Config) { c.Issuer = other }), request(w.t, "POST", collection, w.admin))
		}},
		{"unavailable", "", "", func(w *scene) answer {
			if err := w.store.Close(); err != nil {
				w.t.Fatal(err)
			}
			return w.do("GET", collection, w.admin, "")
		}},
	}
}

func credentialCases() []errorCase {
	who := func(end func(w *scene, id string)) func(*scene) answer { // what a token gets after end
		return func(w *scene) answer {
			made, text := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1h"})
			end(w, made.ID)
			return w.do("GET", "/v1/session/who-am-i", text, "")
		}
	}
	call := func(method, path, body string) func(*scene, string) {
		return func(w *scene, id string) {
			w.do(method, strings.ReplaceAll(path, "ID", id), w.admin, body).expect(w.t, http.StatusOK, "")
		}
	}
	header := func(values ...string) func(*scene) answer {
		return func(w *scene) answer {
			return w.send("GET", collection, http.Header{"Authorization": values}, http.NoBody)
		}
	}
	return []errorCase{
		{"credential_missing", "", "", header()},
		{"credential_repeated", "", "", func(w *scene) answer { return header("Bearer "+w.admin, "Bearer "+w.admin)(w) }},
		{"scheme_unsupported", "", "", header("Digest x")},
		{"password_failures_exceeded", "", "", func(w *scene) answer {
			p := &knownPasswords{err: &events.Refusal{Code: machine.CodePasswordFailures, Detail: "too many wrong passwords came from this address within a minute; wait before you try again", RetryAt: w.clock().Add(time.Minute)}}
			return w.logIn(p, `{"username":"ann","password":"hunter2"}`)
		}},
		{"password_invalid", "", "", func(w *scene) answer { return w.logIn(&knownPasswords{}, `{"username":"ann","password":"hunter2"}`) }},
		{"password_unsupported", "", "", func(w *scene) answer {
			return w.do("POST", "/v1/session/login", "", `{"username":"ann","password":"hunter2"}`)
		}},
		{"token_malformed", "", "", header("Bearer x")},
		{"token_invalid", "", "", header("Bearer JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F")},
		{"token_disabled", "", "", who(call("PATCH", collection+"ID", `{"enabled":false}`))},
		{"token_expired", "", "", who(func(w *scene, _ string) { w.sleep(time.Hour) })},
		{"token_replaced", "", "", who(call("POST", collection+"ID/rotate", `{"grace":"0"}`))},
		{"token_revoked", "", "", who(call("DELETE", collection+"ID", ""))},
		{"token_suspended", "", "", who(call("PUT", "/v1/users/ann/suspension", ""))},
		{"token_in_path", "", "", func(w *scene) answer { return w.do("GET", collection+w.admin, w.admin, "") }},
		{"token_in_query", "", "", func(w *scene) answer { return w.do("GET", collection+"?access_token=x", w.admin, "") }},
		{"permission_denied", "user", "", by(httpapi.CreateRequest{User: named("ann")}, "POST", collection, `{"user":{"name":"bob"}}`)},
		{"permission_denied_by_credential", "", "", func(w *scene) answer {
			made, text := w.make(httpapi.CreateRequest{User: named("ann")})
			w.do("POST", collection+made.ID+"/rotate", w.admin, "").expect(w.t, http.StatusOK, "")
			return w.do("DELETE", collection+"self", text, "")
		}},
		{"permission_denied_by_owner", "user", "", func(w *scene) answer {
			w.change(settings.Grant{User: "maker", Actions: []string{settings.ActionCreate}})
			return by(httpapi.CreateRequest{User: named("maker")}, "POST", collection, `{"user":{"name":"admin"}}`)(w)
		}},
		{"permission_denied_by_scope", "", "", by(httpapi.CreateRequest{Scopes: []string{"GET /v1/x"}}, "GET", collection, "")},
		{"permission_denied_by_source", "", "", by(httpapi.CreateRequest{SourceIPs: []string{"192.0.2.1"}}, "GET", collection, "")},
	}
}

func ruleCases() []errorCase {
	ann := httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1h"}
	revoke := func(w *scene, id string) { w.do("DELETE", collection+id, w.admin, "").expect(w.t, http.StatusOK, "") }
	return append(retryCases(), []errorCase{
		{"change_rate_exceeded", "", "", func(w *scene) answer {
			w.change(settings.Change{ChangeRate: new(1)})
			w.make(ann)
			return w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`)
		}},
		{"expiry_exceeds_maximum", "expires_in", "", func(w *scene) answer {
			w.change(settings.Change{Expiration: new(time.Hour)})
			return w.do("POST", collection, w.admin, `{"expires_in":"2h"}`)
		}},
		{"expiry_in_past", "expiration_time", "", admin("POST", collection, `{"expiration_time":"2001-01-01T00:00:00Z"}`)},
		{"expiry_outlives_maker", "expires_in", "", by(ann, "POST", collection, `{"expires_in":"2h"}`)},
		{"history_trimmed", "at", "first_instant", func(w *scene) answer {
			old, _ := w.make(httpapi.CreateRequest{User: named("ann")})
			w.sleep(24 * time.Hour)
			w.make(httpapi.CreateRequest{User: named("ann")})
			w.sleep(400*24*time.Hour - time.Hour)
			return w.do("GET", collection+old.ID+"?at=2026-11-22T00:00:00Z", w.admin, "")
		}},
		{"instant_in_future", "at", "", admin("GET", collection+"self?at=2099-01-01T00:00:00Z", "")},
		{"last_edit_holder", "permissions", "", admin("PUT", "/v1/users/admin/permissions", `{"permissions":[]}`)},
		{"not_found", "", "", admin("GET", collection+"JhxND7ci", "")},
		{"not_found_revoked", "", "ended_time", about(ann, "GET", "", revoke)},
		{"scope_exceeds_maker", "scopes", "", by(httpapi.CreateRequest{Scopes: []string{"POST /v1/*"}}, "POST", collection, `{"scopes":["GET /v1/x"]}`)},
		{"session_unchangeable", "", "", func(w *scene) answer {
			id, _ := w.session()
			return w.do("PATCH", collection+id, w.admin, `{"enabled":false}`)
		}},
		{"too_many_groups", "group", "", func(w *scene) answer {
			for n := range settings.MaxGroups {
				w.change(settings.MapGroup{Alias: "corp", Group: fmt.Sprint(n), Actions: []string{settings.ActionView}})
			}
			return w.do("PUT", "/v1/groups", w.admin, `{"alias":"corp","group":"one more","permissions":["view"]}`)
		}},
		{"self_suspension", "user", "", admin("PUT", "/v1/users/admin/suspension", "")},
		{"source_ips_exceed_maker", "source_ips", "", by(httpapi.CreateRequest{SourceIPs: []string{"127.0.0.1"}}, "POST", collection, `{"source_ips":["10.0.0.1"]}`)},
		{"state_too_large", "", "", admin("POST", collection, `{"scopes":[`+strings.Repeat(`"GET /`+strings.Repeat("x", 120)+`",`, 15)+`"GET /"],"name":"`+strings.Repeat("x", 128)+
			`","description":"`+strings.Repeat(`\"`, 512)+`","source_ips":[`+ranges(16)+`]}`)},
		{"token_ended", "", "ended_time", about(ann, "PATCH", `{}`, func(w *scene, _ string) { w.sleep(time.Hour) })},
		{"token_limit_reached", "", "token_limit live_tokens soonest_expiry", func(w *scene) answer {
			w.change(settings.Change{TokenLimit: new(1)})
			w.make(ann)
			return w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`)
		}},
		{"too_many_holders", "user", "", func(w *scene) answer {
			for n := range settings.MaxHolders - 1 { // and the administrator
				settingstest.Apply(w.t, w.store, w.keys, w.clock(), 0, settings.Grant{User: "u" + strings.Repeat("x", n%200) + string(rune('a'+n/200)), Actions: []string{"view"}})
			}
			return w.do("PUT", "/v1/users/zoe/permissions", w.admin, `{"permissions":["view"]}`)
		}},
		{"user_suspended", "user", "", func(w *scene) answer {
			if _, err := w.issuer.Suspend(w.t.Context(), guard.Principal{Owner: "admin"}, "ann", ""); err != nil {
				w.t.Fatal(err)
			}
			return w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`)
		}},
		{"version_conflict", "", "", with("If-Match", `"99"`, "DELETE", collection+"self", "")},
	}...)
}

// retryCases are about rotations and the header Idempotency-Key.
func retryCases() []errorCase {
	const key = "0123456789abcdef"
	keyed := func(w *scene, body string) answer {
		return with("Idempotency-Key", key, "POST", collection, body)(w)
	}
	return []errorCase{
		{"grace_too_short", "grace", "", admin("POST", collection+"self/rotate", `{"grace":"1s"}`)},
		{"idempotency_key_reused", "Idempotency-Key", "", func(w *scene) answer {
			keyed(w, `{}`).expect(w.t, http.StatusOK, "")
			return keyed(w, `{"name":"other"}`)
		}},
		{"rotated_recently", "", "", func(w *scene) answer {
			made := decodeAs[struct {
				BearerToken string `json:"bearer_token"`
			}](w.t, w.do("POST", collection+"self/rotate", w.admin, "").expect(w.t, http.StatusOK, ""))
			return w.do("POST", collection+"self/rotate", made.BearerToken, "")
		}},
		{"token_rotated", "Idempotency-Key", "", func(w *scene) answer {
			made := decodeAs[httpapi.Created](w.t, keyed(w, `{}`).expect(w.t, http.StatusOK, ""))
			w.do("POST", collection+made.ID+"/rotate", w.admin, "").expect(w.t, http.StatusOK, "")
			return keyed(w, `{}`)
		}},
	}
}
