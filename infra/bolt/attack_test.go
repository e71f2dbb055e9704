package bolt_test

import (
	"path/filepath"
	"testing"

	"apitoken/events/attacktest"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

func TestARepairEndsWhatAWriterOfTheFileDid(t *testing.T) {
	attacktest.Run(t, func(t *testing.T) attacktest.Store {
		return bolttest.OpenAttacked(t, filepath.Join(t.TempDir(), "apitoken.db"), bolt.Options{NoSync: true})
	})
}
