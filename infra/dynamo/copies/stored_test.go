package copies_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo/copies"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

var update = flag.Bool("update", false, "write the golden files again")

// wire is an engine that gives every call the same answer and keeps the last
// call.
type wire struct {
	answer []byte
	call   struct {
		Item json.RawMessage // of PutItem
		Key  json.RawMessage // of DeleteItem
	}
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := json.NewDecoder(r.Body).Decode(&w.call); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(bytes.NewReader(w.answer)), ContentLength: int64(len(w.answer)), Request: r,
	}, nil
}

// onWire returns a table that sends its calls to w.
func onWire(t *testing.T, w *wire) *copies.Table {
	t.Helper()
	c := clientAt(t, "http://127.0.0.1:1").Options()
	return copies.New(dynamodb.New(c, func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: w} }), "copies")
}

// sampleOf is the published sample of an event.
func sampleOf(t *testing.T, kind string) events.Message {
	t.Helper()
	b, err := os.ReadFile("../../../events/samples/" + kind + ".v1.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := events.ParseDetail(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestTheFormOfStoredItemsDoesNotChange compares with the items in testdata, which
// are like those of audit tables in use. Copies are permanent, so no attribute
// and no key may change.
func TestTheFormOfStoredItemsDoesNotChange(t *testing.T) {
	m := sampleOf(t, "TokenRevoked")
	long := m
	long.Stream, long.Seq = "user/ACTIVE_DIRECTORY:a#b/c", 999_999_999_999
	long.ID = string(long.Stream) + "/999999999999"
	for name, write := range map[string]func(*copies.Table) error{
		"copy":     func(table *copies.Table) error { _, _, err := table.Keep(t.Context(), m); return err },
		"last":     func(table *copies.Table) error { _, _, err := table.Keep(t.Context(), long); return err },
		"notice":   func(table *copies.Table) error { _, _, err := table.Keep(t.Context(), notice); return err },
		"evidence": func(table *copies.Table) error { return table.Evidence(t.Context(), m) },
		"wait":     func(table *copies.Table) error { return table.Await(t.Context(), long.Stream, 7, since) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{answer: []byte(`{}`)}
			if err := write(onWire(t, w)); err != nil {
				t.Fatal(err)
			}
			if got, want := decoded(t, w.call.Item), golden(t, name, w.call.Item); !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%s\nwant\n%v", w.call.Item, want)
			}
		})
	}
}

// since has microseconds, and is written in UTC.
var since = time.Date(2026, 11, 21, 13, 0, 0, 5000, time.FixedZone("far", 3600))

// TestItemsOfTheStoredFormAreRead reads the items of testdata.
func TestItemsOfTheStoredFormAreRead(t *testing.T) {
	table := onWire(t, &wire{answer: []byte(`{"Items":[` + string(stored(t, "copy")) + `]}`)})
	got, err := table.Copy(t.Context(), "user/ann", 0, 1)
	if want := sampleOf(t, "TokenRevoked"); err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("a copy: got %+v, %v, want %+v", got, err, want)
	}
	var waits []string
	table = onWire(t, &wire{answer: []byte(`{"Items":[` + string(stored(t, "wait")) + `]}`)})
	err = table.Waiting(t.Context(), since, func(s events.Stream, seq uint64, at time.Time) {
		waits = append(waits, fmt.Sprint(s, " ", seq, " ", at.Equal(since)))
	})
	if want := "user/ACTIVE_DIRECTORY:a#b/c 7 true"; err != nil || len(waits) != 1 || waits[0] != want {
		t.Errorf("a wait: got %q, %v, want %q", waits, err, want)
	}
}

// TestArrivedDeletesTheItemOfAwait: both use the same key.
func TestArrivedDeletesTheItemOfAwait(t *testing.T) {
	w := &wire{answer: []byte(`{}`)}
	if err := onWire(t, w).Arrived(t.Context(), "user/ACTIVE_DIRECTORY:a#b/c", 7, since); err != nil {
		t.Fatal(err)
	}
	if got, want := decoded(t, w.call.Key), decoded(t, stored(t, "wait")); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// golden reads an item of testdata. With -update it first writes that item.
func golden(t *testing.T, name string, it json.RawMessage) any {
	t.Helper()
	if *update {
		b, err := json.MarshalIndent(decoded(t, it), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("testdata", name+".json"), append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return decoded(t, stored(t, name))
}

func stored(t *testing.T, name string) json.RawMessage {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decoded(t *testing.T, it json.RawMessage) (v any) {
	t.Helper()
	if err := json.Unmarshal(it, &v); err != nil {
		t.Fatalf("reading item %q: %v", it, err)
	}
	return v
}
