package outside

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"
)

// TestProcessTimeIsUserAndSystem: the name of a program may look like other members.
func TestProcessTimeIsUserAndSystem(t *testing.T) {
	const rest = " S 1 2 3 0 -1 4194560 1000 77 3 4 251 149 11 12 20 0 8 0 999"
	for _, name := range []string{"(apitoken)", "(a b)", "(a) R 9 9 (b)"} {
		got, err := parseProcess([]byte("4711 " + name + rest))
		if want := (usage{4 * time.Second, 230 * time.Millisecond}); err != nil || got != want {
			t.Errorf("%s: got %v (%v), want 251 + 149 and 11 + 12 ticks, %v", name, got, err, want)
		}
	}
	for _, text := range []string{"", "4711 (a) S 1 2", "4711 (a) S 1 2 3 0 -1 4194560 1000 77 3 4 x 149 11 12"} {
		if got, err := parseProcess([]byte(text)); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestStolenTimeIsRead(t *testing.T) {
	got, err := parseStolen([]byte("cpu  100 10 200 90000 8000 3 7 30 50 5\ncpu0 1 1 1 1 1 1 1 1 1 1\n"))
	if want := 300 * time.Millisecond; err != nil || got != want {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
	for _, text := range []string{"", "cpu 1 2 3\n", "cpu0 1 2 3 4 5 6 7 8\n", "cpu 1 2 3 4 5 6 7 x\n"} {
		if got, err := parseStolen([]byte(text)); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

// TestProcFilesOfThisSystemAreRead: work of a process shows in both.
func TestProcFilesOfThisSystemAreRead(t *testing.T) {
	if err := Supported(); err != nil {
		t.Skip(err)
	}
	before, err := read([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	for {
		for n := range 1_000_000 {
			sink += n
		}
		after, err := read([]int{os.Getpid()})
		if err != nil {
			t.Fatal(err)
		}
		if after.server-before.server >= 5*tick && after.total > before.total {
			break
		}
		if after.at.Sub(before.at) > 30*time.Second {
			t.Fatalf("30 s of work took %v of CPU time in /proc/PID/stat, and %v for all processes", after.server-before.server, after.total-before.total)
		}
	}
	if _, err := Measure(os.Getpid(), func() (Sent, error) { return Sent{}, nil }); err == nil {
		t.Error("a slice without a request gave a value, want an error")
	}
}

var sink int

// TestASliceCountsTheServerAloneAndSeesOthers: the load and this process are no others.
func TestASliceCountsTheServerAloneAndSeesOthers(t *testing.T) {
	cpus := time.Duration(runtime.NumCPU())
	at := time.Now()
	before := reading{at, time.Second, 2 * time.Second, 100 * time.Second, 0}
	after := reading{at.Add(2 * time.Second), 1500 * time.Millisecond, 2700 * time.Millisecond, 101400 * time.Millisecond, 100 * time.Millisecond}
	s := slice(before, after, Sent{Requests: 10_000, Value: 7})
	if s.PerRequest != 50 || s.Value != 7 {
		t.Errorf("got %v µs and the value %v, want 0.5 s / 10,000 = 50 µs and 7", s.PerRequest, s.Value)
	}
	if want := 0.3 / (2 * float64(cpus)); math.Abs(s.Others-want) > 1e-9 {
		t.Errorf("got %v for others, want 1.4 s - 0.5 s - 0.7 s + 0.1 s of %d times 2 s = %v", s.Others, cpus, want)
	}
}

// TestAllProcessesOfAServerAreWatched: the clock of a second process counts too.
func TestAllProcessesOfAServerAreWatched(t *testing.T) {
	if err := Supported(); err != nil {
		t.Skip(err)
	}
	c := exec.Command("sh", "-c", "while :; do :; done")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	alone, both := reading{}, reading{}
	for both.server-alone.server < 5*tick {
		time.Sleep(tick)
		var err, err2 error
		alone, err = read([]int{os.Getpid()})
		both, err2 = read([]int{os.Getpid(), c.Process.Pid})
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := read([]int{c.Process.Pid, -1}); err == nil {
		t.Error("a process that does not exist was read")
	}
}

// TestALoadThatEndedIsNoOther: its CPU time is that of a child of this process.
func TestALoadThatEndedIsNoOther(t *testing.T) {
	if err := Supported(); err != nil {
		t.Skip(err)
	}
	before, err := read([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	after, err := read([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	used := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	if self := after.self - before.self; self < used-2*tick {
		t.Errorf("the clock of this process went on by %v, want at least the %v of its child", self, used)
	}
}

func sequence(all ...Slice) func() (Slice, error) {
	return func() (Slice, error) {
		if len(all) == 0 {
			return Slice{}, errors.New("one slice too many")
		}
		s := all[0]
		all = all[1:]
		return s, nil
	}
}

// TestADisturbedSliceIsDropped, and repeated as often as the plan says. The quietest
// one counts if none is quiet, and then the result says so.
func TestADisturbedSliceIsDropped(t *testing.T) {
	value := func(s Slice) float64 { return s.PerRequest }
	ours := sequence(Slice{PerRequest: 900, Others: 0.06}, Slice{PerRequest: 30, Others: 0.05}, Slice{PerRequest: 40}, Slice{PerRequest: 700, Others: 0.5}, Slice{PerRequest: 50, Others: 0.2}, Slice{PerRequest: 800, Others: 0.3})
	bare := sequence(Slice{PerRequest: 10}, Slice{PerRequest: 20, Others: 0.01}, Slice{PerRequest: 25})
	c, err := Plan{Rounds: 3, Tries: 3}.Compare(value, ours, bare)
	if want := (Comparison{Ours: 40, Bare: 20, Ratio: 2, Slices: 6, Disturbed: 1}); err != nil || c != want {
		t.Errorf("got %+v (%v), want %+v", c, err, want)
	}
	c, err = Plan{Rounds: 3, Tries: 2}.CompareByTurns(sequence(
		Slice{Value: 9, Bare: 3, Others: 0.4}, Slice{Value: 6, Bare: 3}, Slice{Value: 8, Bare: 2}, Slice{Value: 5, Bare: 5}))
	if want := (Comparison{Ours: 6, Bare: 3, Ratio: 2, Slices: 3}); err != nil || c != want {
		t.Errorf("by turns: got %+v (%v), want %+v", c, err, want)
	}
	c, err = Plan{Rounds: 1, Tries: 2}.Repeat(sequence(Slice{Value: 9, Others: 0.4}, Slice{Value: 3, Others: 0.3}))
	if want := (Comparison{Ratio: 3, Slices: 1, Disturbed: 1}); err != nil || c != want {
		t.Errorf("got %+v (%v), want %+v", c, err, want)
	}
	if _, err := (Plan{Rounds: 1, Tries: 1}).Compare(value, sequence(), bare); err == nil {
		t.Error("a slice that failed gave a value, want an error")
	}
}

func TestPercentiles(t *testing.T) {
	var hundred []float64
	for n := 100; n >= 1; n-- {
		hundred = append(hundred, float64(n))
	}
	unsorted := slices.Clone(hundred)
	for _, c := range []struct {
		all  []float64
		p    float64
		want float64
	}{
		{hundred, 0.99, 99}, {hundred, 0.5, 50}, {hundred, 1, 100}, {hundred, 0, 1}, {hundred[:1], 0.99, 100}, {hundred[:50], 0.99, 100}, {hundred[:3], 0.5, 99},
	} {
		if got := Percentile(c.all, c.p); got != c.want {
			t.Errorf("percentile %v of %d values: got %v, want %v", c.p, len(c.all), got, c.want)
		}
	}
	if got := Median([]float64{9, 1, 4}); got != 4 {
		t.Errorf("got the median %v, want 4", got)
	}
	if got := Median([]float64{9, 1, 4, 2}); got != 3 {
		t.Errorf("got the median %v, want 3", got)
	}
	if !slices.Equal(hundred, unsorted) {
		t.Error("the values were sorted in place, want a copy")
	}
}
