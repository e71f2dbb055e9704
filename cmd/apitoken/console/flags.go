package console

import (
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError replaces an error of the flags' parser. It names the flag, the problem
// and what is allowed. It does not quote values, because a value may be a token.
func flagError(c *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return unknownFlag(c, unknown)
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return Usagef("--%s has no value; allowed: %s; see %s --help", missing.GetFlag().Name, allowed(missing.GetFlag()), c.CommandPath())
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return Usagef("--%s %s; see %s --help", invalid.GetFlag().Name, problem(invalid), c.CommandPath())
	}
	return Usagef("a flag has no name; flags have the form --NAME or --NAME=VALUE; see %s --help", c.CommandPath())
}

func unknownFlag(c *cobra.Command, err *pflag.NotExistError) error {
	if words := c.Flags().Args(); c.HasSubCommands() && len(words) > 0 {
		return unknownCommand(c, words[0])
	}
	typed, hyphens := err.GetSpecifiedName(), "--"
	if shorthands := err.GetSpecifiedShortnames(); shorthands != "" {
		typed, hyphens = shorthands, "-" // -name is --name with a hyphen too few
	}
	near := didYouMean("--", nearestFlag(c, typed))
	if near == "" && (typed == "owner" || slices.Contains(synonyms["owner"], typed)) {
		near = userArgument(c)
	}
	if near == "" {
		near = ";"
	}
	return Usagef("unknown flag%s%s see %s --help", quote(hyphens, typed), near, c.CommandPath())
}

// userArgument is the middle of an error about a flag with a user, if the command takes
// the user as its argument, and "" otherwise.
func userArgument(c *cobra.Command) string {
	if !strings.HasSuffix(c.Use, " USER") {
		return ""
	}
	return fmt.Sprintf(": the user is an argument, like %s ann;", c.CommandPath())
}

// problem says what is wrong with a flag's value. A flag of a type of ours says so
// itself.
func problem(err *pflag.InvalidValueError) string {
	text := allowed(err.GetFlag())
	number, isNumber := errors.AsType[*strconv.NumError](err)
	_, isCSV := errors.AsType[*csv.ParseError](err)
	switch {
	case isNumber && errors.Is(number, strconv.ErrRange):
		return "is too large or too small; allowed: " + text
	case isNumber || isCSV || text != anyValue:
		return "has an invalid value; allowed: " + text
	}
	return "is invalid: " + err.Unwrap().Error()
}

const anyValue = "a text"

// allowed says which values a flag may have.
func allowed(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true, false"
	case "int", "int8", "int16", "int32", "int64":
		return "a whole number, like 10"
	case "uint", "uint8", "uint16", "uint32", "uint64", "count":
		return "a whole number from 0, like 10"
	case "float32", "float64":
		return "a number, like 0.5"
	case "duration":
		return "a number and a unit, like 30s, 5m or 1h"
	case "stringSlice":
		return "texts with commas between them; a text with a double quote must be quoted as in CSV"
	}
	return anyValue
}

// exclusive is the annotation in which cobra keeps the groups of
// MarkFlagsMutuallyExclusive: names with blanks between them.
const exclusive = "cobra_annotation_mutually_exclusive"

// checkGroups refuses flags that exclude each other, and missing required flags.
// Cobra checks them too, but as failures of a command that runs.
func checkGroups(c *cobra.Command) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		for _, group := range f.Annotations[exclusive] {
			for _, other := range strings.Fields(group) {
				if other != f.Name && c.Flags().Changed(other) && err == nil {
					names := slices.Sorted(slices.Values([]string{f.Name, other}))
					err = Usagef("--%s and --%s exclude each other: give only one; see %s --help", names[0], names[1], c.CommandPath())
				}
			}
		}
	})
	if missing := c.ValidateRequiredFlags(); err == nil && missing != nil {
		return Usagef("%s; see %s --help", missing, c.CommandPath())
	}
	return err
}

// checksItself are the flags whose commands refuse a token with a better message.
var checksItself = []string{"id", "write-to", "if-match", "idempotency-key"}

// checkTokens refuses a whole token in the value of a flag before anything is sent. The
// service would store such a name, and proxies would write it into their logs.
func checkTokens(c *cobra.Command) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && !slices.Contains(checksItself, f.Name) && WholeToken.MatchString(f.Value.String()) {
			err = Usagef("--%s contains a whole token. Your shell's history may now contain the token; revoke the token if others can read that history", f.Name)
		}
	})
	return err
}
