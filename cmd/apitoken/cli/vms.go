package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

// vms holds the flags of VAST's commands that change settings.
type vms struct {
	access.Flags
	id                      string
	limit                   int
	timeout, enabled        string
	enableFlag, disableFlag bool
}

// vastTimeout is the lifetime that VAST's command enables if it is given none
// (kb.vastdata.com, "vms modify_pwd_settings").
const vastTimeout = 180 * 24 * time.Hour

// newVMS returns VAST's commands for the token limit and the maximum lifetime.
func newVMS(e *console.Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "vms",
		Short: "Change the token limit and the lifetime of tokens, as VAST's command line does",
		Long: `Change the token limit and the lifetime of tokens, as VAST's command line does.
The command settings shows and changes the same settings.`,
	}
	c.AddCommand(newSetMax(e), newPwdSettings(e))
	return c
}

func newSetMax(e *console.Env) *cobra.Command {
	var o vms
	c := &cobra.Command{
		Use:     "set_max_api_tokens_per_user",
		Short:   "Set how many live tokens a user may have",
		Long:    `Set how many live tokens a user may have, 0 to 50. It takes the permission edit.`,
		Example: `  apitoken vms set_max_api_tokens_per_user --max-api-tokens-per-user 10`,
		Args:    console.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.setMax(c.Context(), e, c.Flags().Changed) },
	}
	c.Flags().IntVar(&o.limit, "max-api-tokens-per-user", 0, "how many live tokens a user may have, 0 to 50")
	o.add(c)
	return c
}

func newPwdSettings(e *console.Env) *cobra.Command {
	var o vms
	c := &cobra.Command{
		Use:   "modify_pwd_settings",
		Short: "Set the default and maximum lifetime of tokens",
		Long: `Set the default and maximum lifetime of tokens, which VAST calls the password
expiration timeout. It takes the permission edit. VAST's options about passwords
themselves are unknown: this service has none.`,
		Example: `  apitoken vms modify_pwd_settings --pwd-expiration-timeout 180D
  apitoken vms modify_pwd_settings --disable-pwd-expiration-timeout`,
		Args: console.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.setTimeout(c.Context(), e, c.Flags().Changed) },
	}
	f := c.Flags()
	f.StringVar(&o.timeout, "pwd-expiration-timeout", "", "the default and maximum lifetime: a number and a unit, Y, M (30 days), W, D, H, m (minutes) or S")
	f.BoolVar(&o.enableFlag, "enable-pwd-expiration-timeout", false, "tokens expire: the lifetime stays, or becomes 180D if there is none")
	f.BoolVar(&o.disableFlag, "disable-pwd-expiration-timeout", false, "no default and no maximum lifetime")
	f.StringVar(&o.enabled, "pwd-expiration-timeout-enabled", "", "on or off, as the two flags above")
	c.MarkFlagsMutuallyExclusive("enable-pwd-expiration-timeout", "disable-pwd-expiration-timeout", "pwd-expiration-timeout-enabled")
	c.MarkFlagsMutuallyExclusive("pwd-expiration-timeout", "disable-pwd-expiration-timeout")
	o.add(c)
	return c
}

func (o *vms) add(c *cobra.Command) {
	c.Flags().StringVar(&o.id, "id", "", "accepted for VAST's scripts, and ignored: there is one service")
	o.Flags.Add(c)
}

func (o *vms) setMax(ctx context.Context, e *console.Env, given func(flag string) bool) error {
	if !given("max-api-tokens-per-user") {
		return console.Usagef("give --max-api-tokens-per-user, a whole number from 0 to 50")
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	now, err := client.ChangeSettings(ctx, httpapi.SettingsChange{TokenLimit: &o.limit})
	if err != nil {
		return access.Explain(err)
	}
	e.Messagef("a user may have %d live tokens", now.TokenLimit)
	return nil
}

func (o *vms) setTimeout(ctx context.Context, e *console.Env, given func(flag string) bool) error {
	enable, disable, err := o.switches(given)
	if err != nil {
		return err
	}
	var timeout time.Duration
	switch {
	case given("pwd-expiration-timeout") && disable:
		return console.Usagef("--pwd-expiration-timeout sets a lifetime, and --pwd-expiration-timeout-enabled off removes it; give one of them")
	case given("pwd-expiration-timeout"):
		if timeout, err = token.ParseLifetime(o.timeout); err != nil {
			return console.Usagef("--pwd-expiration-timeout: %s", err)
		}
	case !enable && !disable:
		return console.Usagef("give --pwd-expiration-timeout, --enable-pwd-expiration-timeout or --disable-pwd-expiration-timeout")
	}
	client, err := o.Client(ctx, e)
	if err != nil {
		return err
	}
	if enable && timeout == 0 {
		now, err := client.Settings(ctx)
		if err != nil {
			return access.Explain(err)
		}
		if timeout = time.Duration(now.ExpirationTimeout) * time.Second; timeout == 0 {
			timeout = vastTimeout
		}
	}
	now, err := client.ChangeSettings(ctx, httpapi.SettingsChange{ExpirationTimeout: new(int64(timeout / time.Second))})
	if err != nil {
		return access.Explain(err)
	}
	e.Messagef("the default and maximum lifetime of a token: %s", lifetimeText(now.ExpirationTimeout))
	return nil
}

// switches reads the three flags that say whether tokens expire.
func (o *vms) switches(given func(flag string) bool) (enable, disable bool, err error) {
	if !given("pwd-expiration-timeout-enabled") {
		return o.enableFlag, o.disableFlag, nil
	}
	switch strings.ToLower(o.enabled) {
	case "on", "true", "yes", "1":
		return true, false, nil
	case "off", "false", "no", "0":
		return false, true, nil
	}
	return false, false, console.Usagef("--pwd-expiration-timeout-enabled has an unknown value; allowed: on, off")
}
