// Package probe finds out whether a service that speaks DynamoDB's protocol has the
// abilities that the store relies on. Several such services lack one: dynalite has no
// transactions, and moto applies a transaction again that is sent again.
//
// A probe writes items under a key that no other program uses, and removes them. They
// have a time to live too, for a process that is killed meanwhile. What a probe cannot
// see is how a service behaves under load: whether its transactions are atomic, and its
// consistent reads consistent, while many clients write.
package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"apitoken/infra/dynamo/item"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// Ability is something that the store needs of DynamoDB, in words for people.
type Ability string

// The abilities, in the order in which Run looks for them.
const (
	ConsistentReads  Ability = "consistent reads (ConsistentRead of GetItem and Query)"
	ConditionalPuts  Ability = "conditional writes (ConditionExpression of PutItem and UpdateItem)"
	Transactions     Ability = "transactions (TransactWriteItems, all or nothing, with the reason for each item)"
	RequestTokens    Ability = "idempotent transactions (ClientRequestToken)"
	SecondaryIndexes Ability = "the indexes of the table (list, owner, unsent, due)"
)

// MissingError: the service does not have an ability.
type MissingError struct {
	Ability Ability
	Cause   error // what the service did instead
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("the table, or the service that has it, lacks %s, which apitoken needs: %v", e.Ability, e.Cause)
}

// Unwrap returns the cause.
func (e *MissingError) Unwrap() error { return e.Cause }

// cleanupTime is the maximum time for the removal of the items. It does not count
// against the caller's context.
const cleanupTime = 5 * time.Second

// kept is the time to live of an item that a killed probe has left.
const kept = time.Hour

// Run looks for all abilities. Its error is a *MissingError, or says why it could not
// find out: the service does not answer, or the credentials may not do a call.
func Run(ctx context.Context, client *dynamodb.Client, table string) error {
	p := &probe{client: client, table: table, id: rand.Text(), expires: time.Now().Add(kept)}
	err := p.all(ctx)
	return errors.Join(err, p.cleanUp(ctx))
}

type probe struct {
	client  *dynamodb.Client
	table   string
	id      string
	expires time.Time
}

func (p *probe) all(ctx context.Context) error {
	for _, step := range []struct {
		ability Ability
		look    func(context.Context) error
	}{
		{ConsistentReads, p.reads}, {ConditionalPuts, p.conditions}, {Transactions, p.transactions},
		{RequestTokens, p.requestTokens}, {SecondaryIndexes, p.indexes},
	} {
		if err := step.look(ctx); err != nil {
			return p.meaning(step.ability, err)
		}
	}
	return nil
}

// wrong is what a service did that DynamoDB does not do.
type wrong string

func (w wrong) Error() string { return string(w) }

// meaning tells a service without the ability from one that did not answer, and from
// credentials without a right.
func (p *probe) meaning(a Ability, err error) error {
	w, isWrong := errors.AsType[wrong](err)
	answer, answered := errors.AsType[smithy.APIError](err)
	response, hasStatus := errors.AsType[*awshttp.ResponseError](err)
	switch {
	case isWrong:
		return &MissingError{a, w}
	case answered && unsupported(answer.ErrorCode()), hasStatus && response.HTTPStatusCode() == http.StatusNotImplemented:
		return &MissingError{a, err}
	}
	return fmt.Errorf("looking for %s in table %s: %w", a, p.table, err)
}

// unsupported reports whether an error code says that the service does not know a call
// or a member of the call. The calls of a probe are valid for DynamoDB.
func unsupported(code string) bool {
	switch code {
	case "UnknownOperationException", "UnknownOperation", "ValidationException", "ValidationError", "SerializationException",
		"InvalidAction", "NotImplemented", "NotImplementedException", "NotImplementedError", "UnsupportedOperation":
		return true
	}
	return false
}

// The items of a probe, by number.
const items = 4

func (p *probe) key(n int) item.Item { return item.ProbeKey(p.id + "/" + strconv.Itoa(n)) }

// item returns the item n with a value.
func (p *probe) item(n int, value uint64) item.Item {
	return item.Probe(p.id+"/"+strconv.Itoa(n), value, p.expires)
}

// cleanUp removes all items. It also works after the end of ctx.
func (p *probe) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	var errs error
	for n := range items {
		_, err := p.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &p.table, Key: p.key(n)})
		errs = errors.Join(errs, err)
	}
	if errs != nil {
		return fmt.Errorf("removing the items of the probe from table %s: %w", p.table, errs)
	}
	return nil
}

func conditionFailed(err error) bool {
	_, failed := errors.AsType[*types.ConditionalCheckFailedException](err)
	return failed
}
