package cli

import (
	"strings"

	"apitoken/cmd/apitoken/console"

	"github.com/spf13/cobra"
)

// ifMatch is the flag --if-match.
type ifMatch struct{ flag string }

func (o *ifMatch) add(c *cobra.Command) {
	c.Flags().StringVar(&o.flag, "if-match", "", "do nothing unless the token still has this etag, which show prints")
}

// header returns the flag in the form of the header If-Match. The quotes around one
// number may be missing, because shells remove them. A flag that was given is never
// empty: an unset variable in a script must not remove the condition. A token is
// refused, because proxies may log this header.
func (o *ifMatch) header(given bool) (string, error) {
	switch tags := strings.TrimSpace(o.flag); {
	case !given:
		return "", nil
	case tags == "" || console.WholeToken.MatchString(tags):
		return "", console.Usagef("--if-match: the value is no etag; give the etag that show prints, like 3")
	case strings.Trim(tags, "0123456789") == "":
		return `"` + tags + `"`, nil
	default:
		return tags, nil
	}
}
