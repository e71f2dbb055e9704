// Package cli is the command line: its commands, flags and messages.
//
// It writes data to standard output and messages for people to standard error.
// It never reads a token from an argument, because process lists and shell
// histories keep arguments. Only create and rotate print a token, and print it
// once. The package leaves the meaning of the calls to the service.
package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
)

// Main runs the command line of this process and returns its exit code. The
// first SIGINT, SIGTERM or SIGHUP asks the command to end; a second one kills the
// process. To `serve`, SIGHUP means something else, see hangups.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), ending()...)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, &console.Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Environ: os.Environ}, os.Args[1:])
}

// ending are the signals that end a command. SIGHUP is one, because a closed terminal
// sends it, unless nohup has switched it off.
func ending() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// hangups returns a channel that gets each SIGHUP from now on. SIGHUP no longer ends the
// command, also while it shuts down.
func hangups() <-chan os.Signal {
	signal.Ignore(syscall.SIGHUP) // also for the context of Main
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}

// Commands returns the tree of all commands, for a reference. It is not for running.
func Commands() *cobra.Command {
	root := newRoot(&console.Env{Getenv: func(string) string { return "" }})
	console.Prepare(root)
	return root
}

func run(ctx context.Context, e *console.Env, args []string) int {
	return console.Run(ctx, e, newRoot(e), args)
}
