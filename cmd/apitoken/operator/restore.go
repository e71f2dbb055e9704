package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/backup"
	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/events/instant"
)

type restoring struct{ data, peppers string }

// NewRestore returns the command restore.
func NewRestore(e *console.Env) *cobra.Command {
	var o restoring
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore a backup into a data folder, and revoke again what was revoked since",
		Long: `Restore the backup in FILE into the data folder DIR: a new or an empty folder, or a
folder whose store is missing. The command first reads the whole file and checks its
sums. It never replaces a store.

A backup has no peppers. They are in DIR/peppers, or in the file of --peppers-file:
the copy that you keep in another place.

If DIR has an event file, this file stays. It must have the events of the backup and
may have later ones: then the command does what audit reapply does. It revokes again
each token that the later events show as revoked, and prints the later events that
are not brought back. So after the loss of a store, leave the event file in DIR.

An interrupted restore leaves a folder that serve refuses. Run the command again.`,
		Example: `  apitoken restore monday.tar --data new --peppers-file peppers.copy
  mv .apitoken/apitoken.db /tmp && apitoken restore monday.tar --data .apitoken`,
		Args: oneFile,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), e, args[0]) },
	}
	c.Flags().StringVar(&o.data, "data", datadir.DefaultData, "the data folder DIR")
	c.Flags().StringVar(&o.peppers, "peppers-file", "", "a file (mode 0600) with the peppers of the backup")
	return c
}

func oneFile(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return console.Usagef("give exactly one file of a backup; see apitoken restore --help")
	}
	return nil
}

func (o *restoring) run(ctx context.Context, e *console.Env, path string) error {
	file, err := openBackup(path)
	if err != nil {
		return err
	}
	defer file.Close()
	m, err := backup.Read(interruptibleReader{ctx, file}, func(string, io.Reader) error { return nil })
	if err != nil {
		return fmt.Errorf("checking %s: %w", path, err)
	}
	r, completed, err := datadir.BeginRestore(ctx, o.data)
	if err != nil {
		return err
	}
	if completed {
		_, err := fmt.Fprintf(e.Out, "an earlier restore into %s was interrupted while it moved its files: it is complete now, and %s was not used\n", console.Plain(o.data), console.Plain(path))
		return err
	}
	refused, err := o.build(ctx, e, r, file)
	if err != nil {
		r.Abandon()
		return fmt.Errorf("nothing was restored: %w", err)
	}
	if err := r.Finish(); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.Out, "%s has the store of %s again; start the service with `apitoken serve --data %s`\n", console.Plain(o.data), instant.Format(m.Made.Time), console.Plain(o.data)); err != nil {
		return err
	}
	return refused
}

// openBackup opens the file of a backup. It must be a regular file, because it is read
// twice.
func openBackup(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening the backup: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the backup: %w", err)
	}
	return file, nil
}

// build makes the restored folder in the staging folder. refused is the error about
// copies that reapply refused: the operator has to look at them, and the store is
// restored all the same.
func (o *restoring) build(ctx context.Context, e *console.Env, r *datadir.Restore, file *os.File) (refused, err error) {
	if err := r.UsePeppers(o.peppers); err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the backup again: %w", err)
	}
	dir := r.Staging()
	if r.KeepsEvents() {
		dir = filepath.Join(dir, "backup")
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, fmt.Errorf("unpacking the backup: %w", err)
		}
	}
	if _, err := backup.Read(interruptibleReader{ctx, file}, func(name string, content io.Reader) error { return unpack(filepath.Join(dir, name), content) }); err != nil {
		return nil, fmt.Errorf("reading the backup again: %w", err)
	}
	if r.KeepsEvents() {
		if err := r.UseEvents(dir); err != nil {
			return nil, err
		}
		if err := os.Rename(filepath.Join(dir, backup.StoreName), filepath.Join(r.Staging(), backup.StoreName)); err != nil {
			return nil, fmt.Errorf("unpacking the backup: %w", err)
		}
	}
	folder, err := r.Open(ctx)
	if err != nil {
		return nil, err
	}
	s, err := sourceOf(folder)
	if err != nil {
		return nil, err
	}
	err = s.reapply(ctx, e)
	if errors.Is(err, errRefusedCopies) {
		refused, err = err, nil
	}
	return refused, errors.Join(err, s.close())
}

// unpack writes a new file with mode 0600. It is on the disk when unpack returns.
func unpack(path string, content io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("unpacking the backup: %w", err)
	}
	_, err = io.Copy(f, content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("unpacking %s: %w", filepath.Base(path), err)
	}
	return nil
}

// interruptibleReader is a reader that fails when ctx is done.
type interruptibleReader struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptibleReader) Read(b []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(b)
}
