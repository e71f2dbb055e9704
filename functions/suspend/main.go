// Command suspend is the Lambda function that suspends, reinstates and offboards users.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("suspend") }
