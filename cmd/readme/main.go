// Command readme runs the commands that the README shows and compares their
// output with the output that the README shows.
//
// It clones the repository into an empty folder and runs there each line of the
// console blocks that begins with "$ ", in order. `make run` starts the service,
// which runs until the end. Ids, tokens, times and hashes differ from run to
// run, so times and hashes are not compared, and the first id and token of the
// README are replaced by those of the run.
//
// A line "<!-- needs PROGRAM... -->" before a block names programs that not each
// machine has. Without them the commands of the block are left out, except with
// -all. What a command that ends with & starts is stopped at the end.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	all := flag.Bool("all", false, "fail if a program is missing that a block needs, and leave nothing out")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := run(ctx, *all); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, all bool) error {
	dir, err := os.MkdirTemp("", "readme")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	clone, err := cloneInto(ctx, dir)
	if err != nil {
		return err
	}
	readme, err := os.ReadFile(filepath.Join(clone, "README.md"))
	if err != nil {
		return err
	}
	s := newSession(clone, all)
	defer s.stop()
	return s.runAll(ctx, parseSteps(string(readme)))
}

// cloneInto clones this repository below dir and returns the clone's folder.
func cloneInto(ctx context.Context, dir string) (string, error) {
	top, err := shell(ctx, ".", "git rev-parse --show-toplevel")
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w\n%s", err, top)
	}
	if out, err := shell(ctx, dir, "git clone -q '"+strings.TrimSpace(top)+"' clone"); err != nil {
		return "", fmt.Errorf("cloning the repository: %w\n%s", err, out)
	}
	return filepath.Join(dir, "clone"), nil
}
