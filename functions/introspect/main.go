// Command introspect is the Lambda function that tells other services and callers what a token is worth.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("introspect") }
