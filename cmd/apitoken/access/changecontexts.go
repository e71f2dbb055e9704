package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
)

// ChangeContexts reads the contexts, changes them and stores them. It replaces the
// file in one step, and waits for other processes that change the contexts, so no
// change is lost. If change returns an error, nothing changes.
func ChangeContexts(ctx context.Context, e *console.Env, change func(*Contexts) error) error {
	dir, err := contextFolder(e)
	if err != nil {
		return err
	}
	if dir == "" {
		return errors.New("there is no folder for the contexts: set HOME or XDG_CONFIG_HOME")
	}
	if err := datadir.MakePrivateFolder(dir); err != nil {
		return fmt.Errorf("preparing to store the contexts: %w", err)
	}
	lock, err := waitFor(ctx, filepath.Join(dir, lockFile))
	if err != nil {
		return err
	}
	defer lock.Release()
	path := filepath.Join(dir, contextFile)
	c, err := readContexts(path)
	if err != nil {
		return err
	}
	if c.Contexts == nil {
		c.Contexts = map[string]Context{}
	}
	if err := change(&c); err != nil {
		return err
	}
	return writeContexts(path, c)
}

// writeContexts replaces the file. If its name is a symbolic link, it replaces the
// target, which people keep in a folder under version control.
func writeContexts(path string, c Contexts) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the contexts: %w", err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	datadir.RemoveUnfinished(path)
	return datadir.WritePrivate(path, string(text))
}

const lockPause = 20 * time.Millisecond

// lockWait is more than many changes need. Tests wait longer.
var lockWait = 10 * time.Second

// waitFor holds the file at path, after other processes that hold it.
func waitFor(ctx context.Context, path string) (*datadir.HeldFile, error) {
	for end := time.Now().Add(lockWait); ; {
		lock, _, err := datadir.Hold(path)
		if !errors.Is(err, datadir.ErrHeld) {
			return lock, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("another process is changing the contexts: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPause):
		}
	}
}
