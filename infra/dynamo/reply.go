package dynamo

import (
	"context"
	"fmt"

	"apitoken/events"
	"apitoken/infra/dynamo/item"
)

// Reply is one consistent GetItem. Its errors do not contain the key, because
// the key is derived from input of a client.
func (s *Store) Reply(ctx context.Context, key string) (events.Reply, error) {
	it, err := s.get(ctx, item.ReplyKey(key))
	if err != nil {
		return events.Reply{}, fmt.Errorf("reading a reply: %w", err)
	}
	if it == nil {
		return events.Reply{}, events.ErrNotFound
	}
	return item.ReadReply(it)
}
