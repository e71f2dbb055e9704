package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/instant"
	"apitoken/events/secret"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var dynamoTime = budget{"authorize on DynamoDB, CPU time", "the SDK's read alone", 1.25, "×"}

const dynamoLoops = 4000

// authorizeOnDynamo compares the CPU time of an authorization, from the header
// to the principal, with that of the SDK's read alone. Both get the same answer
// from a transport that needs no network.
func (b *bench) authorizeOnDynamo(folder) error {
	keys, err := events.ParseKeys(newPeppers())
	if err != nil {
		return err
	}
	t := secret.Mint("")
	answer, err := answerFor(keys, t, "ann")
	if err != nil {
		return err
	}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", HTTPClient: answer, BaseEndpoint: aws.String("http://127.0.0.1:1"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "bench", SecretAccessKey: "bench"}, nil
		}),
	})
	g := guard.New(guard.Config{Views: dynamo.New(client, "tokens"), Uses: used{}, Keys: keys})
	header := []string{"Bearer " + t.Text().Reveal()}
	ctx, source := context.Background(), netip.MustParseAddr("192.0.2.1")
	check := func() error {
		t, err := guard.Credential(header)
		if err == nil {
			_, err = g.Check(ctx, t, source)
		}
		return err
	}
	bare := func() error {
		out, err := client.Query(ctx, &dynamodb.QueryInput{
			TableName: aws.String("tokens"), ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("PK = :pk"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":pk": &types.AttributeValueMemberS{Value: "TOKEN#" + t.ID}},
		})
		if err == nil && len(out.Items) != 2 {
			err = errors.New("the bare read got no token")
		}
		return err
	}
	r, err := ratio(b.rounds, func() (float64, error) { return cpuTime(check) }, func() (float64, error) { return cpuTime(bare) })
	if err != nil {
		return err
	}
	b.report(dynamoTime.of(r))
	return nil
}

// cpuTime is the CPU time of one call of f. Other processes do not count.
func cpuTime(f func() error) (seconds float64, err error) {
	before, err := processTime()
	if err != nil {
		return 0, err
	}
	for range dynamoLoops {
		if err := f(); err != nil {
			return 0, err
		}
	}
	after, err := processTime()
	return (after - before).Seconds() / dynamoLoops, err
}

// processTime is the CPU time that this process has used.
func processTime() (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, fmt.Errorf("measuring CPU time: %w", err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}

// fixedAnswer answers every request with the same items.
type fixedAnswer struct {
	body []byte
	sum  string
}

// answerFor is DynamoDB's answer with a typical token and its use.
func answerFor(keys events.Keys, t secret.Token, owner string) (fixedAnswer, error) {
	v, err := sealedView(keys, t, owner)
	if err != nil {
		return fixedAnswer{}, err
	}
	use := item.UseKey(t.ID)
	use[item.UseAt], use[item.UseAddress] = item.Text(item.Time(v.CreatedAt)), item.Text("192.0.2.1")
	body, err := json.Marshal(map[string]any{"Count": 2, "ScannedCount": 2, "Items": []any{wireForm(item.View(v)), wireForm(use)}})
	return fixedAnswer{body, strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)}, err
}

// sealedView is the view of a typical token, with the seal that a commit makes.
func sealedView(keys events.Keys, t secret.Token, owner string) (events.View, error) {
	verifier, err := secret.NewVerifier(keys, t, owner)
	if err != nil {
		return events.View{}, err
	}
	now := instant.Cut(time.Now())
	v := events.View{
		ID: t.ID, Owner: owner, Creator: owner, Name: owner + "_api_token", Verifier: verifier, CreatedAt: now, ExpiresAt: now.AddDate(1, 0, 0),
		Scopes: []string{"GET /v1/*", "POST /v1/x"}, First: 3, Seq: 7,
	}
	facts := []events.Fact{events.TokenCreated{TokenID: t.ID, Owner: owner}}
	c, err := events.NewCommit(keys, events.UserStream(owner), events.Head{}, events.Meta{At: now}, facts, 1, nil, events.Effect{Minted: []events.View{v}})
	if err != nil {
		return events.View{}, err
	}
	return c.Effect().Minted[0], nil
}

// wireForm is an item as DynamoDB sends it in JSON.
func wireForm(it item.Item) map[string]any {
	wire := map[string]any{}
	for name, v := range it {
		wire[name] = attribute(v)
	}
	return wire
}

func attribute(v types.AttributeValue) map[string]any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *types.AttributeValueMemberB:
		return map[string]any{"B": v.Value}
	case *types.AttributeValueMemberL:
		var all []any
		for _, e := range v.Value {
			all = append(all, attribute(e))
		}
		return map[string]any{"L": all}
	}
	panic(fmt.Sprintf("a typical token has no attribute of type %T", v))
}

func (c fixedAnswer) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Request: r, ContentLength: int64(len(c.body)),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Crc32": {c.sum}},
		Body:   io.NopCloser(bytes.NewReader(c.body)),
	}, nil
}
