package processes

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"apitoken/events/lease"
	"apitoken/localstack/engines"
)

// TestAKilledRelayLosesNothing: `kill -9` of the process that relays, while both
// processes commit. The other one relays within 30 seconds.
func TestAKilledRelayLosesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a, b := s.start("a"), s.start("b")
	stop, without := s.work(a, b)
	holder, other := s.holder(a, b)
	s.renewed()
	time.Sleep(time.Second)
	if early := s.by(other.name); len(early) > 0 {
		t.Errorf("%s sent %d events while %s had the lease", other.name, len(early), holder.name)
	}
	without(holder)
	holder.End(syscall.SIGKILL)
	killed := time.Now()
	engines.Eventually(t, 3*lease.Length, "the other process relays", func() string {
		if len(s.by(other.name)) == 0 {
			return other.Log()
		}
		return ""
	})
	took := s.by(other.name)[0].at.Sub(killed)
	t.Logf("the other process relays after %v", took)
	if took > 2*lease.Length { // the send itself takes time on a busy machine
		t.Errorf("the other process relays after %v, want at most %v", took, lease.Length)
	}
	time.Sleep(2 * time.Second)
	stop()
	s.expectAllArrived()
}

// TestAStoppedProcessSendsNothingOnItsOldLease: SIGSTOP of the process that relays, in
// the middle of many sends. Another process takes the lease. After SIGCONT the first one
// does not go on with its sends.
func TestAStoppedProcessSendsNothingOnItsOldLease(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a, b := s.start("a"), s.start("b")
	holder, other := s.holder(a, b)
	holder.set(func(b *bus) { b.slow = 300 * time.Millisecond }) // each event of a user is one send
	stop, _ := s.work(other)
	time.Sleep(5 * time.Second)
	holder.Signal(syscall.SIGSTOP)
	engines.Eventually(t, 3*lease.Length, "the other process relays", func() string {
		if len(s.by(other.name)) == 0 {
			return other.Log()
		}
		return ""
	})
	sent := len(s.by(holder.name)) // also those that it had sent before it was stopped and that arrived later
	holder.Signal(syscall.SIGCONT)
	time.Sleep(5 * time.Second)
	stop()
	if got := s.by(holder.name); len(got) != sent {
		t.Errorf("after the pause the process sent %d events on its old lease: %s", len(got)-sent, holder.Log())
	}
	s.expectAllArrived()
	if got := s.by(holder.name); len(got) != sent {
		t.Errorf("later the process sent %d events without the lease: %s", len(got)-sent, holder.Log())
	}
}

// TestACleanStopHandsOver: the process that relays and sweeps ends with 0 after SIGTERM,
// and another one does both at once.
func TestACleanStopHandsOver(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a, b := s.start("a"), s.start("b")
	holder, other := s.holder(a, b)
	took := func(work string) int {
		return strings.Count(a.Log()+b.Log(), `"msg":"this process has the lease now","lease":"`+work+`"`)
	}
	engines.Eventually(t, time.Minute, "both leases are taken", func() string {
		if took("relay") == 0 || took("expire") == 0 {
			return a.Log() + b.Log()
		}
		return ""
	})
	in := wishOf("ann")
	in.ExpiresIn = "10s" // after the first sweep of this process, which comes a second after its lease
	made, err := s.create(other.admin, in)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(10500 * time.Millisecond)
	for _, work := range []string{"relay", "expire"} {
		if n := took(work); n != 1 {
			t.Errorf("%d processes took the lease %s, want one", n, work)
		}
	}
	stopped := time.Now()
	if err := holder.End(syscall.SIGTERM); err != nil {
		t.Errorf("the end of %s: %v\n%s", holder.name, err, holder.Log())
	}
	if took := time.Since(stopped); took > time.Minute {
		t.Errorf("the end of %s took %v", holder.name, took)
	}
	if _, err := s.create(other.admin, wishOf("bob")); err != nil {
		t.Error(err)
	}
	if text := holder.Log(); !strings.Contains(text, "has released the lease") { // after a kill the other process would have to wait for longer
		t.Errorf("%s kept its leases: %s", holder.name, text)
	}
	engines.Eventually(t, time.Minute, "the other process relays and sweeps", func() string {
		for _, a := range s.by(other.name) {
			if a.Type == "TokenExpired" && a.Subject == made.ID {
				return ""
			}
		}
		return other.Log()
	})
	s.expectAllArrived()
}
