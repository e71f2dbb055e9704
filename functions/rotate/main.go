// Command rotate is the Lambda function that gives tokens new secrets.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("rotate") }
