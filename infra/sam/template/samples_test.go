package template_test

import (
	"encoding/json"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/infra/bolt/bolttest"
	"apitoken/infra/dynamo/item"
)

func hourAgo() time.Time { return time.Now().UTC().Add(-time.Hour) }

// payload is the event in JSON.
func payload(t *testing.T, event any) []byte {
	t.Helper()
	b, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tokenSample is a token with its secret, and its view as an item.
type tokenSample struct {
	id, text string
	view     item.Item
}

// question is what API Gateway asks the authorizer about the token.
func (k tokenSample) question() []byte {
	return []byte(`{"type":"TOKEN","authorizationToken":"Bearer ` + k.text + `","methodArn":"arn:aws:execute-api:us-east-1:123456789012:api/prod/GET/x"}`)
}

func newToken(t *testing.T) tokenSample {
	t.Helper()
	return makeToken(t, func(*issuer.Issuer, string) {})
}

// newReplacedToken makes a token whose secret was replaced, and its grace has ended.
func newReplacedToken(t *testing.T) tokenSample {
	t.Helper()
	return makeToken(t, func(i *issuer.Issuer, id string) {
		grace := time.Minute
		if _, _, err := i.Rotate(t.Context(), guard.Principal{Owner: "ann"}, id, nil, &grace); err != nil {
			t.Fatal(err)
		}
	})
}

// makeToken makes a token and changes it, an hour ago.
func makeToken(t *testing.T, change func(*issuer.Issuer, string)) tokenSample {
	t.Helper()
	store := bolttest.Open(t)
	i := issuer.New(issuer.Config{Store: store, Keys: storetest.Keys, Now: hourAgo})
	made, text, err := i.Create(t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	change(i, made.ID)
	v, _, err := store.Token(t.Context(), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	return tokenSample{made.ID, text.Reveal(), item.View(v)}
}

// record is a record of the log, or a message in place of it.
type record struct {
	events.Record
	Message *events.Message
}

// lateAge is the age of a record that reconcile sends, and not publish.
const lateAge = 20 * time.Minute

// newRecord makes the first record of an owner's stream.
func newRecord(t *testing.T, age time.Duration) record {
	t.Helper()
	m := events.Meta{Command: "c", Actor: "ann", At: time.Now().UTC().Add(-age)}
	c, err := events.NewCommit(storetest.Keys, events.UserStream("ann"), events.Head{}, m, []events.Fact{events.TokenRevoked{TokenID: "JhxND7ci", Owner: "ann"}}, 1, nil, events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	return record{Record: c.Records()[0]}
}

func (r record) message() events.Message {
	m := r.Record.Message()
	if r.Message != nil {
		m = *r.Message
	}
	m.Deployment = "test"
	return m
}

// streamNumber is the number of the record in the change stream.
const streamNumber = "17"

// inserted is the batch of the change stream with the record.
func (r record) inserted(t *testing.T) []byte {
	t.Helper()
	image := r.item(t)
	return payload(t, object{"Records": list(object{"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": object{
		"Keys": wireItem(item.KeyOf(image)), "NewImage": wireItem(image), "SequenceNumber": streamNumber, "StreamViewType": "NEW_IMAGE",
	}})})
}

func (r record) item(t *testing.T) item.Item {
	t.Helper()
	it, err := item.Record(r.Record)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// unsent is a token table with the record, in its shard of the index.
func (r record) unsent(action string, in object) []item.Item {
	it, err := item.Record(r.Record)
	if err != nil {
		panic(err)
	}
	if action == "Query" && at(in, "ExpressionAttributeValues", ":shard", "S") != item.TextOf(it, item.UnsentPK) {
		return nil
	}
	return []item.Item{it}
}

// queued is the batch of the audit queue with the events of the records.
func queued(t *testing.T, rs ...record) []byte {
	t.Helper()
	var messages []any
	for _, r := range rs {
		detail, err := r.message().Detail()
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, object{"messageId": r.ID(), "eventSource": "aws:sqs", "body": string(payload(t, object{"detail": json.RawMessage(detail)}))})
	}
	return payload(t, object{"Records": messages})
}
