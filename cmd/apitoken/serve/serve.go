// Package serve runs the whole service in one process on one data folder. It
// replaces API Gateway and the change stream: the guard decides about each
// request before its handler runs, and a relay sends committed records to a file
// of events. A sweep warns before tokens expire, and records expiries: shortly after
// the start, and every five minutes. What is past its retention is removed from the
// store every minute.
//
// It promises three things. If the address is not available, nothing on disk
// changes. Requests in flight are answered before Run returns. The records that
// they committed are then in the file of events, or the next start writes them: Run does
// not wait for a file that is late by more than some seconds. The package leaves the calls to
// functions/httpapi, and the files of the folder to its sibling datadir.
package serve

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events/issuer"
	"apitoken/events/sweep"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
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

// Config is what a server needs. All fields but TrustedProxies and the three of TLS
// are required.
type Config struct {
	Listen         string       // host:port; port 0 selects a free port
	Data           string       // the data folder; created if it is missing
	EventsPart     int64        // the size of a part of the event file in bytes
	TrustedProxies []string     // addresses and ranges of proxies in front of the server
	TLSSelfSigned  bool         // use a self-signed certificate, stored in the folder
	TLSCert        string       // or use the certificate of this PEM file
	TLSKey         string       // the PEM file of its key
	Version        string       // the answer of the call for the version
	Out            io.Writer    // messages for people: the address, the path of the token
	Logger         *slog.Logger // a line for each request

	collectEvery time.Duration // 0: the constant; tests make it shorter
}

// Run serves until ctx is done and all requests in flight have ended. Its errors
// are sentences for the person who started the server.
func Run(ctx context.Context, c Config) error {
	given, err := certificateOfFiles(c)
	if err != nil {
		return err
	}
	trusted, err := parseProxies(c.TrustedProxies)
	if err != nil {
		return err
	}
	listener, err := listen(c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	w := &wakeUp{}
	f, err := datadir.Open(ctx, c.Data, w.wake)
	if err != nil {
		return err
	}
	return errors.Join(serveFolder(ctx, c, listener, given, trusted, f, w), f.Close())
}

// serveFolder is the part of Run that starts when the address and the folder are
// open.
func serveFolder(ctx context.Context, c Config, listener net.Listener, given *tls.Config, trusted proxies, f *datadir.Folder, w *wakeUp) error {
	relay, err := openRelayLoop(f, w, c)
	if err != nil {
		return err
	}
	defer relay.file.Close()
	handler, expiries, err := assemble(ctx, c, trusted, f)
	if err != nil {
		return err
	}
	secure, err := tlsConfig(c, given, f)
	if err != nil {
		return err
	}
	if secure != nil {
		listener = newSecureListener(listener, secure, c.Logger)
	}
	announce(c, listener, secure != nil)
	collection := &collectLoop{run: f.Store.Collect, every: cmp.Or(c.collectEvery, collectEvery), logger: c.Logger}
	stop, stopSweep, stopCollection := relay.run(ctx), expiries.start(ctx), collection.start(ctx)
	err = serveRequests(ctx, c.Logger, listener, handler)
	stopCollection()
	stopSweep() // before the relay: it commits
	return errors.Join(err, stop())
}

// assemble builds the service on the folder's store. It bootstraps a new folder.
func assemble(ctx context.Context, c Config, trusted proxies, f *datadir.Folder) (http.Handler, *sweepLoop, error) {
	i := issuer.New(issuer.Config{Store: f.Store, Keys: f.Keys, Logger: c.Logger})
	started, err := f.EnsureAdmin(ctx, i)
	if err != nil {
		return nil, nil, err
	}
	reportStart(c, f, started)
	s := sweep.New(sweep.Config{Store: f.Store, Issuer: i, Keys: f.Keys, Logger: c.Logger})
	handler := machine.New(machine.Config{
		Issuer: i, Guard: i.Guard(), Logger: c.Logger, Version: c.Version, Deployment: f.Store.Deployment(), Ready: f.Store.Ready,
		Source: trusted.source,
	}, faces.All()...)
	return handler, &sweepLoop{run: s.Run, logger: c.Logger}, nil
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

// serveRequests accepts requests until ctx is done. It returns when the requests
// in flight have their answers, or after shutdownTimeout.
func serveRequests(ctx context.Context, logger *slog.Logger, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		DisableGeneralOptionsHandler: true, // the handler answers OPTIONS * too
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(machine.Listener(listener, logger, httpapi.Face())) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("waiting for the requests in flight: %w", err), server.Close())
	}
	return nil
}
