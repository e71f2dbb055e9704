package bolt

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"apitoken/events"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The buckets. keys.go makes their keys, codec.go their values.
var (
	metaBucket   = []byte("meta")
	headBucket   = []byte("head")   // stream
	recordBucket = []byte("record") // stream, sequence
	tokenBucket  = []byte("token")  // token id: its use and its view
	orderBucket  = []byte("order")  // creation, token id: indexValue
	ownerBucket  = []byte("owner")  // owner, creation, token id: indexValue
	dueBucket    = []byte("due")    // expiry, token id: dueValue
	replyBucket  = []byte("reply")  // reply key
	outboxBucket = []byte("outbox") // time, record or notice: nothing or the notice
	noticeBucket = []byte("notice") // notice id: noticeEntry

	// The indexes of the sessions, in the forms of those of the tokens: no read of tokens
	// grows with the sessions.
	sessionOrderBucket = []byte("session order")
	sessionOwnerBucket = []byte("session owner")
	sessionDueBucket   = []byte("session due")
)

var dataBuckets = [][]byte{
	headBucket, recordBucket, tokenBucket, orderBucket, ownerBucket, dueBucket, replyBucket, outboxBucket, noticeBucket,
	sessionOrderBucket, sessionOwnerBucket, sessionDueBucket,
}

// indexes are the buckets of the indexes of one kind of token.
type indexes struct{ order, owner, due []byte }

func indexesOf(kind string) indexes {
	if kind == events.KindSession {
		return indexes{sessionOrderBucket, sessionOwnerBucket, sessionDueBucket}
	}
	return indexes{orderBucket, ownerBucket, dueBucket}
}

// The meta bucket has the name of this program, the version of the layout, the id of
// the deployment and the id of the last message that was sent.
var (
	formatKey     = []byte("format")
	formatName    = []byte("apitoken")
	versionKey    = []byte("version")
	layoutVersion = []byte("5")
	deploymentKey = []byte("deployment")
	lastSentKey   = []byte("sent")
)

type openFile = func(name string, flag int, mode fs.FileMode) (*os.File, error)

// The reasons why Open refuses a file.
var (
	errForeign = errors.New("the file does not belong to apitoken")
	errDamaged = errors.New("the file is damaged")

	// ErrLocked says that another process has the file open.
	ErrLocked = errors.New("another process has it open; only one at a time can use this folder")
)

func openDB(path string, o Options) (*bbolt.DB, error) {
	isNew, err := makeFolder(path)
	if err != nil {
		return nil, err
	}
	if err := emptyUnfinished(path); err != nil {
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

// makeFolder makes the file's folder and reports whether the file is missing.
func makeFolder(path string) (bool, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("making its folder: %w", err)
	}
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist), nil
}

// openChecked opens the file and returns a separate error for each reason why
// that fails. bbolt panics on a broken page, and it reads past the end of a
// file that was cut short. Both are caught here, before the file is used. After
// such a panic bbolt keeps its lock until the process ends.
func openChecked(path string, o Options) (db *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	// The array takes the free pages with the lowest numbers. The map takes any, and
	// splits the long runs of free pages. Each commit needs such a run for the list of
	// free pages itself, so with the map the file grows although half of it is free.
	options := bbolt.Options{
		Timeout: cmp.Or(o.LockTimeout, time.Second), FreelistType: bbolt.FreelistArrayType,
		NoSync: o.NoSync, NoStatistics: true, OpenFile: o.open, ReadOnly: o.readOnly,
	}
	if !o.readOnly {
		options.InitialMmapSize = mapped
	}
	db, err = bbolt.Open(path, 0o600, &options)
	if errors.Is(err, syscall.ENOMEM) && options.InitialMmapSize > 0 {
		options.InitialMmapSize = 0 // the process may have a limit of addresses (ulimit -v)
		db, err = bbolt.Open(path, 0o600, &options)
	}
	if err != nil {
		return nil, openError(err)
	}
	db.AllocSize = growth(0)
	if err := checkLength(db, path, o.stat); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// openError returns what an error of bbolt.Open means.
func openError(err error) error {
	_, isPath := errors.AsType[*fs.PathError](err)
	_, isSystem := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return ErrLocked
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch):
		return errForeign
	case isPath || isSystem:
		return err
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// checkLength returns errDamaged if the end of the file is missing.
func checkLength(db *bbolt.DB, path string, stat func(string) (fs.FileInfo, error)) error {
	if stat == nil {
		stat = os.Stat
	}
	info, err := stat(path)
	if err != nil {
		return fmt.Errorf("measuring the file: %w", err)
	}
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%w: it has %d of its %d bytes", errDamaged, info.Size(), tx.Size())
		}
		return nil
	})
}

// prepare checks that the file is a store of this layout. It makes an empty
// file one.
func prepare(db *bbolt.DB) error {
	return db.Update(func(tx *bbolt.Tx) error {
		if tx.Bucket(metaBucket) != nil {
			return checkBuckets(tx)
		}
		if first, _ := tx.Cursor().First(); first != nil {
			return errForeign
		}
		return makeBuckets(tx)
	})
}

// checkBuckets returns an error unless the file is a store of this layout.
func checkBuckets(tx *bbolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	if meta == nil || string(meta.Get(formatKey)) != string(formatName) {
		return errForeign
	}
	if err := checkLayout(meta.Get(versionKey)); err != nil {
		return err
	}
	for _, name := range dataBuckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w: its bucket %q is missing", errDamaged, name)
		}
	}
	return nil
}

// checkLayout refuses the layouts of other versions of this program.
func checkLayout(found []byte) error {
	if bytes.Equal(found, layoutVersion) {
		return nil
	}
	n, err := strconv.Atoi(string(found))
	own, _ := strconv.Atoi(string(layoutVersion))
	switch {
	case err != nil:
		return fmt.Errorf("%w: its layout %q is not a number", errDamaged, found)
	case n < own:
		return fmt.Errorf("the file was %w: it has layout %d, and this version reads only %d", events.ErrOlderVersion, n, own)
	}
	return fmt.Errorf("the file was made by a newer version of apitoken: it has layout %d, and this version reads only %d", n, own)
}

func makeBuckets(tx *bbolt.Tx) error {
	meta, err := tx.CreateBucket(metaBucket)
	if err != nil {
		return fmt.Errorf("making the buckets of the file: %w", err)
	}
	err = errors.Join(meta.Put(formatKey, formatName), meta.Put(versionKey, layoutVersion), meta.Put(deploymentKey, []byte(rand.Text())))
	for _, name := range dataBuckets {
		_, made := tx.CreateBucket(name)
		err = errors.Join(err, made)
	}
	return err
}

// readDeployment returns the id that makeBuckets made.
func readDeployment(db *bbolt.DB) (id string, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		id = string(tx.Bucket(metaBucket).Get(deploymentKey))
		return nil
	})
	if err == nil {
		err = events.ValidDeployment(id)
	}
	if err != nil {
		return "", fmt.Errorf("reading the id of the deployment: %w", err)
	}
	return id, nil
}

// syncFolders makes the names of a new file and of its folder durable. The
// folder may be new as well. Without this, a power failure could lose the whole
// file.
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
		return nil // the folder belongs to another user, so we did not make it
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
