package attack

import (
	"cmp"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"apitoken/localstack/drive"
	"apitoken/localstack/engines"
	"apitoken/localstack/longtest"
)

var processSteps = flag.Int("attack.processsteps", longtest.Amount(1500, 5000), "steps of the random attacker beside processes")

// remote is the service in several processes. Each call goes to the next one.
type remote struct {
	services []*drive.Service
	calls    int
	client   *http.Client
}

// serveTwice starts two processes on the table of the scene. They take the address of a
// client from a header, as after a reverse proxy.
func serveTwice(s *scene) *remote {
	s.Helper()
	table := drive.OpenTable(s, s.victim.(*dynamoVictim).table)
	r := &remote{client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}}
	s.Cleanup(r.client.CloseIdleConnections)
	for range 2 {
		r.services = append(r.services, table.Serve(nil, "--trusted-proxies", "127.0.0.1"))
	}
	engines.Eventually(s, time.Minute, "a process sweeps", func() string {
		logs := r.services[0].Log() + r.services[1].Log()
		if !strings.Contains(logs, `"msg":"this process has the lease now","lease":"expire"`) {
			return logs
		}
		return ""
	})
	time.Sleep(2 * time.Second) // the first sweep has nothing to do yet, and the next one comes after 5 minutes
	return r
}

func (r *remote) call(s *scene, in *http.Request, from string) answer {
	s.Helper()
	to := r.services[r.calls%len(r.services)]
	r.calls++
	in.RequestURI, in.URL.Scheme, in.URL.Host = "", "http", net.JoinHostPort(to.Host, to.Port)
	in.Header.Set("X-Forwarded-For", from)
	out, err := r.client.Do(in)
	if err != nil {
		s.Fatal(err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer{out.StatusCode, body}
}

// TestNoTokenGainsBesideProcesses is TestNoTokenGainsUnderARandomAttacker with two real
// processes of `apitoken serve --table`: what one has written, the attacker changes, and
// the other one reads it.
func TestNoTokenGainsBesideProcesses(t *testing.T) {
	t.Parallel()
	first := cmp.Or(*seed, rand.Uint64())
	t.Logf("-attack.seed=%d", first)
	p := newProcessOn(newSceneServed(t, newDynamo, serveTwice), first)
	p.run(*processSteps)
	for _, s := range p.remote.services {
		if len(s.Log()) == 0 {
			t.Error("a process has no log")
		}
		s.CheckLog("hunter2")
	}
}
