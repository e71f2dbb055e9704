package main

import (
	"path/filepath"
	"testing"
)

func TestCatalogueMatchesTheSchemasAndSamples(t *testing.T) {
	folder := filepath.Join("..", "..", "events")
	if err := run(true, filepath.Join(folder, "CATALOGUE.md"), filepath.Join(folder, "samples")); err != nil {
		t.Error(err)
	}
}
