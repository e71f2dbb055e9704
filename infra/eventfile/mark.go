package eventfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Mark is a place in a file of events: the end of a line in a part that was the
// newest one. The part keeps its inode when it gets a number. The zero Mark is the
// end of the last numbered part.
type Mark struct {
	Inode uint64 `json:"inode"`
	Size  int64  `json:"size"`
}

// Still calls do with the end of the file. Put waits meanwhile, so do must not take
// long.
func (f *File) Still(do func(Mark) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := f.f.Stat()
	if err != nil {
		return fmt.Errorf("measuring the event file: %w", err)
	}
	return do(Mark{Inode: inode(info), Size: f.size})
}

// End returns the end of the last complete line of the file at path, which no
// process may be writing.
func End(path string) (Mark, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Mark{}, nil
	}
	if err != nil {
		return Mark{}, fmt.Errorf("opening the event file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Mark{}, fmt.Errorf("measuring the event file: %w", err)
	}
	size, err := endOfLines(f)
	if err != nil {
		return Mark{}, fmt.Errorf("reading the event file %s: %w", path, err)
	}
	return Mark{Inode: inode(info), Size: size}, nil
}

// Part is an open part of a file, up to a mark.
type Part struct {
	Name string // the newest one has the name of the file, also if it has a number by now
	File *os.File
	Size int64

	number int // 0: the newest one
}

// errMoved says that the part with a mark is not there: a new part was begun while the
// parts were opened, or the part was moved away.
var errMoved = errors.New("the part of the event file that was the newest one is not there")

// OpenParts opens the parts of the file at path up to the mark, the oldest first. A
// service may write to the file meanwhile. The caller closes the parts.
func OpenParts(path string, m Mark) (parts []Part, err error) {
	for range maxReads {
		if parts, err = openUntil(path, m); !errors.Is(err, errMoved) {
			break
		}
	}
	return parts, err
}

func openUntil(path string, m Mark) (parts []Part, err error) {
	defer func() {
		if err != nil {
			err, parts = errors.Join(err, CloseParts(parts)), nil
		}
	}()
	names, err := Parts(path)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return parts, fmt.Errorf("%w: %w", errMoved, err)
		}
		if err != nil {
			return parts, fmt.Errorf("opening the event file: %w", err)
		}
		n := partNumber(filepath.Clean(target(path)), filepath.Clean(name))
		parts = append(parts, Part{Name: nameOf(path, n), File: f, number: n})
		info, err := f.Stat()
		if err != nil {
			return parts, fmt.Errorf("measuring the event file: %w", err)
		}
		last := &parts[len(parts)-1]
		last.Size = info.Size()
		if inode(info) == m.Inode {
			last.Name, last.Size, last.number = nameOf(path, 0), m.Size, 0
			return parts, nil
		}
	}
	if m != (Mark{}) {
		return parts, errMoved
	}
	return parts, nil
}

// nameOf is the name of the part with this number, as if the path were no link.
func nameOf(path string, number int) string {
	if number == 0 {
		return filepath.Base(path)
	}
	return filepath.Base(partPath(path, number))
}

// CloseParts closes the parts.
func CloseParts(parts []Part) (err error) {
	for _, p := range parts {
		err = errors.Join(err, p.File.Close())
	}
	return err
}

func inode(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Ino)
	}
	return 0
}
