package issuer

import (
	"context"
	"errors"
	"fmt"

	"apitoken/events"
)

// sameHead is the number of conflicts at one version after which a command looks
// for a record that is newer than the head. Without such a record, a head that
// does not move causes no conflict. A single conflict shows nothing: a reader of
// DynamoDB may see an item of a transaction a moment before another item.
const sameHead = 4

// losses counts the conflicts in a row at one version of a stream.
type losses struct {
	version uint64
	count   int
}

func (l *losses) add(version uint64) {
	if l.version != version {
		*l = losses{version: version}
	}
	l.count++
}

// check returns an error if the stream has a record that is newer than its head,
// after sameHead conflicts at the version that the head still has. No command can
// write to such a stream.
func (l *losses) check(ctx context.Context, log events.Log, k events.Keys, s events.Stream, version uint64) error {
	if l.version != version || l.count != sameHead {
		return nil
	}
	newer, err := log.History(ctx, s, version, 1)
	if errors.Is(err, events.ErrDamaged) {
		return fmt.Errorf("a record is newer than the head, which has version %d, and cannot be decoded: %w: run apitoken audit repair --stream %s", version, err, s)
	}
	if err != nil {
		return fmt.Errorf("looking for a record that is newer than the head of stream %s: %w", s, busyUnlessDamaged(err))
	}
	if len(newer) == 0 {
		return nil
	}
	head, err := readHead(ctx, log, k, s)
	if err != nil || head.Version != version {
		return err // another command has written the record and the head meanwhile
	}
	return newerThanHead(k, newer[0].Message(), version)
}

// newerThanHead returns what a record that is newer than the head means, and how
// to end the block of the stream.
func newerThanHead(k events.Keys, m events.Message, version uint64) error {
	err := m.CheckMAC(k)
	switch {
	case errors.Is(err, events.ErrUnknownKid):
		return fmt.Errorf("a record is newer than the head, which has version %d: %w", version, err)
	case err != nil:
		return fmt.Errorf("a record is newer than the head, which has version %d: the record was planted: %w: run apitoken audit repair --stream %s", version, err, m.Stream)
	}
	return fmt.Errorf("record %s: %w: it is newer than the head, which has version %d, and its MAC is right: the head was put back to an older one: run apitoken audit repair --stream %s", m.ID, events.ErrDamaged, version, m.Stream)
}
