package cli

import (
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/instant"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

// filterFlags are the flags of list that select tokens by their members.
type filterFlags struct {
	creator                    string
	expiresBefore, unusedSince string // instants
	expiresWithin, unusedFor   string // durations from and to now
	neverExpires               bool
}

func (o *filterFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.creator, "creator", "", "list only the tokens that this user made, for any user")
	f.StringVar(&o.expiresBefore, "expires-before", "", "list only tokens that expire before this instant, like 2027-01-31T12:00:00Z")
	f.StringVar(&o.unusedSince, "unused-since", "", "list only tokens that were last used, or created if never used, before this instant")
	f.StringVar(&o.expiresWithin, "expires-within", "", "list only tokens that expire within this duration, like 30D")
	f.StringVar(&o.unusedFor, "unused-for", "", "list only tokens that were last used, or created if never used, at least this long ago, like 90D")
	c.MarkFlagsMutuallyExclusive("expires-before", "expires-within")
	c.MarkFlagsMutuallyExclusive("unused-since", "unused-for")
	f.BoolVar(&o.neverExpires, "never-expires", false, "list only tokens that do not expire; --never-expires=false lists those that do")
}

// read checks the flags before the call. now is the instant from which durations count.
func (o *filterFlags) read(given func(flag string) bool, now time.Time) (f httpapi.Filter, err error) {
	if f.Creator = o.creator; given("creator") && o.creator == "" {
		return f, console.Usagef("--creator is empty; give a user, or leave the flag out for the tokens that any user made")
	}
	if given("never-expires") {
		f.NeverExpires = &o.neverExpires
	}
	if given("expires-before") {
		if f.ExpiresBefore, err = instantFlag("expires-before", o.expiresBefore); err != nil {
			return f, err
		}
	}
	if given("unused-since") {
		if f.UnusedSince, err = instantFlag("unused-since", o.unusedSince); err != nil {
			return f, err
		}
	}
	if given("expires-within") {
		d, err := durationFlag("expires-within", o.expiresWithin)
		if err != nil {
			return f, err
		}
		f.ExpiresBefore = now.Add(d).UTC()
	}
	if given("unused-for") {
		d, err := durationFlag("unused-for", o.unusedFor)
		if err != nil {
			return f, err
		}
		f.UnusedSince = now.Add(-d).UTC()
	}
	return f, nil
}

func durationFlag(flag, text string) (time.Duration, error) {
	d, err := token.ParseLifetime(text)
	if err != nil {
		return 0, console.Usagef("--%s: %s", flag, err)
	}
	return d, nil
}

// instantFlag reads an instant. The zero time is refused, because the client has
// it for no instant.
func instantFlag(flag, text string) (time.Time, error) {
	at, err := instant.Parse(text)
	switch {
	case err != nil:
		return at, console.Usagef("--%s: %s%s", flag, err, formsUnless(text, "an instant like 2027-01-31T12:00:00Z"))
	case at.IsZero():
		return at, console.Usagef("--%s: the instant is before every token; allowed: a later one", flag)
	}
	return at, nil
}
