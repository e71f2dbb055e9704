package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/operator"
	"apitoken/cmd/apitoken/serve"
	"apitoken/events"
)

// tableHelp is the part of serve's help about a table.
const tableHelp = `With --table any number of processes at a load balancer serve one DynamoDB table, or
the table of a service that is compatible with DynamoDB. All of them need the same
variables: PEPPERS (kid:base64, the current one first), DEPLOYMENT (the id of the
deployment in its events, like a UUID) and TOKEN_PREFIX, if tokens have a prefix.
Credentials, region and endpoint are set as for AWS's own tools. The table must have
settings: run apitoken bootstrap --table once before. The start fails if PEPPERS did
not seal the settings, or if the service of the table lacks an ability that apitoken
needs; to find out, it writes some items and removes them.

One process at a time sends the events to --bus, and one records expiries and warns
before them. If this process is killed, another one goes on within 30 seconds. Without
--bus the process sends no events, and /readyz says so. /healthz then only says that
the process runs, and /readyz whether the table answers and the bus takes events.
There is no data folder, so --data, --events-part, --tls-self-signed and --tls-name are
refused.`

// folderFlags are the flags of serve that are about the data folder, with what to do
// instead of them with --table.
var folderFlags = []struct{ flag, instead string }{
	{"data", "remove --data"},
	{"events-part", "remove --events-part"},
	{"tls-self-signed", "its certificate is in the data folder, so give --tls-cert and --tls-key"},
	{"tls-name", "it is for --tls-self-signed, so remove --tls-name"},
}

// readTable reads the settings of a table from the variables, if the flags name a
// table. It refuses flags that have no effect.
func readTable(c *cobra.Command, e *console.Env, t *serve.Table) error {
	given := c.Flags().Changed
	if t.Name == "" {
		if given("table") {
			return console.Usagef("--table is empty; give the name of a DynamoDB table, or leave the flag out")
		}
		if t.Bus != "" {
			return console.Usagef("--bus needs --table: the events of a data folder go to its file of events")
		}
		return nil
	}
	for _, f := range folderFlags {
		if given(f.flag) {
			return console.Usagef("--%s has no effect with --table: %s", f.flag, f.instead)
		}
	}
	if given("bus") && t.Bus == "" {
		return console.Usagef("--bus is empty; give the name or the ARN of an EventBridge bus, or leave the flag out")
	}
	var err error
	if t.Keys, t.Prefix, err = operator.TableSettings(e); err != nil {
		return err
	}
	if t.Deployment, err = e.EnvValue("DEPLOYMENT"); err != nil {
		return err
	}
	if t.Deployment == "" {
		return console.Usagef("DEPLOYMENT is not set: --table needs the id of the deployment, the same for all its processes, like a UUID")
	}
	if err := events.ValidDeployment(t.Deployment); err != nil {
		return fmt.Errorf("reading DEPLOYMENT: %w", err)
	}
	return nil
}
