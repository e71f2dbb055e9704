package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestCatalogueMatchesTheSchemasAndSamples(t *testing.T) {
	folder := filepath.Join("..", "..", "events")
	if err := run(true, filepath.Join(folder, "CATALOGUE.md"), filepath.Join(folder, "samples")); err != nil {
		t.Error(err)
	}
}

// TestTheWorkedExampleHasTheHashOfItsBytes reads the example as a reader does.
func TestTheWorkedExampleHasTheHashOfItsBytes(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "events", "CATALOGUE.md"))
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```\n(# 1 prevhash.*?)```\n\nTheir SHA-256 is `([0-9a-f]{64})`").FindStringSubmatch(string(b))
	if example == nil {
		t.Fatal("the catalogue has no worked example")
	}
	digits := regexp.MustCompile("(?m)^#.*$").ReplaceAllString(example[1], "")
	covered, err := hex.DecodeString(strings.ReplaceAll(digits, "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(covered)
	if got := hex.EncodeToString(sum[:]); got != example[2] {
		t.Errorf("the bytes have the hash %s, the text says %s", got, example[2])
	}
}

// TestEverySampleIsHashedAsTheCatalogueSays: one sample alone may not show a
// difference.
func TestEverySampleIsHashedAsTheCatalogueSays(t *testing.T) {
	samples, err := filepath.Glob(filepath.Join("..", "..", "events", "samples", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	hashed := 0
	for _, sample := range samples {
		b, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), `"prevhash"`) {
			continue // a notice
		}
		hashed++
		parts, want, err := hashedParts(b)
		if err != nil || sumOf(parts) != want {
			t.Errorf("%s: got %s, %v, want %s", sample, sumOf(parts), err, want)
		}
	}
	if hashed < 10 {
		t.Errorf("only %d samples have a hash", hashed)
	}
}
