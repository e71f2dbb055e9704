package bolt

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"go.etcd.io/bbolt"
)

// job is one write. Several jobs share a transaction and run one after the
// other, so admit sees what earlier jobs wrote.
type job struct {
	ctx context.Context

	// admit decides and changes nothing, because a refusal must not change the
	// transaction for the other jobs. errNothing means that nothing has to be
	// written.
	admit func(*bbolt.Tx) error
	apply func(*bbolt.Tx) error

	fillsOutbox bool
	isUse       bool // a last use: no caller waits, so a failure is counted
	err         error
	done        chan struct{} // closed with the answer; nil: no caller waits
}

var (
	errClosed  = errors.New("the store is closed")
	errNothing = errors.New("nothing to do")
	errFull    = errors.New("too many writes are waiting")
)

// do queues the job and waits for its answer, even if the context ends
// meanwhile. A sync takes only milliseconds, and the caller learns the outcome.
func (s *Store) do(j *job) error {
	j.done = make(chan struct{})
	if err := s.enqueue(j); err != nil {
		return err
	}
	<-j.done
	return j.err
}

// Ready returns an error if the store does not write any more. It waits until
// all earlier writes are done, so it also notices a disk that hangs: then ctx
// ends first.
func (s *Store) Ready(ctx context.Context) error {
	err := s.doUntil(&job{ctx: ctx, admit: func(*bbolt.Tx) error { return errNothing }})
	if err != nil {
		return fmt.Errorf("waiting for the store %s: %w", s.path, err)
	}
	return nil
}

// doUntil is do, but it stops waiting when the context of the job ends. Then the
// outcome is unknown.
func (s *Store) doUntil(j *job) error {
	j.done = make(chan struct{})
	if err := s.enqueue(j); err != nil {
		return err
	}
	select {
	case <-j.ctx.Done():
		return j.ctx.Err()
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

// tryEnqueue queues the job if there is room, and never waits.
func (s *Store) tryEnqueue(j *job) error {
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

// write runs in the one goroutine that writes, until Close.
func (s *Store) write() {
	defer close(s.stopped)
	for first := range s.queue {
		s.writeAll(s.batch(first))
	}
}

// batch returns the first job and the jobs after it in the queue, without
// waiting for more.
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

// writeAll writes the jobs in one transaction and answers them. A job that
// cannot be applied gets its own error, and the others are written without it.
// If the transaction fails, all admitted jobs get its error.
func (s *Store) writeAll(jobs []*job) {
	for len(jobs) > 0 {
		bad, err := s.transact(jobs)
		if bad < 0 {
			s.answer(jobs, err)
			return
		}
		jobs[bad].err = err
		s.answer(jobs[bad:bad+1], nil)
		jobs = append(jobs[:bad:bad], jobs[bad+1:]...)
	}
}

// transact writes the jobs in one transaction. bad is the index of the job that
// could not be applied, or -1. The error says why the transaction was not
// committed.
func (s *Store) transact(jobs []*job) (bad int, err error) {
	if s.broken != nil {
		return -1, s.broken
	}
	tx, err := s.db.Begin(true)
	if err != nil {
		return -1, err
	}
	s.db.AllocSize = growth(tx.Size())
	admitted := 0
	for i, j := range jobs {
		if j.err = j.check(tx); j.err != nil {
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
		return -1, s.commitError(err)
	}
	return -1, nil
}

func (j *job) check(tx *bbolt.Tx) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	return j.admit(tx)
}

// commitError returns the error of a transaction and decides whether the store
// may write again. If the disk is full, bbolt fails before it changes anything,
// so later writes may succeed. After any other failure, above all of a sync,
// the kernel may have dropped the unwritten data and report success the next
// time. Then only a restart is safe, because it reads the file again.
func (s *Store) commitError(err error) error {
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
		if j.isUse && j.err != nil {
			s.usesNotStored.Add(1)
		}
		if j.done != nil {
			close(j.done)
		}
	}
	if filled && s.onCommit != nil {
		s.onCommit()
	}
}
