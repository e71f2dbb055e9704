package operator

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/infra/dynamo/item"
	"apitoken/infra/eventfile"
)

// auditScene is a log with copies, in a data folder or in two tables. A test uses
// the store, and then runs commands.
type auditScene struct {
	keys events.Keys
	args []string          // of every command that needs log and copies
	env  map[string]string // of every command

	// open opens the store, and close closes it before a command runs.
	open  func() attackedStore
	close func()

	// copy writes a copy under the key of the stream. The text replaces what the
	// message says, if it is not empty.
	copy func(events.Stream, events.Message, string)
}

type attackedStore interface {
	events.Store
	storetest.Attacker
}

const copiesOf = "51af3dc0-da77-11e4-872e-1234567db123"

// eachAuditScene runs a test on a data folder and on tables.
func eachAuditScene(t *testing.T, test func(*testing.T, *auditScene)) {
	t.Run("folder", func(t *testing.T) { test(t, folderScene(t)) })
	t.Run("tables", func(t *testing.T) { test(t, tableScene(t)) })
}

func folderScene(t *testing.T) *auditScene {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	folder, err := datadir.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := &auditScene{keys: folder.Keys, args: []string{"--data", dir}}
	events, store := folder.EventsPath(), folder.Path("apitoken.db")
	if err := folder.Close(); err != nil {
		t.Fatal(err)
	}
	var opened *bolttest.Attacked
	x.open = func() attackedStore {
		opened = bolttest.OpenAttacked(t, store, bolt.Options{NoSync: true})
		return opened
	}
	x.close = func() { opened.Store.Close() }
	x.copy = copyToFile(t, events)
	return x
}

func copyToFile(t *testing.T, path string) func(events.Stream, events.Message, string) {
	return func(_ events.Stream, m events.Message, text string) {
		t.Helper()
		f, err := eventfile.Open(path, copiesOf, eventfile.DefaultPart)
		if err == nil {
			_, err = f.Put(t.Context(), []events.Message{m})
			f.Close()
		}
		b, rerr := os.ReadFile(path)
		if err != nil || rerr != nil {
			t.Fatal(err, rerr)
		}
		if text != "" {
			lines := bytes.SplitAfter(b, []byte("\n"))
			b = append(bytes.Join(lines[:len(lines)-2], nil), line(text)+"\n"...)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func tableScene(t *testing.T) *auditScene {
	t.Helper()
	db := onDynamoDB(t)
	table, copies := dynamotest.NewTable(t, db), dynamotest.NewTable(t, db)
	peppers := "p1:" + strings.Repeat("QUJD", 11)
	keys, err := events.ParseKeys(peppers)
	if err != nil {
		t.Fatal(err)
	}
	s := dynamotest.New(db, table)
	return &auditScene{
		keys: keys, args: []string{"--table", table, "--audit-table", copies}, env: map[string]string{"PEPPERS": peppers},
		open: func() attackedStore { return s }, close: func() {},
		copy: func(stream events.Stream, m events.Message, text string) {
			t.Helper()
			m.Deployment = copiesOf
			detail, err := m.Detail()
			if err != nil {
				t.Fatal(err)
			}
			if text == "" {
				text = string(detail)
			}
			dynamotest.New(db, copies).PutItem(t, string(stream)+"\n"+item.Sequence(m.Seq), map[string]any{"detail": item.Text(text)})
		},
	}
}

// run runs a command and returns its exit code and what it wrote.
func (x *auditScene) run(t *testing.T, args ...string) (code int, out, messages string) {
	t.Helper()
	var o, m strings.Builder
	e := &console.Env{In: os.Stdin, Out: &o, Err: &m, Getenv: func(name string) string { return x.env[name] }}
	root := &cobra.Command{Use: "apitoken"}
	root.AddCommand(NewAudit(e))
	code = console.Run(t.Context(), e, root, args)
	return code, o.String(), m.String()
}

// audit runs a command of audit on the scene's log and copies.
func (x *auditScene) audit(t *testing.T, name string) (code int, out, messages string) {
	t.Helper()
	return x.run(t, append([]string{"audit", name}, x.args...)...)
}

// create makes a token of the owner and returns its id.
func (x *auditScene) create(t *testing.T, s events.Store, owner string) string {
	t.Helper()
	made, _, err := issuer.New(issuer.Config{Store: s, Keys: x.keys}).Create(t.Context(), guard.Principal{Owner: owner}, "", token.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// copyAll copies all records of a stream, and returns its head.
func (x *auditScene) copyAll(t *testing.T, s events.Store, stream events.Stream) events.Head {
	t.Helper()
	rs, err := s.History(t.Context(), stream, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		x.copy(stream, r.Message(), "")
	}
	h, err := s.Head(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// revocation builds the event that continues a head and revokes a token, and the
// head after it.
func revocation(t *testing.T, k events.Keys, stream events.Stream, head events.Head, id string) (events.Message, events.Head) {
	t.Helper()
	owner, _ := stream.Owner()
	facts := []events.Fact{events.TokenRevoked{TokenID: id, Owner: owner, Cause: events.CauseUser}}
	c, err := events.NewCommit(k, stream, head, events.Meta{Command: rand.Text(), Actor: owner, At: time.Now()}, facts, 1, []byte("{}"), events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Records()[0].Message(), c.Head()
}

// expectEnded expects that a token has ended or not, with a right seal.
func (x *auditScene) expectEnded(t *testing.T, s events.Store, id string, want events.Ending) {
	t.Helper()
	v, _, err := s.Token(t.Context(), id)
	if err == nil {
		err = v.Check(x.keys)
	}
	if err != nil || v.Ended != want {
		t.Errorf("token %s: got ending %q, %v, want %q", id, v.Ended, err, want)
	}
}

// changedText is the event as a text with one part replaced.
func changedText(t *testing.T, m events.Message, old, replacement string) string {
	t.Helper()
	m.Deployment = copiesOf
	b, err := m.Detail()
	if err != nil || !bytes.Contains(b, []byte(old)) {
		t.Fatalf("the event has no %q: %v", old, err)
	}
	return strings.ReplaceAll(string(b), old, replacement)
}

// line is an event as a line of the event file.
func line(detail string) string {
	b, err := json.Marshal(json.RawMessage(detail))
	if err != nil {
		return detail // it is meant to be damaged
	}
	return fmt.Sprintf(`{"source":"apitoken","detail-type":"x","time":"2026-11-01T00:00:00Z","detail":%s}`, b)
}
