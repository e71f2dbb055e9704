package chain_test

import (
	"testing"
	"time"

	"apitoken/infra/dynamo/chain"

	"github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// TestClientHasTheProfilesRegionAndOurLimits uses a shared file, which the
// client of a Lambda function never reads.
func TestClientHasTheProfilesRegionAndOurLimits(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", "testdata/config")
	t.Setenv("AWS_PROFILE", "operator")
	t.Setenv("AWS_REGION", "")
	c, err := chain.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := c.Options()
	if o.Region != "eu-north-1" {
		t.Errorf("got region %q, want the profile's", o.Region)
	}
	if h, ok := o.HTTPClient.(*http.BuildableClient); !ok || h.GetTimeout() != time.Second || o.Retryer.MaxAttempts() != 3 {
		t.Errorf("got a %T and %d attempts, want a second and 3", o.HTTPClient, o.Retryer.MaxAttempts())
	}
}
