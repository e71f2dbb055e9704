package bolt

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"go.etcd.io/bbolt"
)

// job is one write. It is looked at and applied in the same transaction as its
// neighbours, so admit sees what those before it wrote.
type job struct {
	ctx context.Context

	// admit decides and changes nothing: a refusal must leave the neighbours'
	// transaction as it was. errNothing means that there is nothing to do.
	admit func(*bbolt.Tx) error
	apply func(*bbolt.Tx) error

	fillsOutbox bool
	err         error
	done        chan struct{} // nil: nobody waits
}

var (
	errClosed  = errors.New("the store is closed")
	errNothing = errors.New("nothing to do")
	errFull    = errors.New("too many writes are waiting")
)

// do queues the job and waits for its answer, even if the context ends in
// between: a sync takes milliseconds, and so the outcome is known.
func (s *Store) do(j *job) error {
	j.done = make(chan struct{})
	if err := s.enqueue(j); err != nil {
		return err
	}
	<-j.done
	return j.err
}

// Ready says whether the store still writes. It queues behind what waits, so a
// disk that hangs shows too, when ctx ends.
func (s *Store) Ready(ctx context.Context) error {
	j := &job{ctx: ctx, admit: func(*bbolt.Tx) error { return errNothing }, done: make(chan struct{})}
	if err := s.enqueue(j); err != nil {
		return fmt.Errorf("asking the store %s: %w", s.path, err)
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("waiting for the store %s: %w", s.path, ctx.Err())
	case <-j.done:
		return j.err
	}
}

func (s *Store) enqueue(j *job) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	if err := j.ctx.Err(); err != nil {
		return err
	}
	select {
	case s.queue <- j:
		return nil
	case <-j.ctx.Done():
		return j.ctx.Err()
	}
}

// offer queues the job if there is room and waits for nothing.
func (s *Store) offer(j *job) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	select {
	case s.queue <- j:
		return nil
	default:
		return errFull
	}
}

// write is the one goroutine that writes.
func (s *Store) write() {
	defer close(s.stopped)
	for first := range s.queue {
		s.settle(s.batch(first))
	}
}

// batch is the first job and whatever waits behind it.
func (s *Store) batch(first *job) []*job {
	jobs := []*job{first}
	for len(jobs) < maxBatch {
		select {
		case j, ok := <-s.queue:
			if !ok {
				return jobs
			}
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// settle writes the jobs in one transaction and answers them. A job that
// cannot be applied is answered alone and the others are written without it;
// if the transaction fails as a whole, all that were admitted get its error.
func (s *Store) settle(jobs []*job) {
	for len(jobs) > 0 {
		culprit, err := s.transact(jobs)
		if culprit < 0 {
			s.answer(jobs, err)
			return
		}
		jobs[culprit].err = err
		s.answer(jobs[culprit:culprit+1], nil)
		jobs = append(jobs[:culprit:culprit], jobs[culprit+1:]...)
	}
}

// transact returns the index of the job that could not be applied, or -1, and
// the error that kept the transaction from being committed.
func (s *Store) transact(jobs []*job) (culprit int, err error) {
	if s.broken != nil {
		return -1, s.broken
	}
	tx, err := s.db.Begin(true)
	if err != nil {
		return -1, err
	}
	admitted := 0
	for i, j := range jobs {
		if j.err = j.admitted(tx); j.err != nil {
			continue
		}
		if err := j.apply(tx); err != nil {
			return i, errors.Join(err, tx.Rollback())
		}
		admitted++
	}
	if admitted == 0 {
		return -1, tx.Rollback()
	}
	if err := tx.Commit(); err != nil {
		return -1, s.failed(err)
	}
	return -1, nil
}

func (j *job) admitted(tx *bbolt.Tx) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	return j.admit(tx)
}

// failed decides whether writing may go on. A full disk refuses before
// anything took effect, so it may be tried again. After any other failure,
// above all of a sync, the kernel may have dropped what it could not write and
// report success next time: only a restart, which reads the file anew, is safe.
func (s *Store) failed(err error) error {
	err = fmt.Errorf("writing %s: %w", s.path, err)
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		s.broken = fmt.Errorf("the store stopped writing and must be restarted: %w", err)
	}
	return err
}

func (s *Store) answer(jobs []*job, err error) {
	filled := false
	for _, j := range jobs {
		switch {
		case errors.Is(j.err, errNothing):
			j.err = nil
		case j.err == nil:
			j.err = err
			filled = filled || (err == nil && j.fillsOutbox)
		}
		if j.done != nil {
			close(j.done)
		}
	}
	if filled && s.onCommit != nil {
		s.onCommit()
	}
}
