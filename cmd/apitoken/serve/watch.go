package serve

import (
	"context"
	"time"
)

// rereadEvery is the time between two looks for new content of a file. Programs that
// replace mounted files send no signal.
const rereadEvery = time.Minute

// rereader is a file that the service reads again while it runs. If somebody asked for
// it, each outcome is logged. There is only one call of Reload at a time.
type rereader interface {
	Reload(ctx context.Context, asked bool)
}

// reread returns the files that this server reads again.
func reread(c Config, secure *certificate) (files []rereader) {
	if secure != nil {
		files = append(files, secure)
	}
	if c.passwords != nil {
		files = append(files, c.passwords)
	}
	if c.identities != nil {
		files = append(files, c.identities)
	}
	return files
}

// watch reads the files again after each hangup and every rereadEvery. The returned
// function stops it. A server without such a file only says that there is nothing to
// read.
func watch(ctx context.Context, c Config, files []rereader) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // until the requests in flight have ended
	ended := make(chan struct{})
	ticker := time.NewTicker(rereadEvery)
	go func() {
		defer close(ended)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.Hangup:
				hangup(ctx, c, files)
			case <-ticker.C:
				reloadAll(ctx, files, false)
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

func hangup(ctx context.Context, c Config, files []rereader) {
	if len(files) == 0 {
		c.Logger.InfoContext(ctx, "SIGHUP has no effect: the service has no file to read again")
		return
	}
	reloadAll(ctx, files, true)
}

func reloadAll(ctx context.Context, files []rereader, asked bool) {
	for _, f := range files {
		f.Reload(ctx, asked)
	}
}
