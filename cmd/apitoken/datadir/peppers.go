package datadir

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"path/filepath"

	"apitoken/events"
)

// loadKeys reads the peppers, and makes them if there is no store yet. It checks
// for the store first. A first start writes the peppers before the store, so this
// order cannot mistake another process's first start for a lost file.
func loadKeys(dir string) (events.Keys, error) {
	path := filepath.Join(dir, pepperFile)
	stored := exists(dir, storeFile)
	if !exists(dir, pepperFile) {
		if stored {
			return events.Keys{}, fmt.Errorf("%s is missing: without its peppers no token in %s can be checked; restore the file from your backup", path, filepath.Join(dir, storeFile))
		}
		if err := writeOnce(path, newPepper()); err != nil {
			return events.Keys{}, err
		}
	}
	return ReadPeppers(dir)
}

// ReadPeppers reads the peppers of the folder dir. It makes none.
func ReadPeppers(dir string) (events.Keys, error) { return readKeys(filepath.Join(dir, pepperFile)) }

func readKeys(path string) (events.Keys, error) {
	text, err := ReadSecret(path)
	if err != nil {
		return events.Keys{}, err
	}
	keys, err := events.ParseKeys(text)
	if err != nil {
		return events.Keys{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return keys, nil
}

// newPepper is a new pepper in the form of the file and of the variable PEPPERS.
func newPepper() string {
	b := make([]byte, 32)
	rand.Read(b)
	return "p1:" + base64.StdEncoding.EncodeToString(b)
}
