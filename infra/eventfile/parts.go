package eventfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// partDigits is the number of digits in the name of an older part, at least. So the
// order of the names, in which a shell lists them, is the order of the events.
const partDigits = 6

// partPath is the path of the older part with this number, for example
// events.000001.jsonl for events.jsonl. A higher number is newer.
func partPath(path string, number int) string {
	stem, ext := splitExt(path)
	return fmt.Sprintf("%s.%0*d%s", stem, partDigits, number, ext)
}

// splitExt splits events.jsonl into events and .jsonl.
func splitExt(path string) (stem, ext string) {
	ext = filepath.Ext(path)
	return strings.TrimSuffix(path, ext), ext
}

// partNumber is the number in the path of an older part, 0 if the path is another one.
func partNumber(path, part string) int {
	stem, ext := splitExt(path)
	digits, ok := strings.CutPrefix(part, stem+".")
	if !ok {
		return 0
	}
	if digits, ok = strings.CutSuffix(digits, ext); !ok {
		return 0
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || partPath(path, n) != part {
		return 0
	}
	return n
}

// target is the path that a symbolic link leads to, also if there is no file. So the
// parts are beside the file, and a rename does not move the link.
func target(path string) string {
	for range maxLinks {
		to, err := os.Readlink(path)
		if err != nil {
			break // path is no link
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return path
}

// maxLinks is the maximum number of links that lead to a file; Linux allows as many.
const maxLinks = 40

// Parts returns the paths of the parts of the event file at path that exist, the
// oldest first: the numbered ones, and the newest one at the end.
func Parts(path string) ([]string, error) {
	path = target(path)
	numbers, err := partNumbers(path)
	if err != nil {
		return nil, err
	}
	var parts []string
	for _, n := range numbers {
		parts = append(parts, partPath(path, n))
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		parts = append(parts, path) // also if Stat fails: to open the file then gives the reason
	}
	return parts, nil
}

// partNumbers are the numbers of the older parts, ascending.
func partNumbers(path string) (numbers []int, err error) {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("looking for the parts of the event file: %w", err)
	}
	for _, e := range entries {
		if n := partNumber(filepath.Clean(path), filepath.Join(dir, e.Name())); n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
