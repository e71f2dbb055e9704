// Command vast is the Lambda function of the calls in VAST's form: it creates, lists,
// shows, changes and revokes tokens, and changes the token limit and the maximum
// lifetime. A parameter of the stack switches it on.
//
// No gateway authorizer runs before it, so that its 401 and 403 have VAST's form: the
// function checks the credential itself.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("vast") }
