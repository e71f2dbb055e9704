package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

type settings struct {
	access.Flags
	output                       string
	tokenLimit, changeRate       int
	expiration, grace, retention string
	warningDays                  string
}

func newSettings(e *console.Env) *cobra.Command {
	var o settings
	c := &cobra.Command{
		Use:   "settings",
		Short: "Show the settings of the service, or change those that a flag names",
		Long: `Show the settings of the service, or change those that a flag names.

To show them takes the permission view or edit, to change them edit. A change
applies to tokens of other users at once, and to the tokens of a caller within
5 seconds. A lower token limit ends no token; it blocks new ones. A shorter
lifetime shortens no token. A shorter retention takes effect for new records
only after the longer one of the records before them.

A duration is a number and a unit: Y, M (30 days), W, D, H, m (minutes) or S.`,
		Example: `  apitoken settings
  apitoken settings --token-limit 10 --expiration-timeout 90D
  apitoken settings --warning-days 30,7,1`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), e, c.Flags().Changed) },
	}
	f := c.Flags()
	f.IntVar(&o.tokenLimit, "token-limit", 0, "how many live tokens a user may have, 0 to 50")
	f.StringVar(&o.expiration, "expiration-timeout", "", "default and maximum lifetime of a token, like 90D; none: neither")
	f.StringVar(&o.grace, "rotation-grace", "", "how long the secret before a rotation passes, like 24H, at most 365D; none: not at all")
	f.StringVar(&o.retention, "retention", "", "how long records and ended tokens are kept, like 400D; none: for ever")
	f.StringVar(&o.warningDays, "warning-days", "", "the days before an expiry with a warning, like 30,7,1; none: no warnings")
	f.IntVar(&o.changeRate, "change-rate", 0, "how often a user's tokens may change in an hour, 0 to 1000000; 0: no limit")
	console.OutputFlag(c, &o.output, console.Formats...)
	o.Flags.Add(c)
	return c
}

func (o *settings) run(ctx context.Context, e *console.Env, given func(flag string) bool) error {
	if err := console.CheckOutput(o.output, console.Formats...); err != nil {
		return err
	}
	change, err := o.change(given)
	if err != nil {
		return err
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	var now httpapi.Settings
	if change == (httpapi.SettingsChange{}) {
		now, err = client.Settings(ctx)
	} else {
		now, err = client.ChangeSettings(ctx, change)
	}
	if err != nil {
		return access.Explain(err)
	}
	return o.print(e, now)
}

// change is what the flags ask for. A flag that was given counts even if its value is
// empty: an unset variable in a script must not remove a limit.
func (o *settings) change(given func(flag string) bool) (c httpapi.SettingsChange, err error) {
	if given("token-limit") {
		c.TokenLimit = &o.tokenLimit
	}
	if given("change-rate") {
		c.ChangeRate = &o.changeRate
	}
	if given("warning-days") {
		if c.WarningDays, err = days(o.warningDays); err != nil {
			return c, err
		}
	}
	for _, d := range []struct {
		flag, text string
		into       **int64
	}{
		{"expiration-timeout", o.expiration, &c.ExpirationTimeout},
		{"rotation-grace", o.grace, &c.RotationGrace},
		{"retention", o.retention, &c.Retention},
	} {
		if given(d.flag) {
			if *d.into, err = seconds(d.flag, d.text); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// none is the value of a flag that removes a limit, a list or a duration.
const none = "none"

func seconds(flag, text string) (*int64, error) {
	if text == none {
		return new(int64(0)), nil
	}
	d, err := token.ParseLifetime(text)
	if err != nil {
		return nil, console.Usagef("--%s: %s; none is also allowed", flag, err)
	}
	return new(int64(d / time.Second)), nil
}

func days(text string) (*[]int, error) {
	all := []int{}
	if text == none {
		return &all, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil {
			return nil, console.Usagef("--warning-days is invalid; allowed: whole numbers with commas between them, like 30,7,1, or none")
		}
		all = append(all, n)
	}
	return &all, nil
}

func (o *settings) print(e *console.Env, s httpapi.Settings) error {
	if o.output == "json" {
		return console.PrintJSON(e.Out, s)
	}
	warnings := none
	if len(s.WarningDays) > 0 {
		warnings = strings.Trim(strings.ReplaceAll(fmt.Sprint(s.WarningDays), " ", ","), "[]")
	}
	rate := none
	if s.ChangeRate != 0 {
		rate = strconv.Itoa(s.ChangeRate)
	}
	return e.PrintTable(o.output, console.Table{Rows: [][]any{
		{"token limit", strconv.Itoa(s.TokenLimit)}, {"expiration timeout", lifetimeText(s.ExpirationTimeout)},
		{"rotation grace", lifetimeText(s.RotationGrace)}, {"retention", lifetimeText(s.Retention)},
		{"warning days", warnings}, {"change rate", rate},
	}})
}

// lifetimeText is a number of seconds in the form that the flags take.
func lifetimeText(seconds int64) string {
	if seconds == 0 {
		return none
	}
	for _, unit := range []struct {
		name    string
		seconds int64
	}{{"D", 86400}, {"H", 3600}, {"m", 60}} {
		if seconds%unit.seconds == 0 {
			return strconv.FormatInt(seconds/unit.seconds, 10) + unit.name
		}
	}
	return strconv.FormatInt(seconds, 10) + "S"
}
