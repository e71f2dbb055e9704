package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"go.etcd.io/bbolt"
)

// The commands here change a store as an attacker does who may write its file and
// has no pepper.

// scriptPlant is `plant DIR STREAM SEQ`: it writes the first record of the stream
// again, under the sequence SEQ.
func scriptPlant(ts *testscript.TestScript, neg bool, args []string) {
	seq, err := strconv.ParseUint(args[2], 10, 64)
	ts.Check(err)
	alter(ts, args[0], func(tx *bbolt.Tx) error {
		records := tx.Bucket([]byte("record"))
		return records.Put(recordKey(args[1], seq), bytes.Clone(records.Get(recordKey(args[1], 1))))
	})
}

func recordKey(stream string, seq uint64) []byte {
	k := binary.BigEndian.AppendUint32(nil, uint32(len(stream)))
	return binary.BigEndian.AppendUint64(append(k, stream...), seq)
}

// scriptHead is `head get|put DIR STREAM FILE`: it writes the head of the stream
// into the file, or puts it back from the file.
func scriptHead(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[3])
	alter(ts, args[1], func(tx *bbolt.Tx) error {
		heads, key := tx.Bucket([]byte("head")), []byte(args[2])
		if args[0] == "get" {
			return os.WriteFile(path, heads.Get(key), 0o600)
		}
		b, err := os.ReadFile(path)
		return errors.Join(err, heads.Put(key, b))
	})
}

func alter(ts *testscript.TestScript, dir string, f func(*bbolt.Tx) error) {
	db, err := bbolt.Open(filepath.Join(ts.MkAbs(dir), "apitoken.db"), 0o600, nil)
	ts.Check(err)
	ts.Check(errors.Join(db.Update(f), db.Close()))
}
