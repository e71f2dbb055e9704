// Package outside measures a server from outside. The server and the program that
// sends the requests are two processes, and the CPU time of the server process alone
// counts: a load generator in the same process, or throughput on CPUs that both
// share, would hide the server's part.
//
// Two servers are measured in turns, in slices of some seconds, because the speed of
// a machine changes within minutes. A slice in which other processes used the CPUs is
// dropped and repeated. The package reads Linux's /proc.
package outside

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
)

// Load sends requests to a server for one slice. Its processes are children of this
// one, and have ended when it returns.
type Load func() (Sent, error)

// Sent is what a Load did.
type Sent struct {
	Requests int     // that were answered
	Value    float64 // of the load's own, such as a percentile
	Bare     float64 // the same of the baseline, if the load sends to both by turns
}

// Slice is one measured slice.
type Slice struct {
	PerRequest float64 // CPU time of the server in µs for each request
	Value      float64 // of the load
	Bare       float64 // of the load
	Others     float64 // the part of the CPU time of all CPUs that other processes used
}

// Measure runs the load and watches the server's process.
func Measure(pid int, load Load) (Slice, error) { return MeasureAll([]int{pid}, load) }

// MeasureAll runs the load and watches the processes of a server: the CPU time of all of
// them counts.
func MeasureAll(pids []int, load Load) (Slice, error) {
	before, err := read(pids)
	if err != nil {
		return Slice{}, err
	}
	sent, err := load()
	if err != nil {
		return Slice{}, err
	}
	after, err := read(pids)
	if err != nil {
		return Slice{}, err
	}
	if sent.Requests == 0 {
		return Slice{}, fmt.Errorf("the server answered no request in %v", after.at.Sub(before.at))
	}
	return slice(before, after, sent), nil
}

// reading is the state of all clocks at one time.
type reading struct {
	at                          time.Time
	server, self, total, stolen time.Duration
}

func read(pids []int) (r reading, err error) {
	var server time.Duration
	for _, pid := range pids {
		u, uerr := usageOf(pid)
		server, err = server+u.own, errors.Join(err, uerr)
	}
	self, err1 := usageOf(os.Getpid())
	total, err2 := totalUsage()
	stolen, err3 := stolenTime()
	return reading{time.Now(), server, self.sum(), total, stolen}, errors.Join(err, err1, err2, err3)
}

func slice(before, after reading, sent Sent) Slice {
	server := after.server - before.server
	self := after.self - before.self // with the load
	others := after.total - before.total - server - self + after.stolen - before.stolen
	available := after.at.Sub(before.at) * time.Duration(runtime.NumCPU())
	return Slice{
		PerRequest: float64(server) / float64(time.Microsecond) / float64(sent.Requests),
		Value:      sent.Value,
		Bare:       sent.Bare,
		Others:     max(0, float64(others)/float64(available)),
	}
}
