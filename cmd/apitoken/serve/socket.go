package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"apitoken/cmd/apitoken/datadir"
)

const (
	// maxSocketPath is the longest path of a socket on Linux, without the NUL.
	maxSocketPath = 107

	// socketUmask gives a new socket the mode 0660: its user and its group may connect.
	socketUmask = 0o117

	socketWait = time.Second // for the answer of a server that may still be there
)

// unixListener is a listener on a Unix socket. It holds the file PATH.lock, so of two
// servers that start at the same time only one takes the path.
type unixListener struct {
	*net.UnixListener
	path string
	made fs.FileInfo // the socket that this process made
	lock *datadir.HeldFile
}

// listenUnix listens on a socket at the path. It removes the socket of a killed server,
// but only if nothing answers there, and never a file that is no socket. Its errors
// name the flag of the path.
func listenUnix(flag, path string) (net.Listener, error) {
	path, err := socketPath(flag, path)
	if err != nil {
		return nil, err
	}
	lock, _, err := datadir.Hold(path + ".lock")
	switch {
	case errors.Is(err, datadir.ErrHeld):
		return nil, inUse(flag, path)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no folder %s for the socket: make it, or choose another path with %s", filepath.Dir(path), flag)
	case err != nil:
		return nil, fmt.Errorf("taking the path of the socket: %w", err)
	}
	l, err := listenHeld(flag, path, lock)
	if err != nil {
		lock.Remove()
		lock.Release()
		return nil, err
	}
	return l, nil
}

// socketPath is the absolute path. Abstract sockets, whose names begin with @, have no
// mode, so everybody on the machine could use one.
func socketPath(flag, path string) (string, error) {
	if path == "" || strings.HasPrefix(path, "@") || strings.HasPrefix(path, "//") {
		return "", fmt.Errorf("%s is invalid: unix: has no path of a file; allowed: unix:PATH, like unix:/run/apitoken/apitoken.sock", flag)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("finding the folder of the socket: %w", err)
	}
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("%s is invalid: the path of the socket has %d bytes (%s); allowed: at most %d", flag, len(path), path, maxSocketPath)
	}
	return path, nil
}

func listenHeld(flag, path string, lock *datadir.HeldFile) (net.Listener, error) {
	if err := removeStale(flag, path); err != nil {
		return nil, err
	}
	before := syscall.Umask(socketUmask) // of the whole process, which does nothing else yet
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	syscall.Umask(before)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	made, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("checking the socket: %w", err), l.Close())
	}
	return &unixListener{UnixListener: l, path: path, made: made, lock: lock}, nil
}

// removeStale removes a socket at which no server listens.
func removeStale(flag, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("checking the path of the socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is no socket: remove it, or choose another path with %s", path, flag)
	}
	conn, err := net.DialTimeout("unix", path, socketWait)
	if err == nil {
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) { // every other outcome may come from a server that is busy
		return inUse(flag, path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing the socket of a server that has ended: %w", err)
	}
	return nil
}

// Close also removes the socket, if it is still the one that this process made.
func (l *unixListener) Close() error {
	err := l.UnixListener.Close()
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	if now, statErr := os.Lstat(l.path); statErr == nil && os.SameFile(l.made, now) {
		err = errors.Join(err, os.Remove(l.path))
	}
	l.lock.Remove()
	l.lock.Release()
	return err
}
