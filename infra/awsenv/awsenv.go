// Package awsenv configures clients of AWS services from the environment of a
// Lambda function, and from no other source. The SDK's package config also
// reads files, single sign-on and instance roles; it would make the start of a
// function three times as long.
//
// It promises:
//   - All missing variables are reported in one error, without the values of any.
//   - A connection that AWS has closed costs a caller a few milliseconds.
//   - Clients that failed together do not come back together.
//
// The packages of the adapters make the clients.
package awsenv

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Env has the address and the identity of a client.
type Env struct {
	Region      string
	Credentials aws.CredentialsProvider
	Endpoint    *string // nil: AWS itself
}

// Read reads the variables that Lambda sets: AWS_REGION, AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. If an emulator replaces AWS, it
// also reads AWS_ENDPOINT_URL_SERVICE or, without that, AWS_ENDPOINT_URL.
// service is the name in capitals, as in the variable. The error names every
// missing variable.
func Read(getenv func(string) string, service string) (Env, error) {
	var missing []string
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return Env{}, errors.New("not set: " + strings.Join(missing, ", "))
	}
	e := Env{Region: getenv("AWS_REGION"), Credentials: fixed{
		AccessKeyID: getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken: getenv("AWS_SESSION_TOKEN"), Source: "environment",
	}}
	if url := cmp.Or(getenv("AWS_ENDPOINT_URL_"+service), getenv("AWS_ENDPOINT_URL")); url != "" {
		e.Endpoint = &url
	}
	return e, nil
}

// fixed are credentials for the life of the process: Lambda replaces a sandbox
// before its credentials expire.
type fixed aws.Credentials

func (f fixed) Retrieve(context.Context) (aws.Credentials, error) { return aws.Credentials(f), nil }
