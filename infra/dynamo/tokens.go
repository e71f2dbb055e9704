package dynamo

import (
	"context"
	"fmt"

	"apitoken/events"
)

// One call of Tokens makes at most listQueries queries, and one more for each
// owner. It reads at most listItems entries of an index, and one more for each
// owner. This is about a second of work, even if few tokens match.
const (
	listQueries = 36
	listItems   = 10_000
)

// Tokens implements events.Views. It reads the owner index for each owner of the
// query. Without owners it reads the list index, month after month. The views
// have the digest of the verifier in its place.
func (s *Store) Tokens(ctx context.Context, q events.Query) (events.Page, error) {
	m := &merge{store: s, q: q, lists: listsOf(q), at: q.After}
	if err := m.run(ctx); err != nil {
		return events.Page{}, fmt.Errorf("listing tokens: %w", err)
	}
	return m.page, nil
}

// merge is the state of one call of Tokens. It merges lists, each of them in the
// order of events.Position, until the page is full or the call reached a limit.
type merge struct {
	store   *Store
	q       events.Query
	lists   []*list
	page    events.Page
	at      events.Position // all entries up to here were merged
	queries int
	items   int
}

func (m *merge) run(ctx context.Context) error {
	for {
		l, spent, err := m.first(ctx)
		switch {
		case err != nil:
			return err
		case spent:
			m.more(m.reached())
			return nil
		case l == nil:
			return nil
		}
		if e := l.entries[0]; m.wants(e) {
			if m.full() {
				m.more(m.at)
				return nil
			}
			m.add(e)
		}
		m.at = l.entries[0].at
		l.entries = l.entries[1:]
	}
}

// first returns the list with the earliest entry that is not yet merged, nil if
// there are no more entries. spent says that the call may read no more.
func (m *merge) first(ctx context.Context) (first *list, spent bool, err error) {
	for _, l := range m.lists {
		for len(l.entries) == 0 && !l.done {
			if m.spent() && (l.items > 0 || len(m.lists) == 1) {
				return nil, true, nil
			}
			if err := m.read(ctx, l); err != nil {
				return nil, false, err
			}
		}
		if len(l.entries) > 0 && (first == nil || l.entries[0].at.Compare(first.entries[0].at) < 0) {
			first = l
		}
	}
	return first, false, nil
}

func (m *merge) spent() bool { return m.queries >= listQueries || m.items >= listItems }

// reached returns the position up to which all lists were read and merged.
func (m *merge) reached() events.Position {
	if len(m.lists) == 1 {
		return m.lists[0].at // it may be later than the last entry: the start of a month
	}
	return m.at
}

// wants reports whether the entry is for the page. A damaged entry is.
func (m *merge) wants(e entry) bool { return e.damaged != nil || m.q.Matches(e.view) }

func (m *merge) full() bool { return len(m.page.Views) >= m.q.Limit }

func (m *merge) add(e entry) {
	if e.damaged != nil {
		m.page.Damaged = append(m.page.Damaged, e.damaged)
		return
	}
	m.page.Views = append(m.page.Views, e.view)
}

func (m *merge) more(next events.Position) { m.page.More, m.page.Next = true, next }
