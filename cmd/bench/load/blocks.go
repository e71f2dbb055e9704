package load

import (
	"bufio"
	"errors"
	"runtime"
	"time"
)

// Blocks are jobs that are done by turns: some requests of the first one, some of the
// next one, and again. What disturbs the machine then disturbs all jobs alike. Turns of
// seconds do not promise this.
type Blocks struct {
	Jobs []Job // each with one connection and no Rate
	Size int   // requests of a block
	For  time.Duration
}

// RunBlocks does the jobs, each on one connection, and returns a result for each. Each
// round begins with the next job, so that no job always follows the same one. Like Run
// it is meant for a process that does nothing else.
func RunBlocks(b Blocks) ([]Result, error) {
	if len(b.Jobs) == 0 || b.Size < 1 {
		return nil, errors.New("blocks need at least a job and a request")
	}
	prepare(1)
	runtime.LockOSThread() // for ever: the process ends after this work
	sleepExactly()
	var lines []*line
	for _, j := range b.Jobs {
		s, err := connect(j, 0)
		if err != nil {
			return nil, err
		}
		defer s.file.Close()
		lines = append(lines, &line{sender: s, answers: bufio.NewReader(reader(s.fd))})
	}
	end := time.Now().Add(b.For)
	for first := 0; time.Now().Before(end); first++ {
		for i := range lines {
			if err := lines[(first+i)%len(lines)].send(b.Size); err != nil {
				return nil, err
			}
		}
	}
	results := make([]Result, len(lines))
	for i, l := range lines {
		results[i] = merge(b.Jobs[i], []*sender{l.sender})
	}
	return results, nil
}

// line is a connection with its next request.
type line struct {
	*sender
	answers *bufio.Reader
	sent    int
}

func (l *line) send(count int) error {
	for range count {
		next := l.sent % len(l.texts)
		began := time.Now()
		status, err := l.exchange(l.answers, next, l.sent)
		if err == nil {
			err = l.note(next, status, time.Since(began))
		}
		if err != nil {
			return err
		}
		l.sent++
	}
	return nil
}
