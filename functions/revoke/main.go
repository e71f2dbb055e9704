// Command revoke is the Lambda function that ends a token.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("revoke") }
