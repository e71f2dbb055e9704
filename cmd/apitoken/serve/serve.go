// Package serve runs the whole service in one process on one data folder. It
// stands in for API Gateway and for the change stream: the guard decides about
// each request before its handler runs, and a relay carries what was committed
// to a file of events.
//
// It promises that an address which cannot be had changes nothing on disk,
// that requests in flight are answered before it ends, and that what they
// committed has then reached the file of events. What the calls do it leaves to
// functions/httpapi; what stands in the folder, to its sibling folder.
package serve

import (
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
	"apitoken/functions/httpapi"
)

// Limits of one connection. No call of ours takes long, and no header is long.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	shutdownTimeout   = 30 * time.Second
)

// Config is what a server needs. All but the three of TLS are required.
type Config struct {
	Listen        string // host:port; port 0 takes a free one
	Data          string // the data folder, made if there is none
	TLSSelfSigned bool   // with a certificate of our own, kept in the folder
	TLSCert       string // or with this one, PEM files
	TLSKey        string
	Version       string
	Out           io.Writer    // for people: where it listens, where the token is
	Logger        *slog.Logger // a line for each request
}

// Run serves until ctx is done and everything in flight has ended. An error is
// a sentence for the person who started it.
func Run(ctx context.Context, c Config) error {
	given, err := givenCertificate(c)
	if err != nil {
		return err
	}
	listener, err := listen(c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	bell := &bell{}
	f, err := datadir.Open(ctx, c.Data, bell.ring)
	if err != nil {
		return err
	}
	return errors.Join(serveFolder(ctx, c, listener, given, f, bell), f.Close())
}

// serveFolder is Run once the address and the folder are ours.
func serveFolder(ctx context.Context, c Config, listener net.Listener, given *tls.Config, f *datadir.Folder, b *bell) error {
	post, err := openPost(f, b, c.Logger)
	if err != nil {
		return err
	}
	defer post.file.Close()
	handler, err := assemble(ctx, c, f)
	if err != nil {
		return err
	}
	secure, err := secured(c, given, f)
	if err != nil {
		return err
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	announce(c, listener, secure != nil)
	stop := post.run(ctx)
	return errors.Join(answer(ctx, c.Logger, listener, handler), stop())
}

// assemble puts the service together on the folder's store, and bootstraps it
// if that was not done yet.
func assemble(ctx context.Context, c Config, f *datadir.Folder) (http.Handler, error) {
	i := issuer.New(issuer.Config{Store: f.Store, Keys: f.Keys, Logger: c.Logger})
	started, err := f.EnsureAdmin(ctx, i)
	if err != nil {
		return nil, err
	}
	tellAdmin(c, f, started)
	return httpapi.New(httpapi.Config{Issuer: i, Guard: i.Guard(), Logger: c.Logger, Version: c.Version, Ready: f.Store.Ready}), nil
}

func tellAdmin(c Config, f *datadir.Folder, started datadir.Start) {
	switch started {
	case datadir.StartWrote:
		fmt.Fprintf(c.Out, "the administrator's token is in %s\n", f.AdminPath())
	case datadir.StartUnclear:
		c.Logger.Warn("a bootstrap was cut short and may have left a token that nobody has", "owner", datadir.Admin,
			"remedy", "look for it with `apitoken list --owner admin` and revoke it")
	case datadir.StartReady:
	default:
		panic(fmt.Sprintf("serve: start of unknown kind %d", started))
	}
}

// answer serves until ctx is done, and then until the requests in flight have
// their answers.
func answer(ctx context.Context, logger *slog.Logger, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
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
