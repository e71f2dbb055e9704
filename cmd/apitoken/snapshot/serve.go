package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"apitoken/infra/bolt"
	"apitoken/infra/eventfile"
)

// Server sends snapshots. Its fields are set once.
type Server struct {
	Store  *bolt.Store
	Events *eventfile.File
	Logger *slog.Logger

	stall time.Duration // 0: the constant; tests make it shorter
}

// Start listens in the data folder dir. The process must have the store of the folder
// open: then a socket that is there is left by a killed process. The returned function
// ends all snapshots, and returns when they have ended. It must be called before the
// store is closed.
func (s *Server) Start(ctx context.Context, dir string) (stop func(), err error) {
	path := filepath.Join(dir, Name)
	switch err := checkSocket(path); {
	case err == nil:
		err = os.Remove(path)
		if err != nil {
			return nil, fmt.Errorf("removing the socket of an earlier process: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	listener, err := listen(dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.accept(ctx, listener)
	}()
	return func() {
		cancel()
		<-ended
		os.Remove(path)
	}, nil
}

func listen(dir string) (net.Listener, error) {
	path, done, err := address(dir)
	if err != nil {
		return nil, err
	}
	defer done()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", filepath.Join(dir, Name), err)
	}
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("closing the socket to other users: %w", err), l.Close())
	}
	return l, nil
}

// accept answers connections until ctx is done, and waits for the answers.
func (s *Server) accept(ctx context.Context, listener net.Listener) {
	var answers sync.WaitGroup
	defer answers.Wait()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	for {
		conn, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return
		case err != nil:
			s.Logger.ErrorContext(ctx, "a connection for a snapshot failed", "error", err)
			select { // for example, too many files are open
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		default:
			answers.Go(func() { s.answer(ctx, conn) })
		}
	}
}

// answer sends one snapshot and writes a line about it.
func (s *Server) answer(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	began := time.Now()
	n, err := s.send(conn)
	attrs := []any{"bytes", n, "duration_ms", float64(time.Since(began)) / float64(time.Millisecond)}
	switch {
	case err == nil:
		s.Logger.InfoContext(ctx, "a snapshot of the store was sent", attrs...)
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.Logger.WarnContext(ctx, "a snapshot was ended, because its receiver did not read it", append(attrs, "error", err)...)
	case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET), ctx.Err() != nil:
		s.Logger.InfoContext(ctx, "a snapshot ended before it was complete", attrs...)
	default:
		s.Logger.ErrorContext(ctx, "a snapshot failed", append(attrs, "error", err)...)
	}
}

func (s *Server) send(conn net.Conn) (int64, error) {
	var taken *bolt.Snapshot
	h := header{Format: format}
	err := s.Events.Still(func(m eventfile.Mark) (err error) {
		h.Events = m
		taken, err = s.Store.Snapshot()
		return err
	})
	if err != nil {
		return 0, err
	}
	defer taken.Close()
	h.Store = taken.Size()
	line, err := json.Marshal(h)
	if err != nil {
		return 0, fmt.Errorf("encoding the header of a snapshot: %w", err)
	}
	w := &impatient{conn, s.stall}
	if w.stall == 0 {
		w.stall = stall
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return 0, err
	}
	return taken.WriteTo(w)
}

// impatient is a connection whose writes fail if the other side does not read.
type impatient struct {
	conn  net.Conn
	stall time.Duration
}

func (w *impatient) Write(b []byte) (int, error) {
	if err := w.conn.SetWriteDeadline(time.Now().Add(w.stall)); err != nil {
		return 0, err
	}
	return w.conn.Write(b)
}
