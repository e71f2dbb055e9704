package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"apitoken/events"
)

// Log keeps log lines. Many goroutines may write to it.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to the log.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// String returns the whole log.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Last decodes the last line.
func (l *Log) Last(t testing.TB) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
		t.Fatalf("log line %q: %v", lines[len(lines)-1], err)
	}
	return line
}

// Usage is a store that counts what a request writes, and its walks through all
// streams.
type Usage struct {
	events.Store
	Commits, Touches, Walks int
}

// Walk counts the walk.
func (u *Usage) Walk(ctx context.Context, after events.Place, limit int) (events.Stretch, error) {
	u.Walks++
	return u.Store.Walk(ctx, after, limit)
}

// Commit counts the commit.
func (u *Usage) Commit(ctx context.Context, c events.Commit) error {
	u.Commits++
	return u.Store.Commit(ctx, c)
}

// Touch counts the use that is stored.
func (u *Usage) Touch(ctx context.Context, id string, use events.Use) error {
	u.Touches++
	return u.Store.Touch(ctx, id, use)
}
