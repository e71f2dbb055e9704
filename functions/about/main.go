// Command about is the Lambda function that tells anybody the version, whether
// the service works, and how to call it.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("about") }
