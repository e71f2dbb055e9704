// Package stack reads the peppers of a deployed stack: their names from the outputs of
// the stack, their values from Secrets Manager.
//
// Its clients use the default credential chain of AWS's own tools. No Lambda function
// may link it: CloudFormation puts the peppers into the environment of the functions.
package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"apitoken/events"
)

// output is the output of template.yaml with the secrets of the peppers: KID=ARN,KID=ARN.
const output = "PepperSecrets"

// callTime is the maximum time of one attempt of a call.
const callTime = 10 * time.Second

// Peppers returns the peppers of the stack in the form of the variable PEPPERS. No error
// contains a pepper.
func Peppers(ctx context.Context, name string) (string, error) {
	c, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(callTime)))
	if err != nil {
		return "", fmt.Errorf("reading the AWS configuration: %w", err)
	}
	value, err := readOutput(ctx, c, name)
	if err != nil {
		return "", err
	}
	secrets := secretsmanager.NewFromConfig(c)
	var all []string
	for _, entry := range strings.Split(value, ",") {
		kid, arn, ok := strings.Cut(entry, "=")
		if !ok {
			return "", fmt.Errorf("the output %s of stack %s has the form %q; want KID=ARN, with commas between them", output, name, value)
		}
		pepper, err := readPepper(ctx, secrets, kid, arn)
		if err != nil {
			return "", err
		}
		all = append(all, kid+":"+pepper)
	}
	return strings.Join(all, ","), nil
}

// readOutput returns the value of the output PepperSecrets.
func readOutput(ctx context.Context, c aws.Config, name string) (string, error) {
	about, err := cloudformation.NewFromConfig(c).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if problem, ok := errors.AsType[smithy.APIError](err); ok && problem.ErrorCode() == "ValidationError" {
		return "", fmt.Errorf("stack %s in the region %q: CloudFormation says: %s; give the name of the stack, and its region with AWS_REGION", name, c.Region, problem.ErrorMessage())
	}
	if err != nil {
		return "", fmt.Errorf("reading the outputs of stack %s: %w", name, err)
	}
	for _, s := range about.Stacks {
		for _, o := range s.Outputs {
			if aws.ToString(o.OutputKey) == output {
				return aws.ToString(o.OutputValue), nil
			}
		}
	}
	return "", fmt.Errorf("stack %s has no output %s: it is another stack, or its deployment did not finish", name, output)
}

// errForm does not describe the value, which may be a secret of another kind.
var errForm = errors.New("the secret is not a pepper; want a text with at least 32 bytes in standard base64")

func readPepper(ctx context.Context, c *secretsmanager.Client, kid, arn string) (string, error) {
	got, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return "", fmt.Errorf("reading the secret %s of pepper %s: %w", arn, kid, err)
	}
	pepper := aws.ToString(got.SecretString)
	if _, err := events.ParseKeys(kid + ":" + pepper); err != nil || strings.ContainsAny(pepper, ",:\n\r") {
		return "", fmt.Errorf("reading the secret %s of pepper %s: %w", arn, kid, errForm)
	}
	return pepper, nil
}
