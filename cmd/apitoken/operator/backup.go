package operator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/backup"
	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/infra/eventfile"
)

type backingUp struct{ data, out string }

// NewBackup returns the command backup.
func NewBackup(e *console.Env) *cobra.Command {
	var o backingUp
	c := &cobra.Command{
		Use:   "backup",
		Short: "Back up a data folder, also while the service uses it",
		Long: `Back up the data folder DIR into a new file (mode 0600), also while the service
uses the folder. The backup has the store at one moment, and the event file with all
its parts up to the same moment. The service goes on meanwhile.

The backup does not have the peppers (DIR/peppers). A restore needs them: keep a
copy of that file in another place, once. The backup alone does not let its reader use
or make a token. With the peppers, a writer of the store can make false tokens, so never
keep the two together. The backup has neither the administrator's token nor the key and
certificate of TLS.

The file is a tar archive. Its last entry has a sum for each other entry; restore
checks it. An interrupted backup leaves no file of that name.`,
		Example: `  apitoken backup --data .apitoken --out apitoken-monday.tar
  apitoken backup --data /var/lib/apitoken --out "/backup/$(date +%F).tar"`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e) },
	}
	c.Flags().StringVar(&o.data, "data", datadir.DefaultData, "the data folder DIR")
	c.Flags().StringVar(&o.out, "out", "", "the new file of the backup")
	return c
}

func (o *backingUp) run(ctx context.Context, e *console.Env) (err error) {
	if o.out == "" {
		return console.Usagef("--out is not given: give the path of a new file")
	}
	if _, err := os.Lstat(o.out); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = errors.New("a backup replaces no file; give the path of a new file")
		}
		return fmt.Errorf("%s exists: %w", o.out, err)
	}
	s, err := openBackupSource(ctx, o.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	file, err := os.CreateTemp(filepath.Dir(o.out), filepath.Base(o.out)+".tmp-")
	if err != nil {
		return fmt.Errorf("making the file of the backup: %w", err)
	}
	size, err := s.write(ctx, file)
	if err = errors.Join(err, file.Close()); err == nil {
		err = datadir.NameNew(file.Name(), o.out)
	}
	if err != nil {
		os.Remove(file.Name())
		return fmt.Errorf("no backup was made: %w", err)
	}
	e.Messagef("the backup does not have %s: keep a copy of that file in another place, because a restore needs it", filepath.Join(o.data, "peppers"))
	_, err = fmt.Fprintf(e.Out, "the backup is in %s: %d bytes, the store and %s of the event file\n", console.Plain(o.out), size, console.Count(len(s.parts), "part"))
	return err
}

// backupSource is a store and the parts of the event file of one moment.
type backupSource struct {
	dir   string
	made  time.Time
	store backup.File
	parts []eventfile.Part
	close func() error
}

func openBackupSource(ctx context.Context, dir string) (*backupSource, error) {
	in, folder, err := datadir.Acquire(ctx, dir)
	if err != nil {
		return nil, err
	}
	s := &backupSource{dir: dir, made: time.Now(), store: backup.File{Name: backup.StoreName}}
	var end eventfile.Mark
	if in != nil {
		s.close, end, s.store.Size = in.Close, in.Events, in.Size
		s.store.Write = func(w io.Writer) error {
			_, err := io.Copy(w, in)
			return err
		}
	} else if end, err = s.ofFolder(folder); err != nil {
		return nil, err
	}
	if s.parts, err = eventfile.OpenParts(datadir.EventsPath(dir), end); err != nil {
		return nil, errors.Join(err, s.close())
	}
	closeStore := s.close
	s.close = func() error { return errors.Join(eventfile.CloseParts(s.parts), closeStore()) }
	return s, nil
}

// ofFolder takes the store of an open folder, which no service uses.
func (s *backupSource) ofFolder(folder *datadir.Folder) (eventfile.Mark, error) {
	taken, err := folder.Store.Snapshot()
	if err != nil {
		return eventfile.Mark{}, errors.Join(err, folder.Close())
	}
	s.close = func() error { return errors.Join(taken.Close(), folder.Close()) }
	s.store.Size = taken.Size()
	s.store.Write = func(w io.Writer) error {
		_, err := taken.WriteTo(w)
		return err
	}
	end, err := eventfile.End(folder.EventsPath())
	if err != nil {
		return end, errors.Join(err, s.close())
	}
	return end, nil
}

// write writes the backup. It is on the disk when write returns.
func (s *backupSource) write(ctx context.Context, file *os.File) (size int64, err error) {
	files := []backup.File{s.store}
	for _, p := range s.parts {
		files = append(files, backup.File{Name: p.Name, Size: p.Size, Write: func(w io.Writer) error {
			_, err := io.Copy(w, io.NewSectionReader(p.File, 0, p.Size))
			return err
		}})
	}
	superseded, err := datadir.SupersededText(s.dir)
	if err != nil {
		return 0, err
	}
	if len(superseded) > 0 {
		files = append(files, backup.File{Name: datadir.SupersededName, Size: int64(len(superseded)), Write: func(w io.Writer) error {
			_, err := w.Write(superseded)
			return err
		}})
	}
	w := bufio.NewWriterSize(interruptible{ctx, file}, 1<<20)
	err = backup.Write(w, s.made, files)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// interruptible is a writer that fails when ctx is done.
type interruptible struct {
	ctx context.Context
	w   io.Writer
}

func (i interruptible) Write(b []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.w.Write(b)
}
