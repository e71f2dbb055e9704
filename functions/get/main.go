// Command get is the Lambda function that shows a token.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("get") }
