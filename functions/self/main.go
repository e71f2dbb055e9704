// Command self is the Lambda function of the calls about the token that the
// caller shows. It shows this token, its user and its history, rotates it, and
// revokes it.
//
// Only the rotation needs a scope. No gateway authorizer runs before them, so the
// function checks the credential itself.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("self") }
