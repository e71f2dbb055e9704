// Command update is the Lambda function that changes a token.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("update") }
