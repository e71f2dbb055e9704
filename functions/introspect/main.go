// Command introspect is the Lambda function that checks a token for another
// service.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("introspect") }
