package backup

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func ignore(string, io.Reader) error { return nil }

// TestAFileIsThereOnce: the second file of a name would be the one of another reader.
func TestAFileIsThereOnce(t *testing.T) {
	var b bytes.Buffer
	f := textFile(StoreName, []byte("store"))
	if err := Write(&b, time.Now(), []File{f, f}); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(&b, ignore); err == nil || !strings.Contains(err.Error(), "the file apitoken.db twice") {
		t.Errorf("got %v", err)
	}
}

// TestNothingFollowsTheSums, because no sum covers it.
func TestNothingFollowsTheSums(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, time.Now(), []File{textFile(StoreName, []byte("store"))}); err != nil {
		t.Fatal(err)
	}
	whole := bytes.Clone(b.Bytes())
	if _, err := Read(bytes.NewReader(whole), ignore); err != nil {
		t.Errorf("the whole backup: %v", err)
	}
	b.Truncate(b.Len() - 1024) // the end mark of a tar archive
	b.Write(append(header("peppers", tar.TypeReg, 1), padded("x")...))
	if _, err := Read(&b, ignore); err == nil || !strings.Contains(err.Error(), `"peppers" after SHA256SUMS`) {
		t.Errorf("an entry after the sums: got %v", err)
	}
}

// TestASparseEntryIsRefused: 3 KB that say that they are a terabyte of zeros must not
// fill a disk, or keep a restore busy for hours.
func TestASparseEntryIsRefused(t *testing.T) {
	const size = 1 << 40
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, text string) {
		t.Helper()
		h.Size = int64(len(text))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	add(tar.Header{Name: manifestName, Typeflag: tar.TypeReg}, fmt.Sprintf(`{"apitoken_backup":1,"made":"2026-01-02T03:04:05.000000Z","files":[{"name":"apitoken.db","size":%d}]}`, size))
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	// The writer of the library writes no sparse files, so the records are written by
	// hand. The map of the file has no data.
	records := ""
	for _, record := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=apitoken.db", fmt.Sprintf("GNU.sparse.realsize=%d", size)} {
		n := len(record) + len(" \n") + 2
		records += fmt.Sprintf("%d %s\n", n, record)
	}
	extended := header("records", tar.TypeXHeader, len(records))
	b.Write(append(extended, padded(records)...))
	sparse := header("sparse", tar.TypeReg, 512)
	b.Write(append(sparse, padded("0\n")...))
	if h, err := second(b.Bytes()); err != nil || h.Name != StoreName || h.Size != size {
		t.Fatalf("the library reads the entry as %+v, %v", h, err)
	}
	_, err := Read(&b, func(string, io.Reader) error { return errors.New("the content is given out") })
	if err == nil || !strings.Contains(err.Error(), "is a sparse file") {
		t.Errorf("got %v", err)
	}
}

// second returns the second header of an archive.
func second(archive []byte) (*tar.Header, error) {
	r := tar.NewReader(bytes.NewReader(archive))
	if _, err := r.Next(); err != nil {
		return nil, err
	}
	return r.Next()
}

func padded(text string) []byte { return append([]byte(text), make([]byte, -len(text)&511)...) }

// header is a header in the form of POSIX.
func header(name string, kind byte, size int) []byte {
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000600\x000000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x00%011o\x00        ", size, 0))
	h[156] = kind
	copy(h[257:], "ustar\x0000")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}
