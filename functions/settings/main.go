// Command settings is the Lambda function that shows and changes settings, permissions
// and limits.
package main

import "apitoken/functions/wiring/api"

func main() { api.Run("settings") }
