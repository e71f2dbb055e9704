// Command about is the Lambda function of the calls without a credential: the
// version, the health of the service, and its OpenAPI document.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("about") }
