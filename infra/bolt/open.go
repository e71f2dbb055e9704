package bolt

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The buckets. Their keys are made in keys.go and their values in codec.go.
var (
	metaBucket   = []byte("meta")
	headBucket   = []byte("head")   // stream
	recordBucket = []byte("record") // stream, sequence
	tokenBucket  = []byte("token")  // token id: its use and its view
	orderBucket  = []byte("order")  // creation, token id: nothing
	ownerBucket  = []byte("owner")  // owner, creation, token id: nothing
	replyBucket  = []byte("reply")  // reply key
	outboxBucket = []byte("outbox") // time, record or notice: nothing or the notice
	noticeBucket = []byte("notice") // notice id: its time; stays for ever
)

var dataBuckets = [][]byte{
	headBucket, recordBucket, tokenBucket, orderBucket, ownerBucket, replyBucket, outboxBucket, noticeBucket,
}

// The meta bucket says whose file this is and in which version of the layout.
var (
	formatKey     = []byte("format")
	formatName    = []byte("apitoken")
	versionKey    = []byte("version")
	layoutVersion = []byte("1")
)

type openFile = func(name string, flag int, mode fs.FileMode) (*os.File, error)

// errForeign and errDamaged are what a wrong file is; errLocked is a busy one.
var (
	errForeign = errors.New("the file does not belong to apitoken")
	errDamaged = errors.New("the file is damaged")
	errLocked  = errors.New("another process has it open; only one at a time can use this folder")
)

func openDB(path string, o Options) (*bbolt.DB, error) {
	isNew, err := makeFolder(path)
	if err != nil {
		return nil, err
	}
	if err := heal(path); err != nil {
		return nil, err
	}
	db, err := openChecked(path, o)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(prepare(db), os.Chmod(path, 0o600)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if isNew {
		if err := syncFolders(path); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

// makeFolder makes the file's folder and says whether the file is missing.
func makeFolder(path string) (bool, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("making its folder: %w", err)
	}
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist), nil
}

// openChecked opens the file and tells the ways apart in which that goes
// wrong. bbolt panics over a broken page and reads past the end of a file that
// was cut short, so both are caught here, before anything relies on the file.
// After that, bbolt leaves its lock to the end of the process.
func openChecked(path string, o Options) (db *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: cmp.Or(o.LockTimeout, time.Second), FreelistType: bbolt.FreelistMapType,
		NoSync: o.NoSync, NoStatistics: true, OpenFile: o.open,
	})
	if err != nil {
		return nil, explain(err)
	}
	if err := checkLength(db, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// explain says what bbolt's refusal to open a file means.
func explain(err error) error {
	_, isPath := errors.AsType[*fs.PathError](err)
	_, isSystem := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return errLocked
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch):
		return errForeign
	case isPath || isSystem:
		return err
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// checkLength finds a file whose end is missing.
func checkLength(db *bbolt.DB, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("measuring the file: %w", err)
	}
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%w: it has %d bytes of %d", errDamaged, info.Size(), tx.Size())
		}
		return nil
	})
}

// prepare checks that the file is ours, or makes an empty one ours.
func prepare(db *bbolt.DB) error {
	return db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			if first, _ := tx.Cursor().First(); first != nil {
				return errForeign
			}
			return layOut(tx)
		}
		if string(meta.Get(formatKey)) != string(formatName) {
			return errForeign
		}
		if v := meta.Get(versionKey); string(v) != string(layoutVersion) {
			return fmt.Errorf("the file has layout %q and this program knows %q: use the release that wrote it", v, layoutVersion)
		}
		for _, name := range dataBuckets {
			if tx.Bucket(name) == nil {
				return fmt.Errorf("%w: %q is missing in it", errDamaged, name)
			}
		}
		return nil
	})
}

func layOut(tx *bbolt.Tx) error {
	meta, err := tx.CreateBucket(metaBucket)
	if err != nil {
		return fmt.Errorf("laying out the file: %w", err)
	}
	err = errors.Join(meta.Put(formatKey, formatName), meta.Put(versionKey, layoutVersion))
	for _, name := range dataBuckets {
		_, made := tx.CreateBucket(name)
		err = errors.Join(err, made)
	}
	return err
}

// syncFolders makes a new file's name durable, and that of its folder, which
// may be new as well: otherwise a power failure could lose the whole file.
func syncFolders(path string) error {
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("finding its folder: %w", err)
	}
	for _, name := range []string{folder, filepath.Dir(folder)} {
		if err := syncFolder(name); err != nil {
			return fmt.Errorf("syncing the folder %s: %w", name, err)
		}
	}
	return nil
}

func syncFolder(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrPermission) {
		return nil // somebody else's folder, which then is not a new one either
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
