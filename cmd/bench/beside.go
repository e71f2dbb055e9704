package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/events/sweep"
	"apitoken/infra/bolt"
)

// beside serves a folder in a process of its own, and does some work on its store. The
// arguments are the work and the folder. The work starts when a line arrives on
// standard input, and stops when that ends.
func beside(args []string) (err error) {
	f, err := openFolder(args[1])
	if err != nil {
		return err
	}
	store, err := bolt.Open(f.file(), bolt.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	h, i := f.api(store)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	work, known := map[string]func() error{
		"sweep": func() error {
			_, err := sweep.New(sweep.Config{Store: store, Issuer: i, Keys: f.keys}).Run(ctx)
			return err
		},
		"collect": func() error { return collect(ctx, store) },
	}[args[0]]
	if !known {
		return fmt.Errorf("%q is no work; allowed: sweep, collect", args[0])
	}
	started, ended := false, make(chan error, 1)
	err = serveUntilEnd(h, func() {
		started = true
		go func() { ended <- work() }()
	})
	if err != nil || !started {
		return err
	}
	stop()
	return early(<-ended)
}

func collect(ctx context.Context, store *bolt.Store) error {
	done, err := store.Collect(ctx, time.Now())
	if done.Records == 0 {
		return errors.New("the collection removed nothing")
	}
	return err
}

// startWork tells a child of the mode beside to start its work.
func (p process) startWork() error {
	_, err := fmt.Fprintln(p.in)
	return err
}
