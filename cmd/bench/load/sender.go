package load

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// sender is one connection. It uses a thread of its own and blocking calls: Go's
// timers and its poller wake up to a millisecond late on an idle machine, which is more
// than an answer takes.
type sender struct {
	job   Job
	index int
	file  *os.File
	fd    int
	texts [][]byte
	place []int // of Counter in the text; -1: none
	times [][]time.Duration
}

func newSender(j Job, index int) *sender {
	s := &sender{job: j, index: index}
	for _, r := range j.Requests {
		text := []byte(r.Text)
		s.texts = append(s.texts, text)
		s.place = append(s.place, bytes.Index(text, []byte(Counter)))
		for len(s.times) <= r.Kind {
			s.times = append(s.times, make([]time.Duration, 0, 1<<12))
		}
	}
	return s
}

func (s *sender) run(start time.Time) error {
	runtime.LockOSThread() // for ever: the thread ends with this goroutine
	sleepExactly()
	answers := bufio.NewReader(reader(s.fd))
	end := start.Add(s.job.For)
	next := s.index * len(s.texts) / s.job.Connections
	for n := 0; ; n, next = n+1, (next+1)%len(s.texts) {
		due := s.due(start, n)
		if !due.Before(end) {
			return nil
		}
		sleepUntil(due)
		if time.Since(end) > late {
			return fmt.Errorf("the server answers slower than the schedule of %d requests a second", s.job.Rate)
		}
		status, err := s.exchange(answers, next, n)
		if err != nil {
			return err
		}
		if err := s.note(next, status, time.Since(due)); err != nil {
			return err
		}
	}
}

// note checks the status of an answer and stores its time.
func (s *sender) note(next, status int, took time.Duration) error {
	want := s.job.Requests[next]
	if status != want.Status {
		return fmt.Errorf("a request got the status %d, want %d", status, want.Status)
	}
	s.times[want.Kind] = append(s.times[want.Kind], took)
	return nil
}

// due is the time of the n-th request of the connection. The connections take turns.
func (s *sender) due(start time.Time, n int) time.Time {
	if s.job.Rate == 0 {
		return time.Now()
	}
	return start.Add(time.Duration(n*s.job.Connections+s.index) * time.Second / time.Duration(s.job.Rate))
}

func (s *sender) exchange(answers *bufio.Reader, next, n int) (status int, err error) {
	text := s.texts[next]
	if at := s.place[next]; at >= 0 {
		putCounter(text[at:at+len(Counter)], n*s.job.Connections+s.index)
	}
	for len(text) > 0 {
		sent, err := unix.Write(s.fd, text)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("sending a request: %w", err)
		}
		text = text[sent:]
	}
	return readAnswer(answers)
}

func putCounter(digits []byte, n int) {
	for i := len(digits) - 1; i >= 0; i, n = i-1, n/10 {
		digits[i] = byte('0' + n%10)
	}
}

// reader reads from a blocking file descriptor.
type reader int

func (r reader) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(r), p)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, fmt.Errorf("waiting for an answer: %w", err)
		case n == 0:
			return 0, fmt.Errorf("the server closed the connection")
		default:
			return n, nil
		}
	}
}

func setTimeout(fd int, d time.Duration) error {
	tv := unix.NsecToTimeval(int64(d))
	return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
}

// sleepUntil sleeps in a system call, which is more exact than time.Sleep.
func sleepUntil(due time.Time) {
	if d := time.Until(due); d > 0 {
		tv := unix.NsecToTimeval(int64(d))
		unix.Select(0, nil, nil, nil, &tv) // an interrupted sleep sends a little early
	}
}
