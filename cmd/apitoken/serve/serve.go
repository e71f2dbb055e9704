// Package serve runs the whole service in one process on one data folder, or in several
// processes on one DynamoDB table. It
// replaces API Gateway and the change stream: the guard decides about each
// request before its handler runs, and a relay sends committed records to a file
// of events or to a bus. A sweep warns before tokens expire, and records expiries: shortly after
// the start, and every five minutes. What is past its retention is removed from the
// folder's store every minute; DynamoDB does that itself. Reverse proxies ask for verdicts at a listener of their own,
// and metrics and health have another one.
//
// For a folder it promises four things. If the address is not available, nothing on disk
// changes. A store that is older than its events is refused. Requests in flight are answered before Run returns. The records that
// they committed are then in the file of events, or the next start writes them: Run does
// not wait for a file that is late by more than some seconds.
//
// For a table it promises that a service without an ability that the store needs, and
// peppers that did not seal the settings, are refused before the first request. One of
// the processes relays, and one sweeps, see package lease. The package leaves the calls to
// functions/httpapi, and the files of the folder to its sibling datadir.
package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/cmd/apitoken/metrics"
	"apitoken/cmd/apitoken/passwords"
	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/sweep"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/httpapi/page"
)

// Limits of one connection. All calls of the service are short, and so are their
// headers.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	shutdownTimeout   = 30 * time.Second
)

// Config is what a server needs. Listen, Version, Out and Logger are required, and
// either Data and EventsPart or Table.
type Config struct {
	Listen         string           // host:port, port 0 selects a free port; or unix:path
	Data           string           // the data folder; created if it is missing
	EventsPart     int64            // the size of a part of the event file in bytes
	Table          Table            // the DynamoDB table that replaces the folder
	TrustedProxies []string         // addresses and ranges of proxies in front of the server
	ForwardListen  string           // where reverse proxies ask for verdicts, as Listen; "" or none: nowhere
	ForwardPeers   []string         // addresses and ranges of such proxies on other machines
	MetricsListen  string           // where metrics and health are read, as Listen; "" or none: nowhere
	PublicURL      string           // the address for clients, from events.PublicURL; "": unknown
	TLSSelfSigned  bool             // use a self-signed certificate, stored in the folder
	TLSCert        string           // or use the certificate of this PEM file
	TLSKey         string           // the PEM file of its key
	TLSNames       []string         // more names and addresses of the self-signed certificate
	PasswordFile   string           // the users who may sign in with a password, in the form of htpasswd; "": none
	OIDCIssuers    string           // the file with the issuers whose people and programs sign in, see package oidc; "": none
	OIDCSecrets    string           // the file with the client secrets at these issuers
	Credentials    string           // the folder of systemd's credentials, see datadir.Mounted
	NotifySocket   string           // the socket to tell systemd about start and end
	Hangup         <-chan os.Signal // each value asks to read the certificate, the passwords and the issuers again
	Version        string           // the answer of the call for the version
	Out            io.Writer        // messages for people: the address, the path of the token
	Logger         *slog.Logger     // a line for each request

	metrics      *metrics.Metrics     // nil without --metrics-listen
	identities   *identities          // nil without --oidc-issuers
	passwords    *passwords.Passwords // nil without --password-file
	collectEvery time.Duration        // 0: the constant; tests make it shorter
	sweepEvery   time.Duration        // as collectEvery
	readyEvery   time.Duration        // as collectEvery
}

// Run serves until ctx is done and all requests in flight have ended. Its errors
// are sentences for the person who started the server.
func Run(ctx context.Context, c Config) error {
	given, err := certificateOfFiles(c)
	if err != nil {
		return err
	}
	if err := checkNames(c.TLSNames); err != nil {
		return err
	}
	if c.PasswordFile != "" {
		if c.passwords, err = passwords.Open(c.PasswordFile, c.Logger); err != nil {
			return fmt.Errorf("--password-file: %w", err)
		}
	}
	if c.identities, err = identitiesOf(c); err != nil {
		return err
	}
	trusted, err := parseProxies(c.TrustedProxies)
	if err != nil {
		return err
	}
	if c.Table.Name != "" {
		return runTable(ctx, c, given, trusted)
	}
	l, err := openListeners(c)
	if err != nil {
		return err
	}
	defer l.close()
	w := &wakeUp{}
	f, err := datadir.Open(ctx, c.Data, w.wake)
	if err != nil {
		return err
	}
	return errors.Join(serveFolder(ctx, c, l, given, trusted, f, w), f.Close())
}

// serveFolder is the part of Run that starts when the addresses and the folder are
// open.
func serveFolder(ctx context.Context, c Config, l *listeners, given *certificate, trusted proxies, f *datadir.Folder, w *wakeUp) error {
	if err := f.CheckEvents(ctx); err != nil {
		return err
	}
	c = l.watched.count(c)
	relay, err := openRelayLoop(f, w, c)
	if err != nil {
		return err
	}
	defer relay.file.Close()
	defer startSnapshots(ctx, c, f, relay.file)()
	i, expiries, err := assemble(ctx, c, f)
	if err != nil {
		return err
	}
	secure, err := certificateOf(c, given, f)
	if err != nil {
		return err
	}
	collection := &collectLoop{run: countedCollection(c, f), every: cmp.Or(c.collectEvery, collectEvery), logger: c.Logger}
	return serveOn(ctx, c, l, trusted, secure, base{
		issuer: i, keys: f.Keys, deployment: f.Store.Deployment(), answers: f.Store.Ready, health: newHealth(c, f, relay.file), measured: f.Store,
		start: func(ctx context.Context) (stop func() error) {
			stopRelay, stopSweep, stopCollection := relay.run(ctx), expiries.start(ctx), collection.start(ctx)
			return func() error {
				stopCollection()
				stopSweep() // before the relay: it commits
				return stopRelay()
			}
		},
	})
}

// base is what a server works on: a folder or a table.
type base struct {
	issuer     *issuer.Issuer
	keys       events.Keys // of the store
	deployment string
	answers    func(context.Context) error // for /healthz of the API: why the store does not work, or nil
	health     *health
	measured   metrics.Store
	shared     bool // other processes use the store too

	// start starts the work beside the requests. stop ends this work after the last
	// request.
	start func(context.Context) (stop func() error)
}

// serveOn serves on a base until ctx is done.
func serveOn(ctx context.Context, c Config, l *listeners, trusted proxies, secure *certificate, b base) error {
	listener := l.api
	if secure != nil {
		listener = newSecureListener(listener, secure.config(), c.Logger)
	}
	announce(c, listener, secure != nil)
	l.asked.announce(c)
	l.watched.announce(c)
	defer watch(ctx, c, reread(c, secure))()
	notifyReady(c)
	c.metrics.Watch(metrics.Sources{Guard: b.issuer.Guard(), Store: b.measured, Ready: b.health.ready.result, Opened: time.Now(), Shared: b.shared})
	stop := b.start(ctx)
	err := serveRequests(ctx, slices.Concat(l.asked.servers(c, b.issuer.Guard(), trusted), l.watched.servers(c, b.health), []server{apiServer(c, listener, trusted, b)})...)
	return errors.Join(err, stop())
}

// assemble builds the service on the folder's store. It bootstraps a new folder.
func assemble(ctx context.Context, c Config, f *datadir.Folder) (*issuer.Issuer, *sweepLoop, error) {
	store := c.metrics.Counted(f.Store)
	i := issuer.New(issuer.Config{Store: store, Keys: f.Keys, Logger: c.Logger, Judged: c.metrics.Verdict, Introspected: c.metrics.Introspected})
	started, err := f.EnsureAdmin(ctx, i)
	if err != nil {
		return nil, nil, err
	}
	reportStart(c, f, started)
	s := sweep.New(sweep.Config{Store: store, Issuer: i, Keys: f.Keys, Logger: c.Logger})
	return i, &sweepLoop{run: countedSweep(c, s), every: cmp.Or(c.sweepEvery, sweepEvery), logger: c.Logger}, nil
}

func reportStart(c Config, f *datadir.Folder, started datadir.Start) {
	switch started {
	case datadir.StartWrote:
		fmt.Fprintf(c.Out, "the administrator's token is in %s\n", f.AdminPath())
	case datadir.StartUnclear:
		c.Logger.Warn("an interrupted bootstrap may have made a token and lost its secret", "owner", datadir.Admin,
			"remedy", "look for the token with `apitoken list --owner admin` and revoke it")
	case datadir.StartReady:
	default:
		panic(fmt.Sprintf("serve: unknown start %d", started))
	}
}

// server is a server with its listener.
type server struct {
	serving
	listener net.Listener
}

// serving is an http.Server or a briefhttp.Server.
type serving interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

func newServer(logger *slog.Logger, l net.Listener, maxHeader int, handler http.Handler) server {
	return server{&http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		DisableGeneralOptionsHandler: true, // the handler answers OPTIONS * too
	}, l}
}

// apiServer is the server of the API.
func apiServer(c Config, l net.Listener, trusted proxies, b base) server {
	return newServer(c.Logger, machine.Listener(l, c.Logger, httpapi.Face()), maxHeaderBytes, withPage(c, trusted, apiHandler(c, trusted, b)))
}

// apiHandler answers all calls of the API.
func apiHandler(c Config, trusted proxies, b base) http.Handler {
	config := machine.Config{
		Issuer: b.issuer, Guard: b.issuer.Guard(), Logger: c.Logger, Version: c.Version, Deployment: b.deployment, Ready: b.answers,
		Source: trusted.warned(c.Logger), PublicURL: c.PublicURL, Observe: c.metrics.Request,
		Keys: b.keys, SignInForm: page.SignInForm,
	}
	// A nil pointer would be a value of the interface.
	if c.passwords != nil {
		config.Passwords = c.passwords
	}
	if c.identities != nil {
		config.Identities = c.identities
	}
	return machine.New(config, faces.All()...)
}

// serveRequests accepts requests until ctx is done. It returns when the requests
// in flight have their answers, or after shutdownTimeout.
func serveRequests(ctx context.Context, servers ...server) error {
	failed := make(chan error, len(servers))
	for _, s := range servers {
		go func() { failed <- s.Serve(s.listener) }()
	}
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("serving: %w", err), each(servers, func(s server) error { return s.Close() }))
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return each(servers, func(s server) error {
		if err := s.Shutdown(grace); err != nil {
			return errors.Join(fmt.Errorf("waiting for the requests in flight: %w", err), s.Close())
		}
		return nil
	})
}

// each calls f for all servers at the same time.
func each(servers []server, f func(server) error) error {
	errs := make([]error, len(servers))
	var all sync.WaitGroup
	for i, s := range servers {
		all.Go(func() { errs[i] = f(s) })
	}
	all.Wait()
	return errors.Join(errs...)
}
