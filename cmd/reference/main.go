// Command reference writes cmd/apitoken/REFERENCE.md, the help texts of all commands
// of apitoken on one page. With -check it writes nothing, and fails if the file is out
// of date. It is a program of its own because cobra's package doc links libraries that
// apitoken does not need.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"apitoken/cmd/apitoken/cli"
	"apitoken/cmd/generated"
)

func main() {
	check := flag.Bool("check", false, "write nothing, fail if the file is out of date")
	flag.Parse()
	if err := run(*check, filepath.Join("cmd", "apitoken", "REFERENCE.md")); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(check bool, path string) error {
	want, err := reference()
	if err != nil {
		return err
	}
	return generated.File(check, path, want, "the help texts: run make reference")
}

const preface = "# The command line\n\nWritten by `make reference` from the help texts of the commands.\n\n"

func reference() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(preface)
	if err := write(&out, cli.Commands()); err != nil {
		return nil, err
	}
	return append(bytes.TrimSpace(out.Bytes()), '\n'), nil
}

// write writes the sections of a command and of all commands below it.
func write(out io.Writer, c *cobra.Command) error {
	c.DisableAutoGenTag = true
	c.Long = indented.ReplaceAllString(c.Long, "    $0")
	if err := doc.GenMarkdownCustom(c, out, func(page string) string { return anchor(c.Root(), page) }); err != nil {
		return err
	}
	for _, sub := range c.Commands() {
		if !sub.IsAvailableCommand() || sub.Name() == "help" {
			continue
		}
		fmt.Fprintln(out)
		if err := write(out, sub); err != nil {
			return err
		}
	}
	return nil
}

// indented matches the beginning of a line that Markdown must show as it is written.
var indented = regexp.MustCompile(`(?m)^[ \t]+`)

// anchor returns the link to the section of a command, for cobra's name of its page.
// Both names put another character for the blanks, and a command may have an
// underscore in its name.
func anchor(c *cobra.Command, page string) string {
	if strings.ReplaceAll(c.CommandPath(), " ", "_")+".md" == page {
		return "#" + strings.ReplaceAll(c.CommandPath(), " ", "-")
	}
	for _, sub := range c.Commands() {
		if link := anchor(sub, page); link != "" {
			return link
		}
	}
	return ""
}
