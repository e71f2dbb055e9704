package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"apitoken/events"
	"apitoken/events/bustest"
)

// deployment is the id of the deployment in the events of the tests.
const deployment = "51af3dc0-da77-11e4-872e-1234567db123"

// fake is an HTTP server that answers as EventBridge does: with its wire
// protocol (AWS JSON 1.1) and its limits. It also loses events as EventBridge
// does: PutEvents on a missing bus answers success and drops the events, and an
// event with a too long detail-type is dropped without an error.
type fake struct {
	t       *testing.T
	buses   []string
	kept    []events.Message
	calls   [][]string              // the ids of each PutEvents call
	checks  int                     // DescribeEventBus calls
	refuse  map[string]string       // error code by event id; "": a result with neither error code nor event id
	outage  func(action string) int // HTTP status of a failed call; 0: no failure
	shorten bool                    // return one result too few
	gate    chan struct{}           // one request at a time
}

type wireEntry struct {
	Source, DetailType, Detail, EventBusName string
	Time                                     float64
	Resources                                []string
}

func (a *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.gate <- struct{}{}
	defer func() { <-a.gate }()
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if a.outage != nil {
		if status := a.outage(action); status != 0 {
			w.WriteHeader(status)
			io.WriteString(w, `{"__type":"InternalException","message":"down"}`)
			return
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Error(err)
	}
	switch action {
	case "DescribeEventBus":
		a.describe(w, body)
	case "PutEvents":
		a.put(w, body)
	default:
		a.t.Errorf("unexpected call %q", action)
	}
}

func (a *fake) describe(w http.ResponseWriter, body []byte) {
	a.checks++
	var in struct{ Name string }
	a.decode(body, &in)
	if !slices.Contains(a.buses, in.Name) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":"ResourceNotFoundException","message":"Event bus %s does not exist."}`, in.Name)
		return
	}
	fmt.Fprintf(w, `{"Name":%q}`, in.Name)
}

func (a *fake) put(w http.ResponseWriter, body []byte) {
	var in struct{ Entries []wireEntry }
	a.decode(body, &in)
	total := 0
	var results, ids []string
	failed := 0
	for i, e := range in.Entries {
		total += 14 + len(e.Source) + len(e.DetailType) + len(e.Detail)
		m, err := events.ParseDetail([]byte(e.Detail))
		if err != nil {
			a.t.Errorf("an entry's detail: %v", err)
		}
		ids = append(ids, m.ID)
		if e.Source != events.Source || e.DetailType != m.Type || e.Time == 0 {
			a.t.Errorf("entry %d: got %+v", i, e)
		}
		if code, refused := a.refuse[m.ID]; refused {
			failed++
			result := `{}`
			if code != "" {
				result = fmt.Sprintf(`{"ErrorCode":%q,"ErrorMessage":"not now"}`, code)
			}
			results = append(results, result)
			continue
		}
		results = append(results, fmt.Sprintf(`{"EventId":"%d"}`, len(a.kept)))
		if slices.Contains(a.buses, e.EventBusName) && len(e.DetailType) <= 128 {
			a.kept = append(a.kept, m)
		}
	}
	if len(in.Entries) > 10 || total > 256<<10 {
		a.t.Errorf("a call with %d entries and %d bytes", len(in.Entries), total)
	}
	a.calls = append(a.calls, ids)
	if a.shorten {
		results = results[1:]
	}
	fmt.Fprintf(w, `{"FailedEntryCount":%d,"Entries":[%s]}`, failed, strings.Join(results, ","))
}

func (a *fake) decode(body []byte, into any) {
	if err := json.Unmarshal(body, into); err != nil {
		a.t.Errorf("a request: %v", err)
	}
}

// newBridge returns a bridge to a fake that has the bus "tokens", and the clock
// of the bridge.
func newBridge(t *testing.T) (*Bridge, *fake, *time.Time) {
	t.Helper()
	a := &fake{t: t, buses: []string{"tokens"}, gate: make(chan struct{}, 1)}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	client, err := FromEnv(func(name string) string {
		return map[string]string{
			"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": server.URL,
		}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	return New(Config{Client: withoutRetry{client}, Bus: "tokens", Deployment: deployment, Now: func() time.Time { return now }}), a, &now
}

// withoutRetry makes one attempt for each call, so that tests do not wait.
type withoutRetry struct{ *eventbridge.Client }

func once(o *eventbridge.Options) { o.RetryMaxAttempts = 1 }

func (i withoutRetry) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	return i.Client.PutEvents(ctx, in, once)
}

func (i withoutRetry) DescribeEventBus(ctx context.Context, in *eventbridge.DescribeEventBusInput, _ ...func(*eventbridge.Options)) (*eventbridge.DescribeEventBusOutput, error) {
	return i.Client.DescribeEventBus(ctx, in, once)
}

func TestBridgeIsABus(t *testing.T) {
	bustest.Run(t, func(t *testing.T) bustest.Subject {
		b, a, _ := newBridge(t)
		return bustest.Subject{Bus: b, Deployment: deployment, Ordered: false, Arrived: func() ([]events.Message, error) {
			a.gate <- struct{}{}
			defer func() { <-a.gate }()
			return slices.Clone(a.kept), nil
		}}
	})
}

// messages returns n notices with data of this size.
func messages(n, size int) (ms []events.Message) {
	for i := range n {
		ms = append(ms, events.Message{
			ID: fmt.Sprint("m", i), Type: "TokenExpiring", V: 1, Time: time.Unix(1, 0).UTC(), Data: []byte(`"` + strings.Repeat("x", size) + `"`),
		})
	}
	return ms
}

func TestCallsKeepWithinCountAndBytes(t *testing.T) {
	for _, c := range []struct {
		n, size int
		want    []int // entries of each call
	}{
		{1, 10, []int{1}},
		{10, 10, []int{10}},
		{21, 10, []int{10, 10, 1}},
		{5, 60_000, []int{2, 2, 1}}, // data is in the detail twice
		{3, 130_000, []int{1, 1, 1}},
	} {
		b, a, _ := newBridge(t)
		if failed, err := b.Put(t.Context(), messages(c.n, c.size)); failed != nil || err != nil {
			t.Fatalf("%d of %d bytes: got %v, %v", c.n, c.size, failed, err)
		}
		var got []int
		for _, ids := range a.calls {
			got = append(got, len(ids))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d of %d bytes: got calls of %v, want %v", c.n, c.size, got, c.want)
		}
	}
}

func TestSizeIsCountedAsAWSCounts(t *testing.T) {
	b, _, _ := newBridge(t)
	e, err := b.entry(messages(1, 10)[0])
	if err != nil {
		t.Fatal(err)
	}
	if got, want := size(e), 14+len("apitoken")+len("TokenExpiring")+len(*e.Detail); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
	e.Resources = []string{"abc", "de"}
	e.Time = nil
	if got, want := size(e), 5+len("apitoken")+len("TokenExpiring")+len(*e.Detail); got != want {
		t.Errorf("with resources, without time: got %d, want %d", got, want)
	}
}

func TestUnsendableMessagesAreReportedAndTheOthersSent(t *testing.T) {
	b, a, _ := newBridge(t)
	ms := messages(4, 10)
	ms[0].Data = []byte(`"` + strings.Repeat("x", 200_000) + `"`)
	ms[1].Type = strings.Repeat("T", 129)
	ms[2].Type = ""
	failed, err := b.Put(t.Context(), ms)
	if err != nil || len(failed) != 3 || failed["m0"] == nil || failed["m1"] == nil || failed["m2"] == nil {
		t.Errorf("got %v, %v", failed, err)
	}
	if len(a.kept) != 1 || a.kept[0].ID != "m3" {
		t.Errorf("kept %v, want m3", a.kept)
	}
}

func TestRefusedEntriesAreFoundByPosition(t *testing.T) {
	b, a, _ := newBridge(t)
	a.refuse = map[string]string{"m3": "ThrottlingException", "m12": "InternalFailure"}
	failed, err := b.Put(t.Context(), messages(15, 10))
	if err != nil || len(failed) != 2 || !strings.Contains(fmt.Sprint(failed["m3"]), "ThrottlingException") || !strings.Contains(fmt.Sprint(failed["m12"]), "InternalFailure") {
		t.Errorf("got %v, %v", failed, err)
	}
	if len(a.kept) != 13 {
		t.Errorf("%d were kept, want 13", len(a.kept))
	}
}

func TestResultWithoutAnIDIsAFailure(t *testing.T) {
	b, a, _ := newBridge(t)
	a.refuse = map[string]string{"m1": ""}
	if failed, err := b.Put(t.Context(), messages(3, 10)); err != nil || len(failed) != 1 || failed["m1"] == nil {
		t.Errorf("got %v, %v, want m1 failed", failed, err)
	}
}

// TestMissingBusIsNoticed: PutEvents answers success for a missing bus, and the
// events would be lost.
func TestMissingBusIsNoticed(t *testing.T) {
	b, a, now := newBridge(t)
	if _, err := b.Put(t.Context(), messages(1, 10)); err != nil {
		t.Fatal(err)
	}
	a.buses = nil
	*now = now.Add(CheckEvery)
	if failed, err := b.Put(t.Context(), messages(1, 10)); !errors.Is(err, ErrNoBus) {
		t.Errorf("got %v, %v, want ErrNoBus", failed, err)
	}
	if len(a.calls) != 1 {
		t.Errorf("got %d calls of PutEvents, want none after the bus was deleted", len(a.calls))
	}
	a.buses = []string{"tokens"}
	if _, err := b.Put(t.Context(), messages(1, 10)); err != nil {
		t.Errorf("after the bus was made again: %v", err)
	}
}

func TestBusIsCheckedOnlyEveryCheckEvery(t *testing.T) {
	b, a, now := newBridge(t)
	for range 3 {
		if _, err := b.Put(t.Context(), messages(1, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if a.checks != 1 {
		t.Errorf("got %d checks, want 1", a.checks)
	}
	*now = now.Add(CheckEvery)
	if _, err := b.Put(t.Context(), messages(1, 10)); err != nil || a.checks != 2 {
		t.Errorf("got %d checks, %v, want 2", a.checks, err)
	}
}

func TestOutageIsAnErrorOfTheWholeCall(t *testing.T) {
	for _, action := range []string{"DescribeEventBus", "PutEvents"} {
		b, a, _ := newBridge(t)
		a.outage = func(called string) int { return map[bool]int{true: 500}[called == action] }
		if failed, err := b.Put(t.Context(), messages(3, 10)); err == nil || failed != nil {
			t.Errorf("%s: got %v, %v, want an error", action, failed, err)
		}
	}
}

// TestOutageReportsOnlyTheUnsentMessages: the messages that the first call
// accepted are not sent again.
func TestOutageReportsOnlyTheUnsentMessages(t *testing.T) {
	b, a, _ := newBridge(t)
	puts := 0
	a.outage = func(called string) int {
		if called == "PutEvents" {
			puts++
		}
		return map[bool]int{true: 500}[puts == 2]
	}
	failed, err := b.Put(t.Context(), messages(30, 10))
	if err != nil || len(failed) != 20 || failed["m9"] != nil || failed["m10"] == nil || failed["m29"] == nil {
		t.Errorf("got %d failed, %v, want the last 20", len(failed), err)
	}
	if puts != 2 {
		t.Errorf("got %d calls, want none after the outage", puts)
	}
}

func TestAnswerWithTheWrongNumberOfResultsIsAnError(t *testing.T) {
	b, a, _ := newBridge(t)
	a.shorten = true
	if failed, err := b.Put(t.Context(), messages(3, 10)); !errors.Is(err, errMiscounted) {
		t.Errorf("got %v, %v, want %v", failed, err, errMiscounted)
	}
}

func TestEveryMissingVariableIsNamed(t *testing.T) {
	_, err := FromEnv(func(string) string { return "" })
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want an error that names %s", err, name)
		}
	}
}
