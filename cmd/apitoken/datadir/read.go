package datadir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"apitoken/cmd/apitoken/setting"
	"apitoken/events/secret"
)

// maxFile is the maximum number of bytes of a file with a secret or with
// certificates: more than any such file has.
const maxFile = 4 << 20

// ReadPrivate reads a small file that contains a secret, and returns its text
// without white space at both ends. It refuses a file that other users may read or
// change; the error has the command that corrects the mode. It refuses everything
// that is no regular file, and does not wait for the other end of a named pipe.
func ReadPrivate(path string) (string, error) {
	return readText(path, "opening a file with a secret", regular, closed)
}

// ReadMounted is ReadPrivate for a file that an orchestrator may mount.
func ReadMounted(path string, m Mounted) (string, error) {
	return readText(path, "opening a file with a secret", regular, m.check)
}

// ReadSecret is ReadPrivate for a file with one value, such as peppers. It removes
// what editors and shells put around a value, see the package setting.
func ReadSecret(path string) (string, error) {
	text, err := ReadPrivate(path)
	if err != nil {
		return "", err
	}
	return valueIn(path, text)
}

// ReadToken is ReadSecret for the file with a caller's token. The file may also be
// a pipe, as in `--token-file <(pass show apitoken)`, and a file that an orchestrator
// mounts.
func ReadToken(path string, m Mounted) (string, error) {
	text, err := readText(path, "opening a file with a secret", regularOrPipe, m.check)
	if err != nil {
		return "", err
	}
	return valueIn(path, text)
}

// ReadPublic reads a small regular file without a secret, such as a certificate.
// The text has no byte order mark and no white space at both ends.
func ReadPublic(path string) (string, error) { return readText(path, "", regular, anyMode) }

// ReadPublicOrPipe is ReadPublic for a file that may also be a pipe.
func ReadPublicOrPipe(path string) (string, error) { return readText(path, "", regularOrPipe, anyMode) }

// ParseToken parses the text of a file with a token, as ReadToken reads it.
func ParseToken(text string) (secret.Token, error) {
	value, err := setting.Value(text)
	if err != nil {
		return secret.Token{}, err
	}
	return secret.Parse(value)
}

func valueIn(path, text string) (string, error) {
	value, err := setting.Value(text)
	if err != nil {
		return "", fmt.Errorf("%s %w", path, err)
	}
	return value, nil
}

// readText reads a file if its kind and its mode are allowed. It checks the kind
// before it opens the file, because opening a pipe or a device may wait or act.
func readText(path, action string, kind func(string, fs.FileInfo) error, mode func(string, *os.File, fs.FileInfo) error) (string, error) {
	b, err := readBytes(path, action, kind, mode)
	if err != nil {
		return "", err
	}
	return textOf(path, b)
}

func textOf(path string, b []byte) (string, error) {
	text, err := setting.Text(b)
	if err != nil {
		return "", fmt.Errorf("%s %w", path, err)
	}
	return text, nil
}

func readBytes(path, action string, kind func(string, fs.FileInfo) error, mode func(string, *os.File, fs.FileInfo) error) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, openError(action, err)
	}
	if err := kind(path, info); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, openFlag(info), 0)
	if err != nil {
		return nil, openError(action, err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return nil, fmt.Errorf("checking %s: %w", path, err)
	}
	if err := errors.Join(kind(path, info), mode(path, file, info)); err != nil {
		return nil, err
	}
	return readRaw(path, file)
}

// openFlag makes opening wait only for a pipe that is allowed: its other end may
// be opened later. A file that became a pipe after the check must not wait.
func openFlag(info fs.FileInfo) int {
	if info.Mode()&fs.ModeNamedPipe != 0 {
		return os.O_RDONLY
	}
	return os.O_RDONLY | syscall.O_NONBLOCK
}

// openError is the error of Stat or Open with the action that the user asked for.
func openError(action string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = &fs.PathError{Op: "open", Path: p.Path, Err: p.Err}
	}
	if action == "" {
		return err
	}
	return fmt.Errorf("%s: %w", action, err)
}

func readAll(path string, file *os.File) (string, error) {
	b, err := readRaw(path, file)
	if err != nil {
		return "", err
	}
	return textOf(path, b)
}

func readRaw(path string, file *os.File) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s is too large; allowed: at most %d bytes", path, maxFile)
	}
	return b, nil
}

// regular refuses everything but a regular file.
func regular(path string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return fmt.Errorf("%s is %s, not a regular file", path, kindOf(info.Mode()))
}

func regularOrPipe(path string, info fs.FileInfo) error {
	if info.Mode()&fs.ModeNamedPipe != 0 {
		return nil
	}
	return regular(path, info)
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// OpenToOthersError is the error for a file or folder that other users may read or
// change.
type OpenToOthersError struct {
	Path   string
	Mode   fs.FileMode // the permissions
	remedy string      // the mode that the error recommends
}

func (e *OpenToOthersError) Error() string {
	return fmt.Sprintf("%s is open to other users (mode %03o): run `chmod %s %s`", e.Path, e.Mode, e.remedy, e.Path)
}

// Changeable reports whether the mode lets other users change the file.
func (e *OpenToOthersError) Changeable() bool { return e.Mode&0o022 != 0 }

func anyMode(string, *os.File, fs.FileInfo) error { return nil }

// closed refuses a file that other users may read or change.
func closed(path string, _ *os.File, info fs.FileInfo) error { return checkPrivate(path, info, "600") }

// isTemporary reports whether a name is one that writeAtomically gives to a file
// that is not complete yet.
func isTemporary(name string) bool {
	for _, base := range []string{pepperFile, adminFile, markerFile, supersededFile, certificateFile, keyFile, probeFile} {
		if digits, found := strings.CutPrefix(name, base+tempMark); found && digits != "" && strings.Trim(digits, "0123456789") == "" {
			return true
		}
	}
	return false
}
