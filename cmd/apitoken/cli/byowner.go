package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

// ownerSummary is what list --by-owner says about one owner. LiveTokens counts all live
// tokens of the owner, also those that a filter leaves out. SoonestExpiry is the
// earliest expiry of the listed tokens, zero if none of them expires.
type ownerSummary struct {
	Owner         string       `json:"owner"`
	LiveTokens    int          `json:"live_tokens"`
	TokenLimit    int          `json:"token_limit"`
	SoonestExpiry httpapi.Time `json:"soonest_expiry"`
}

// printOwners prints a summary of each owner of the live tokens. It asks the service
// once for each owner, because an owner may have a limit of its own.
func (o *list) printOwners(ctx context.Context, e *console.Env, client *httpapi.Client, entries []httpapi.Entry, progress *console.Progress) error {
	owners := summarize(entries)
	for i := range owners {
		progress.Showf("limits read: %d of %d", i, len(owners))
		limit, err := client.Limit(ctx, owners[i].Owner)
		if err != nil {
			progress.End()
			return access.Explain(err)
		}
		owners[i].LiveTokens, owners[i].TokenLimit = limit.LiveTokens, limit.Effective
	}
	progress.End()
	switch {
	case o.output == "json":
		return console.PrintJSON(e.Out, owners)
	case len(owners) == 0 && o.output != "csv":
		e.Messagef("there are no such tokens")
		return nil
	}
	t := console.Table{Heads: []string{"Owner", "Live", "Limit", "Soonest-expiry"}}
	for _, s := range owners {
		t.Rows = append(t.Rows, []any{s.Owner, s.LiveTokens, s.TokenLimit, console.Expiry(s.SoonestExpiry.Time)})
	}
	return e.PrintTable(o.output, t)
}

// summarize finds the owners of the tokens, in the order of their keys, and the
// soonest expiry of each.
func summarize(entries []httpapi.Entry) []ownerSummary {
	owners := []ownerSummary{}
	for _, entry := range entries {
		key := ownerOf(entry.User)
		i, found := slices.BinarySearchFunc(owners, key, func(s ownerSummary, key string) int { return strings.Compare(s.Owner, key) })
		if !found {
			owners = slices.Insert(owners, i, ownerSummary{Owner: key})
		}
		owners[i].SoonestExpiry.Time = sooner(owners[i].SoonestExpiry.Time, entry.ExpirationTime.Time)
	}
	return owners
}

// sooner is the earlier one of two instants. The zero time is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.IsZero() {
		return cmp.Or(a, b)
	}
	if b.Before(a) {
		return b
	}
	return a
}
