// Command history is the Lambda function that shows what happened to tokens.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("history") }
