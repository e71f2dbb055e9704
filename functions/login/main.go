// Command login is the Lambda function that opens sessions: for people who sign in at an
// issuer of OpenID Connect, for programs with a JWT of an issuer, and for who has a token
// of this service. A parameter of the stack switches it on.
//
// No gateway authorizer runs before it: its callers do not have a session yet. It is the
// only function that links the libraries of OpenID Connect.
package main

import (
	"fmt"

	"apitoken/functions/httpapi/machine"
	"apitoken/functions/wiring/api"
	"apitoken/infra/oidc"
)

func main() { api.RunWithIdentities("login", identities) }

// identities reads OIDC_ISSUERS and OIDC_SECRETS.
func identities(getenv func(string) string) (machine.Identities, error) {
	issuers, err := oidc.Parse(getenv("OIDC_ISSUERS"), getenv("OIDC_SECRETS"))
	if err != nil {
		return nil, fmt.Errorf("reading OIDC_ISSUERS and OIDC_SECRETS: %w", err)
	}
	return oidc.New(oidc.Config{Issuers: issuers}), nil
}
