package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/oauth2-proxy/mockoidc"
	"github.com/rogpeppe/go-internal/testscript"

	"apitoken/cmd/apitoken/signin/signintest"
)

// scriptIssuer is `issuer FILE SUBJECT POLL...`: it starts an issuer where the person
// SUBJECT signs in, and writes FILE for serve --oidc-issuers. A device gets the answers
// POLL one after the other.
func scriptIssuer(ts *testscript.TestScript, neg bool, args []string) {
	i := signintest.Start(scriptTB{ts: ts})
	i.Polls, i.Device = args[2:], map[string]any{"interval": 1}
	for range 10 {
		i.QueueUser(&mockoidc.MockUser{Subject: args[1], PreferredUsername: args[1]})
	}
	file, err := json.Marshal([]map[string]any{{"alias": "corp", "url": i.Issuer(), "cli_client_id": i.ClientID}})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), file, 0o600))
}

// scriptTB is the part of testing.TB that an issuer needs.
type scriptTB struct {
	testing.TB
	ts *testscript.TestScript
}

func (t scriptTB) Helper()           {}
func (t scriptTB) Cleanup(f func())  { t.ts.Defer(f) }
func (t scriptTB) Fatal(args ...any) { t.ts.Fatalf("%v", args) }
func (t scriptTB) Error(args ...any) { t.ts.Logf("%v", args) }
