package console

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"apitoken/cmd/apitoken/setting"
)

// Variables gives each flag of a command also a variable: --tls-cert has
// APITOKEN_TLS_CERT. The flag is stronger.
type Variables struct {
	command *cobra.Command
	others  []string        // variables of this prefix that have another meaning
	used    map[string]used // by the name of the flag
}

// used is a value that a variable gives.
type used struct{ variable, value string }

const variablePrefix = "APITOKEN_"

// NewVariables documents the variables of the command's flags at the end of its help
// text. The flags must be complete. others are variables of the same prefix that the
// command does not read.
func NewVariables(c *cobra.Command, others ...string) *Variables {
	v := &Variables{command: c, others: others, used: map[string]used{}}
	c.Long += "\n\nEach flag can also be given by a variable. The flag is stronger.\n"
	for _, f := range v.flags() {
		c.Long += fmt.Sprintf("\n  %-26s --%s", variableOf(f.Name), f.Name)
	}
	c.Long += "\n\nThis command ignores the variables of the commands that call a service:\n\n  " + strings.Join(others, "\n  ")
	return v
}

func variableOf(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// flags are the flags that have a variable.
func (v *Variables) flags() (flags []*pflag.Flag) {
	v.command.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			flags = append(flags, f)
		}
	})
	return flags
}

// Read sets each flag that is not given from its variable. An empty variable counts as
// unset. An error names the variable.
func (v *Variables) Read(e *Env) error {
	given := v.environ(e)
	for _, f := range v.flags() {
		name := variableOf(f.Name)
		if given[name] == "" || f.Changed {
			continue
		}
		value, err := ReadSetting(name, given[name], setting.Path)
		if err != nil {
			return err
		}
		err = v.command.Flags().Set(f.Name, value)
		if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
			return Usagef("%s %s; see %s --help", name, problem(invalid), v.command.CommandPath())
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		v.used[f.Name] = used{name, value}
	}
	return nil
}

func (v *Variables) environ(e *Env) map[string]string {
	given := map[string]string{}
	if e.Environ == nil {
		return given
	}
	for _, assignment := range e.Environ() {
		if name, value, _ := strings.Cut(assignment, "="); strings.HasPrefix(name, variablePrefix) {
			given[name] = value
		}
	}
	return given
}

// A Typo is a variable that no command reads, and the one that was probably meant.
type Typo struct{ Variable, Nearest string }

// Typos are the unknown variables whose names are near to those of the command. Others
// are of other programs: Kubernetes sets APITOKEN_SERVICE_HOST and APITOKEN_PORT for a
// service of this name.
func (v *Variables) Typos(e *Env) (typos []Typo) {
	given := v.environ(e)
	for name, value := range given {
		flag := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, variablePrefix), "_", "-"))
		known := slices.Contains(v.others, name) || v.command.Flags().Lookup(flag) != nil
		if known || value == "" || strings.Contains(value, "://") {
			continue
		}
		if near := nearestFlag(v.command, flag); near != "" {
			typos = append(typos, Typo{name, variableOf(near)})
		}
	}
	slices.SortFunc(typos, func(a, b Typo) int { return strings.Compare(a.Variable, b.Variable) })
	return typos
}

// Explain adds to an error the variables that gave the values it is about: those whose
// flag or value is in its text.
func (v *Variables) Explain(err error) error {
	var names []string
	for _, f := range v.flags() {
		from, ok := v.used[f.Name]
		if !ok || err == nil {
			continue
		}
		text, isBool := err.Error(), f.Value.Type() == "bool" // a text often has a 1 or the word true
		if strings.Contains(text, "--"+f.Name) || !isBool && strings.Contains(text, from.value) {
			names = append(names, "--"+f.Name+" is from "+from.variable)
		}
	}
	if len(names) == 0 {
		return err
	}
	if _, usage := errors.AsType[*UsageError](err); usage {
		return Usagef("%v (%s)", err, strings.Join(names, ", "))
	}
	return fmt.Errorf("%w (%s)", err, strings.Join(names, ", "))
}
