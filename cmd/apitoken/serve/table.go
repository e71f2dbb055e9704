package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/lease"
	"apitoken/events/sweep"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/chain"
	tablelease "apitoken/infra/dynamo/lease"
	"apitoken/infra/dynamo/probe"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/logging"
)

// Table is a DynamoDB table that several servers use at the same time, with the
// settings of its deployment. All of them need the same settings.
type Table struct {
	Name       string
	Keys       events.Keys
	Deployment string // of the events' source
	Prefix     string // of new tokens, may be empty
	Bus        string // the EventBridge bus, a name or an ARN; "": this server sends no events
}

// The names of the leases: of the work that one of the servers does.
const (
	relayLease  = "relay"
	expireLease = "expire"
)

// keptConnections is how many connections to the table stay open between calls. The
// SDK keeps 10, and a server with more parallel calls would open one for each call.
const keptConnections = 256

// openTimeout is the maximum time of all checks before the start. The first call may
// look for credentials in several places.
const openTimeout = time.Minute

// table is an open table.
type table struct {
	Table
	client *dynamodb.Client
	store  *dynamo.Store
	region string
}

// runTable is Run for a table. It looks at the table before it opens an address.
func runTable(ctx context.Context, c Config, given *certificate, trusted proxies) error {
	t, err := openTable(ctx, c)
	if err != nil {
		return err
	}
	sending, err := openSending(ctx, c, t)
	if err != nil {
		return err
	}
	l, err := openListeners(c)
	if err != nil {
		return err
	}
	defer l.close()
	fmt.Fprintf(c.Out, "the store is the table %s in %s\n", t.Name, t.region)
	sending.announce(c)
	return serveTable(l.watched.count(c), l, given, trusted, t, sending)(ctx)
}

// serveTable assembles the service on the table.
func serveTable(c Config, l *listeners, given *certificate, trusted proxies, t *table, out *sending) func(context.Context) error {
	w := &wakeUp{}
	store := c.metrics.Counted(wakingStore{t.store, w})
	i := issuer.New(issuer.Config{Store: store, Keys: t.Keys, Prefix: t.Prefix, Logger: c.Logger, Judged: c.metrics.Verdict, Introspected: c.metrics.Introspected})
	expiries := &sweepLoop{run: countedSweep(c, sweep.New(sweep.Config{Store: store, Issuer: i, Keys: t.Keys, Logger: c.Logger})), every: sweepEvery, logger: c.Logger}
	work := []func(context.Context){t.alone(c.Logger, expireLease).sweeping(expiries)}
	if out != nil {
		work = append(work, out.relaying(c, t, w))
	}
	return func(ctx context.Context) error {
		return serveOn(ctx, c, l, trusted, given, base{
			issuer: i, keys: t.Keys, deployment: t.Deployment, answers: t.answers, health: newTableHealth(c, t, out), measured: tableMeasured{t.store}, shared: true,
			start: func(ctx context.Context) (stop func() error) { return together(ctx, work) },
		})
	}
}

// openTable finds out whether a server can work on the table. Its errors are sentences
// for the person who started the server.
func openTable(ctx context.Context, c Config) (*table, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	client, err := chain.Client(ctx)
	if err != nil {
		return nil, err
	}
	t := &table{Table: c.Table, client: dynamodb.New(client.Options(), keepConnections, logTo(c.Logger)), region: client.Options().Region}
	t.store = dynamo.New(t.client, t.Name)
	if t.region == "" {
		return nil, errors.New("the AWS region is not set: set AWS_REGION to the region of the table")
	}
	if err := t.checkSettings(ctx); err != nil {
		return nil, err
	}
	if err := probe.Run(ctx, t.client, t.Name); err != nil {
		return nil, err
	}
	return t, nil
}

// logTo writes the lines of the SDK into the log, at the level Debug: the SDK writes
// them to standard error as they are, and warns about some services in each call.
func logTo(logger *slog.Logger) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) {
		o.Logger = logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) {
			logger.Debug("a line of the SDK", "text", fmt.Sprintf(format, v...))
		})
	}
}

func keepConnections(o *dynamodb.Options) {
	if h, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
		o.HTTPClient = h.WithTransportOptions(func(t *http.Transport) { t.MaxIdleConns, t.MaxIdleConnsPerHost = keptConnections, keptConnections })
	}
}

// checkSettings refuses a table without settings, and peppers that did not seal them.
// With wrong peppers every token would be a fault, and new facts would get seals that
// the right peppers could not verify later.
func (t *table) checkSettings(ctx context.Context) error {
	head, err := t.store.Head(ctx, events.SettingsStream)
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return fmt.Errorf("there is no table %s in %s: apitoken table create %s makes one", t.Name, t.region, t.Name)
	}
	if err != nil {
		return fmt.Errorf("reading the settings in table %s: %w", t.Name, err)
	}
	if head.Version == 0 {
		return fmt.Errorf("table %s has no administrator yet: run apitoken bootstrap --table %s once, with the same PEPPERS", t.Name, t.Name)
	}
	if err := head.Check(t.Keys, events.SettingsStream); err != nil {
		return fmt.Errorf("PEPPERS did not seal table %s, or another program changed the table (%w): set PEPPERS to the peppers of this deployment", t.Name, err)
	}
	return nil
}

// answers returns an error if the table does not answer a consistent read.
func (t *table) answers(ctx context.Context) error {
	_, err := t.store.Head(ctx, events.SettingsStream)
	return err
}

// alone returns the keeper of a lease of this table.
func (t *table) alone(logger *slog.Logger, work string) keeper {
	return keeper{lease.New(lease.Config{Store: tablelease.New(t.client, t.Name), Name: work, Logger: logger})}
}

// keeper is a lease.Keeper for the work of a server.
type keeper struct{ *lease.Keeper }

// sweeping sweeps while this process has the lease.
func (k keeper) sweeping(l *sweepLoop) func(context.Context) {
	return func(ctx context.Context) {
		k.Run(ctx, func(ctx context.Context) {
			stop := l.start(ctx)
			<-ctx.Done()
			stop()
		})
	}
}

// together starts all work. The returned function ends the work, and waits for its end.
func together(ctx context.Context, work []func(context.Context)) (stop func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // requests in flight come first
	ended := make(chan struct{})
	for _, w := range work {
		go func() {
			w(ctx)
			ended <- struct{}{}
		}()
	}
	return func() error {
		cancel()
		for range work {
			<-ended
		}
		return nil
	}
}

// wakingStore wakes the relay of this process after each write to the outbox. The relay
// finds what other processes write when it looks again.
type wakingStore struct {
	events.Store
	w *wakeUp
}

func (s wakingStore) Commit(ctx context.Context, c events.Commit) error {
	err := s.Store.Commit(ctx, c)
	if err == nil {
		s.w.wake()
	}
	return err
}

func (s wakingStore) Notify(ctx context.Context, m events.Message) error {
	err := s.Store.Notify(ctx, m)
	if err == nil {
		s.w.wake()
	}
	return err
}

// tableMeasured is a table as metrics.Store.
type tableMeasured struct{ *dynamo.Store }

var errNoSize = errors.New("a table has no size that is known at once")

// Size implements metrics.Store. The metrics of a shared store have no size.
func (tableMeasured) Size(context.Context) (int64, error) { return 0, errNoSize }

// UsesNotStored implements metrics.Store: Touch returns when the use is stored, so the
// guard counts all uses that were dropped.
func (tableMeasured) UsesNotStored() uint64 { return 0 }
