// Command oauth is the Lambda function of the calls that OAuth defines: it checks a
// token for a resource server (RFC 7662), and ends a token for everybody who has it
// (RFC 7009).
//
// No gateway authorizer runs before it, so that its errors have OAuth's form: the
// function checks the credential itself. A revocation needs no credential but the
// token in its body.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("oauth") }
