// Command create is the Lambda function that makes tokens.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("create") }
