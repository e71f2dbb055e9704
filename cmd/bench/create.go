package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"apitoken/cmd/bench/load"
	"apitoken/cmd/bench/outside"
)

var createTime = budget{"create over HTTP, durable, CPU time of the server", "bare net/http, which commits the same bytes to bbolt", 1.2, "×"}

const createPath = "/v1/auth/access-tokens/"

// create compares `apitoken serve`, which makes tokens of new owners, with a bare
// server that commits the same items to bbolt: the CPU time of the server process for
// each create. Both have committed and synced before they answer.
func (b *bench) create(f folder) error {
	items, err := b.writeItems(f.keys)
	if err != nil {
		return err
	}
	bare, err := child("bare-create", filepath.Join(b.dir, "bare-create.db"), items)
	if err != nil {
		return err
	}
	ours, token, err := b.serveNew(f)
	if err != nil {
		return errors.Join(err, bare.stop())
	}
	err = b.creates(ours, bare, token)
	return errors.Join(err, ours.stop(), bare.stop())
}

// serveNew runs `apitoken serve` on a folder without a store, and returns the token of
// the administrator.
func (b *bench) serveNew(f folder) (p process, token string, err error) {
	if p, err = b.serve(f); err != nil {
		return process{}, "", err
	}
	text, err := os.ReadFile(filepath.Join(f.dir, "admin.token"))
	if err != nil {
		return process{}, "", errors.Join(err, p.stop())
	}
	return p, strings.TrimSpace(string(text)), nil
}

// creates compares slices in which all connections create tokens.
func (b *bench) creates(ours, bare process, token string) error {
	n := 0
	slice := func(p process) func() (outside.Slice, error) {
		return func() (outside.Slice, error) {
			n++
			return outside.Measure(p.pid, count(load.Job{
				Addr: p.addr, Connections: connections, For: b.slice, Requests: []load.Request{createRequest(token, fmt.Sprintf("r%d", n))},
			}))
		}
	}
	for _, p := range []process{ours, bare} { // both start with files of some size
		if _, err := slice(p)(); err != nil {
			return err
		}
	}
	c, err := b.plan().Compare(func(s outside.Slice) float64 { return s.PerRequest }, slice(ours), slice(bare))
	if err != nil {
		return err
	}
	b.report(createTime.compared(c, "µs"))
	return nil
}

// createRequest creates a token of an owner who has none.
func createRequest(token, prefix string) load.Request {
	body := fmt.Sprintf(`{"user":{"name":"%s-%s"}}`, prefix, load.Counter)
	return load.Request{Text: load.Text(http.MethodPost, createPath, token, body), Status: http.StatusOK}
}

// count is a load that counts its requests.
func count(j load.Job) outside.Load {
	return func() (outside.Sent, error) {
		r, err := send(j)
		return outside.Sent{Requests: r.Count()}, err
	}
}
