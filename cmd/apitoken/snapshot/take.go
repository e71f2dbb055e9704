package snapshot

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"apitoken/infra/bolt"
	"apitoken/infra/eventfile"
)

// Incoming is a snapshot that a running service is sending. The caller closes it.
type Incoming struct {
	Size   int64          // of the store in bytes
	Events eventfile.Mark // the end of the event file that belongs to the store

	conn  net.Conn
	r     io.Reader
	left  int64
	ended func() error // of the context
	stop  func() bool
}

// ErrNoService says that no service listens in the folder: there is none, or the one
// that has the store open cannot send snapshots.
var ErrNoService = errors.New("no service gives a snapshot")

// Connect asks the service that uses the data folder dir for a snapshot. The caller
// has checked that the folder is closed to other users. The error wraps ErrNoService if
// no service listens there. When ctx ends, reading fails.
func Connect(ctx context.Context, dir string) (*Incoming, error) {
	conn, err := dial(ctx, dir)
	if err != nil {
		return nil, err
	}
	in := &Incoming{conn: conn, ended: ctx.Err}
	in.stop = context.AfterFunc(ctx, func() { conn.Close() })
	if err := in.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("asking the service that uses %s for a snapshot: %w", dir, err), in.Close())
	}
	return in, nil
}

func dial(ctx context.Context, dir string) (net.Conn, error) {
	name := filepath.Join(dir, Name)
	switch err := checkSocket(name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoService
	case err != nil:
		return nil, err
	}
	path, done, err := address(dir)
	if err != nil {
		return nil, err
	}
	defer done()
	conn, err := (&net.Dialer{Timeout: stall}).DialContext(ctx, "unix", path)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoService // a killed process left the socket, or the service has just ended
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", name, err)
	}
	return conn, nil
}

// begin reads the header.
func (in *Incoming) begin() error {
	buffered := bufio.NewReaderSize(patient{in.conn}, 256<<10)
	in.r = buffered
	line, err := buffered.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("reading its answer: %w", err)
	}
	var h header
	if err := json.Unmarshal(line, &h); err != nil || h.Format != format || h.Store <= 0 {
		return errors.New("its answer is not one of this version of apitoken: stop the service and run the command again, or use the version of the service")
	}
	in.Size, in.left, in.Events = h.Store, h.Store, h.Events
	return nil
}

// Read reads the store. It returns io.EOF only after the whole store.
func (in *Incoming) Read(b []byte) (int, error) {
	if in.left == 0 {
		return 0, io.EOF
	}
	n, err := in.r.Read(b[:min(int64(len(b)), in.left)])
	in.left -= int64(n)
	switch {
	case err != nil && in.ended() != nil:
		return n, in.ended()
	case err != nil && in.left > 0:
		return n, fmt.Errorf("the service ended the snapshot %d bytes before its end (%w): run the command again", in.left, io.ErrUnexpectedEOF)
	}
	return n, nil
}

// Close ends the snapshot.
func (in *Incoming) Close() error {
	if !in.stop() {
		return nil // ctx has ended, and the connection is closed
	}
	return in.conn.Close()
}

// Open receives the whole store into a temporary file and opens it, only for reading.
// The file is in $TMPDIR or /tmp. It has the mode 0600 and loses its name at once, so
// a killed process leaves nothing.
func (in *Incoming) Open() (*bolt.Store, error) {
	f, err := os.CreateTemp("", "apitoken-snapshot-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary file for a snapshot: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("removing the name of a temporary file: %w", err), f.Close())
	}
	if _, err := io.Copy(f, in); err != nil {
		err = fmt.Errorf("receiving a snapshot of %d bytes into a file in %s (TMPDIR names another folder): %w", in.Size, filepath.Dir(f.Name()), err)
		return nil, errors.Join(err, f.Close())
	}
	return bolt.OpenSnapshot(f)
}

// patient is a connection whose reads fail if the other side does not write.
type patient struct{ conn net.Conn }

func (p patient) Read(b []byte) (int, error) {
	if err := p.conn.SetReadDeadline(time.Now().Add(2 * stall)); err != nil {
		return 0, err
	}
	return p.conn.Read(b)
}
