// Command list is the Lambda function that lists tokens.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("list") }
