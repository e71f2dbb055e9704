// Command revoke is the Lambda function that revokes a token.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("revoke") }
