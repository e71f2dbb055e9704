package main

import (
	"strings"
	"testing"
)

// TestTheIssuersComeFromTheEnvironment: a fault stops the start, and names the variables
// and no secret.
func TestTheIssuersComeFromTheEnvironment(t *testing.T) {
	const issuers = `[{"alias":"work","url":"https://login.example.com","client_id":"web"}]`
	for _, row := range []struct{ issuers, secrets, fault string }{
		{"", "", ""},
		{issuers, `{"work":"hunter2"}`, ""},
		{`[{"alias":"work"}]`, "", "url is missing"},
		{issuers, `{"wrok":"hunter2"}`, `"wrok"`},
		{issuers, `hunter2`, "not valid JSON"},
	} {
		ids, err := identities(func(name string) string {
			return map[string]string{"OIDC_ISSUERS": row.issuers, "OIDC_SECRETS": row.secrets}[name]
		})
		switch {
		case row.fault == "" && (err != nil || len(ids.Issuers()) != min(len(row.issuers), 1)):
			t.Errorf("%s: got %v (%v)", row.issuers, ids, err)
		case row.fault != "" && (err == nil || !strings.Contains(err.Error(), row.fault) || !strings.Contains(err.Error(), "OIDC_SECRETS") || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%s: got %v, want %q", row.issuers, err, row.fault)
		}
	}
}
