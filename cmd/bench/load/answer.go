package load

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
)

// readAnswer reads one answer of HTTP/1.1 with a Content-Length, or one that has no body.
func readAnswer(r *bufio.Reader) (status int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("the answer begins with %q, want HTTP/1.1 and a status", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("the answer has the status %q, want a number", line[9:12])
	}
	length, err := readHeaders(r, status == 204 || status == 304)
	if err != nil {
		return 0, err
	}
	_, err = r.Discard(length)
	return status, err
}

// readHeaders returns the length of the body.
func readHeaders(r *bufio.Reader, empty bool) (length int, err error) {
	known := empty
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, fmt.Errorf("the answer has the header %q, want a number", line)
			}
			known = true
		}
	}
	if !known {
		return 0, fmt.Errorf("the answer has no Content-Length")
	}
	return length, nil
}
