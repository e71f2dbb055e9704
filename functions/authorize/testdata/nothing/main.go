// Command nothing is a Lambda function that does nothing. A benchmark compares
// the start of authorize with the start of this function.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func() {}) }
