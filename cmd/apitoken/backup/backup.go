// Package backup writes and reads the file of a backup: a tar archive that other
// programs can unpack too.
//
// The first entry is backup.json. Then come the store, the parts of the event file and
// the list of superseded events. The last entry, SHA256SUMS, has a sum for each entry
// before it, so a file that was cut short or changed is noticed. A backup has neither
// peppers nor a token: alone it checks no token and forges none.
package backup

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"regexp"
	"strings"
	"time"

	"apitoken/events/instant"
)

const (
	manifestName = "backup.json"
	sumsName     = "SHA256SUMS"

	// maxText is the maximum number of bytes of the two entries that are not data.
	maxText = 16 << 20

	format = 1
)

// StoreName is the name of the entry with the store.
const StoreName = "apitoken.db"

// dataName matches the names of the entries with data. So an archive of another
// program cannot write other files.
var dataName = regexp.MustCompile(`^(apitoken\.db|events(\.[0-9]{6,18})?\.jsonl|superseded\.jsonl)$`)

// Manifest is the first entry.
type Manifest struct {
	Format int          `json:"apitoken_backup"`
	Made   instant.Time `json:"made"`
	Files  []File       `json:"files"`
}

// File is an entry with data.
type File struct {
	Name string `json:"name"`
	Size int64  `json:"size"`

	// Write writes the content, exactly Size bytes.
	Write func(io.Writer) error `json:"-"`
}

// Write writes a backup.
func Write(w io.Writer, made time.Time, files []File) error {
	out := &archive{tar: tar.NewWriter(w), made: instant.Cut(made)}
	text, err := json.MarshalIndent(Manifest{Format: format, Made: instant.Of(made), Files: files}, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", manifestName, err)
	}
	text = append(text, '\n')
	if err := out.add(textFile(manifestName, text)); err != nil {
		return err
	}
	for _, f := range files {
		if err := out.add(f); err != nil {
			return err
		}
	}
	if err := out.add(textFile(sumsName, []byte(out.sums.String()))); err != nil {
		return err
	}
	if err := out.tar.Close(); err != nil {
		return fmt.Errorf("writing the end of the backup: %w", err)
	}
	return nil
}

func textFile(name string, text []byte) File {
	return File{Name: name, Size: int64(len(text)), Write: func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	}}
}

type archive struct {
	tar  *tar.Writer
	made time.Time
	sums strings.Builder
}

// add writes an entry. The tar writer refuses more bytes than its size, and the next
// entry after fewer.
func (a *archive) add(f File) error {
	sum := sha256.New()
	err := a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Size: f.Size, Mode: 0o600, ModTime: a.made})
	if err == nil {
		err = f.Write(io.MultiWriter(a.tar, sum))
	}
	if err == nil {
		err = a.tar.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing %s into the backup: %w", f.Name, err)
	}
	a.sums.WriteString(sumLine(f.Name, sum))
	return nil
}

// sumLine is a line in the form of sha256sum.
func sumLine(name string, sum hash.Hash) string {
	return hex.EncodeToString(sum.Sum(nil)) + "  " + name + "\n"
}

// errIncomplete says that the file ends too early.
var errIncomplete = errors.New("the backup is incomplete: its end is missing")

// Read reads a whole backup. It calls each for an entry with data, which each reads or
// not. An error means that nothing of the backup may be used.
func Read(r io.Reader, each func(name string, content io.Reader) error) (Manifest, error) {
	in := &reading{tar: tar.NewReader(r), seen: map[string]bool{}}
	m, err := in.run(each)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w (%w)", errIncomplete, err)
	}
	return m, err
}

type reading struct {
	tar  *tar.Reader
	seen map[string]bool // the entries with data
	sums strings.Builder
}

func (in *reading) run(each func(string, io.Reader) error) (m Manifest, err error) {
	text, err := in.text(manifestName)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("decoding %s: %w", manifestName, err)
	}
	if m.Format != format {
		return m, fmt.Errorf("the backup has form %d, and this version of apitoken reads only %d", m.Format, format)
	}
	for _, f := range m.Files {
		if err := in.data(f, each); err != nil {
			return m, err
		}
	}
	want := in.sums.String()
	sums, err := in.text(sumsName)
	if err != nil {
		return m, err
	}
	if string(sums) != want {
		return m, fmt.Errorf("the backup was changed or is damaged: %s does not match its content", sumsName)
	}
	return m, in.end()
}

// end refuses an entry after the last one: no sum covers it, and other programs unpack
// it.
func (in *reading) end() error {
	switch h, err := in.tar.Next(); {
	case err == nil:
		return fmt.Errorf("the backup was changed: it has %q after %s", h.Name, sumsName)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("reading the end of the backup: %w", err)
	}
	return nil
}

func (in *reading) data(f File, each func(string, io.Reader) error) error {
	if !dataName.MatchString(f.Name) {
		return fmt.Errorf("the backup has an unknown file %q", f.Name)
	}
	if in.seen[f.Name] {
		return fmt.Errorf("the backup has the file %s twice", f.Name)
	}
	in.seen[f.Name] = true
	if err := in.next(f.Name, f.Size); err != nil {
		return err
	}
	sum := sha256.New()
	content := io.TeeReader(in.tar, sum)
	if err := each(f.Name, content); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return fmt.Errorf("reading %s from the backup: %w", f.Name, err)
	}
	in.sums.WriteString(sumLine(f.Name, sum))
	return nil
}

// next goes to the next entry, which must have this name, and this size if it is not
// negative.
func (in *reading) next(name string, size int64) error {
	h, err := in.tar.Next()
	switch {
	case err != nil && name == manifestName && errors.Is(err, tar.ErrHeader):
		return errors.New("the file is not a backup of apitoken")
	case err != nil:
		return fmt.Errorf("looking for %s in the backup: %w", name, err)
	case h.Name != name && name == manifestName:
		return errors.New("the file is not a backup of apitoken")
	case h.Name != name || h.Typeflag != tar.TypeReg:
		return fmt.Errorf("the backup has %q in the place of %s", h.Name, name)
	case isSparse(h):
		return fmt.Errorf("%s is a sparse file in the backup, which no backup of apitoken has", name)
	case size >= 0 && h.Size != size:
		return fmt.Errorf("%s has %d bytes in the backup, and %s says %d", name, h.Size, manifestName, size)
	}
	return nil
}

// isSparse reports whether an entry has holes. A small file can then have an entry of
// any size, which the reader would fill with zeros.
func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// text reads a whole entry that is not data.
func (in *reading) text(name string) ([]byte, error) {
	if err := in.next(name, -1); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	n, err := io.Copy(&text, io.LimitReader(in.tar, maxText+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s from the backup: %w", name, err)
	case n > maxText:
		return nil, fmt.Errorf("%s in the backup is too large; allowed: %d bytes", name, maxText)
	case name == manifestName:
		sum := sha256.New()
		sum.Write(text.Bytes())
		in.sums.WriteString(sumLine(name, sum))
	}
	return text.Bytes(), nil
}
