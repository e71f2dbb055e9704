package stack_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestTheEmulatorKnowsThePartitionKeyOfEveryIndex: without it the emulator refuses
// each query of the index. This test needs no engine.
func TestTheEmulatorKnowsThePartitionKeyOfEveryIndex(t *testing.T) {
	source, err := os.ReadFile("../engines/ministack/conditions.py")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(source), "\nPARTITION_KEYS = ")
	line, _, _ = strings.Cut(line, "\n")
	for _, index := range dynamo.Table("x").GlobalSecondaryIndexes {
		for _, key := range index.KeySchema {
			if want := fmt.Sprintf("%q: %q", *index.IndexName, *key.AttributeName); key.KeyType == types.KeyTypeHash && !strings.Contains(line, want) {
				t.Errorf("conditions.py knows the keys %s, want also %s", line, want)
			}
		}
	}
}
