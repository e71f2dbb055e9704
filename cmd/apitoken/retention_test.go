package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/infra/bolt/bolttest"
)

const (
	soakedOwners    = 1000
	soakedClients   = 16
	soakedRetention = time.Minute

	// The file is as large as its contents were at their maximum. So the test sets this
	// maximum: with soakedRate tokens in a second there are more than soakedWaiting
	// ended tokens before a collection has removed the first ones, and then the test
	// waits.
	soakedRate    = 200
	soakedWaiting = 20_000
)

// TestARunningServiceRemovesWhatIsPastItsRetention creates and ends as many tokens as
// RETAINED says, in each of three rounds, with the clock of the machine and a retention
// of one minute. Collections run meanwhile. After each round the store has nothing past
// its retention, and lists, histories and `audit verify` are right. The file does not grow
// in the third round.
func TestARunningServiceRemovesWhatIsPastItsRetention(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("RETAINED"))
	if err != nil {
		t.Skip("RETAINED is not set: it takes minutes. `make retention` runs it")
	}
	k := &soaked{TB: t, dir: filepath.Join(t.TempDir(), "data"), tokens: n}
	var used, size []int64
	for round := range 3 {
		k.start()
		if round == 0 {
			k.prepare()
		}
		k.round()
		k.awaitCollection()
		k.check()
		if err := k.server.end(syscall.SIGTERM); err != nil {
			t.Fatalf("ending the server: %v\n%s", err, k.server.log)
		}
		u, s := k.count()
		used, size = append(used, u), append(size, s)
		k.verify()
	}
	t.Logf("after the rounds the file had %v bytes and used %v of them", size, used)
	if size[2] > size[1] {
		t.Errorf("the file grew in the third round")
	}
}

type soaked struct {
	testing.TB
	dir    string
	tokens int // of a round
	server *server
	http   *http.Client
	secret secret.Secret
	admin  *httpapi.Client
	kept   []string // the id of a token of each owner, that lives

	mu    sync.Mutex
	read  int      // bytes of the log of the server
	lines []string // about collections
}

func (k *soaked) start() {
	k.Helper()
	s, err := startServer(exec.Command("apitoken", "serve", "--listen", "127.0.0.1:0", "--data", k.dir))
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.end(syscall.SIGKILL)
		}
	})
	text, err := datadir.ReadPrivate(filepath.Join(k.dir, "admin.token"))
	if err != nil {
		k.Fatal(err)
	}
	k.server, k.secret = s, secret.New(text)
	k.read, k.lines = 0, nil
	k.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: soakedClients}, Timeout: 30 * time.Second}
	k.admin = httpapi.NewClient(s.url, k.secret, k.http)
}

// create makes a token without an Idempotency-Key: a reply is kept for a day.
func (k *soaked) create(owner string) (id string, err error) {
	req, err := http.NewRequestWithContext(k.Context(), http.MethodPost, k.server.url+"/v1/auth/access-tokens/", strings.NewReader(fmt.Sprintf(`{"user":{"name":%q}}`, owner)))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+k.secret.Reveal())
	req.Header.Set("Content-Type", "application/json")
	res, err := k.http.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var made struct{ ID string }
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil || res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("creating a token: got status %d, %v", res.StatusCode, err)
	}
	return made.ID, nil
}

func owner(n int) string { return fmt.Sprintf("user%04d", n) }

// prepare sets the retention, and makes the tokens that live.
func (k *soaked) prepare() {
	k.Helper()
	rate, seconds := 0, int64(soakedRetention/time.Second)
	if _, err := k.admin.ChangeSettings(k.Context(), httpapi.SettingsChange{ChangeRate: &rate, Retention: &seconds}); err != nil {
		k.Fatal(err)
	}
	time.Sleep(6 * time.Second) // the service uses older settings for 5 seconds
	k.kept = make([]string, soakedOwners)
	k.each(soakedOwners, func(n int) (err error) {
		k.kept[n], err = k.create(owner(n))
		return err
	})
}

// each calls f for 0 to n-1, in soakedClients goroutines.
func (k *soaked) each(n int, f func(int) error) {
	k.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range soakedClients {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					k.Errorf("call %d: %v", i, err)
					return
				}
			}
		})
	}
	all.Wait()
	if k.Failed() {
		k.FailNow()
	}
}

func (k *soaked) round() {
	k.Helper()
	began, pace := time.Now(), time.NewTicker(time.Second/soakedRate)
	defer pace.Stop()
	var waited atomic.Bool
	k.each(k.tokens, func(n int) error {
		<-pace.C
		for n >= soakedWaiting && n-k.removed("tokens") >= soakedWaiting {
			waited.Store(true)
			time.Sleep(time.Second)
		}
		id, err := k.create(owner(n % soakedOwners))
		if err != nil {
			return err
		}
		return k.admin.Revoke(k.Context(), id)
	})
	k.Logf("%d tokens were made and revoked in %v", k.tokens, time.Since(began))
	if k.tokens > soakedWaiting && !waited.Load() {
		k.Errorf("there were never %d tokens: this machine is too slow to compare the rounds", soakedWaiting)
	}
}

// awaitCollection waits until the service has removed the tokens of the round, and
// what a collection left because its retention had not ended when the collection began.
func (k *soaked) awaitCollection() {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), 20*time.Minute)
	defer cancel()
	ended := time.Now()
	for time.Since(ended) < soakedRetention || k.removed("tokens") < k.tokens {
		if ctx.Err() != nil {
			k.Fatalf("%d of %d tokens were removed\n%s", k.removed("tokens"), k.tokens, k.collections())
		}
		time.Sleep(time.Second)
	}
	lines := len(k.collections())
	for range 3 {
		time.Sleep(65 * time.Second)
		if len(k.collections()) == lines {
			break
		}
		lines = len(k.collections())
	}
	k.Logf("%v after the last call: %s", time.Since(ended), strings.Join(k.collections(), ""))
}

// collections are the lines of the log about collections.
func (k *soaked) collections() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	text := k.server.log.String()
	for line := range strings.Lines(text[k.read:]) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		k.read += len(line)
		if strings.Contains(line, "past its retention") {
			k.lines = append(k.lines, line)
		}
	}
	return k.lines
}

// removed adds up a member of these lines.
func (k *soaked) removed(member string) (sum int) {
	for _, line := range k.collections() {
		var members map[string]any
		if json.Unmarshal([]byte(line), &members) == nil {
			n, _ := members[member].(float64)
			sum += int(n)
		}
	}
	return sum
}

// check looks at the lists and the histories of all owners.
func (k *soaked) check() {
	k.Helper()
	k.each(soakedOwners, func(n int) error {
		for _, state := range []string{"", "revoked"} {
			q, want := httpapi.ListQuery{User: owner(n)}, 1
			if state != "" {
				q.States, want = []string{state}, 0
			}
			got, err := k.admin.List(k.Context(), q)
			if err != nil || len(got.Entries) != want || want == 1 && got.Entries[0].ID != k.kept[n] {
				return fmt.Errorf("the list %q of %s: got %+v, %v, want %d tokens", state, owner(n), got.Entries, err, want)
			}
		}
		return nil
	})
	for _, id := range []string{k.kept[0], k.kept[soakedOwners-1]} {
		text := time.Now().String()
		if _, err := k.admin.Update(k.Context(), id, httpapi.UpdateRequest{Description: &text}); err != nil {
			k.Fatal(err)
		}
		out, err := exec.Command("apitoken", "history", id, "--verify", "--url", k.server.url, "--token-file", filepath.Join(k.dir, "admin.token")).CombinedOutput()
		k.Logf("history --verify: %v: %s", err, out)
		if err != nil || !bytes.HasPrefix(out, []byte("1 event")) {
			k.Errorf("the history of token %s: %v: %s", id, err, out)
		}
	}
}

// count counts the entries of the store, and returns its used and its whole size.
func (k *soaked) count() (used, size int64) {
	k.Helper()
	path := filepath.Join(k.dir, "apitoken.db")
	c := bolttest.Count(k, path, time.Now())
	info, err := os.Stat(path)
	if err != nil {
		k.Fatal(err)
	}
	k.Logf("the file has %d KB and uses %d KB for %v", info.Size()>>10, c.Used>>10, c.All)
	for bucket, gone := range c.Gone {
		k.Errorf("bucket %s: %d of %d entries are past their retention", bucket, gone, c.All[bucket])
	}
	if got, want := c.All["token"], soakedOwners+1; got != want {
		k.Errorf("there are %d tokens, want %d and the administrator's", got, soakedOwners)
	}
	return c.Used, info.Size()
}

func (k *soaked) verify() {
	k.Helper()
	out, err := exec.Command("apitoken", "audit", "verify", "--data", k.dir).CombinedOutput()
	if err != nil {
		k.Errorf("audit verify: %v\n%s", err, out[max(0, len(out)-2000):])
	}
	k.Logf("audit verify has %d lines, %d parts of the event file", bytes.Count(out, []byte("\n")), len(k.parts()))
}

func (k *soaked) parts() []string {
	paths, err := filepath.Glob(filepath.Join(k.dir, "events.*jsonl"))
	if err != nil {
		k.Fatal(err)
	}
	return paths
}
