package bridge

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"apitoken/infra/awsenv/awsenvtest"
)

// TestAConnectionThatAWSHasClosedCostsLittle: EventBridge closes idle connections,
// and a frozen sandbox does not see that.
func TestAConnectionThatAWSHasClosedCostsLittle(t *testing.T) {
	d := awsenvtest.NewDrops(t, "application/x-amz-json-1.1", `{"Name":"tokens"}`)
	client, err := FromEnv(func(name string) string {
		return map[string]string{"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": d.URL}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	d.ExpectLittle(t, func() error {
		_, err := client.DescribeEventBus(t.Context(), &eventbridge.DescribeEventBusInput{})
		return err
	})
}
