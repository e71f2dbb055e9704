package serve

import (
	"context"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/cmd/apitoken/snapshot"
	"apitoken/infra/eventfile"
)

// startSnapshots lets the operator's commands read the folder beside the service. The
// service works without it: a file system may have no sockets.
func startSnapshots(ctx context.Context, c Config, f *datadir.Folder, file *eventfile.File) (stop func()) {
	s := &snapshot.Server{Store: f.Store, Events: file, Logger: c.Logger}
	stop, err := s.Start(ctx, f.Dir)
	if err != nil {
		c.Logger.Warn("backup and audit do not work while the service runs", "error", err)
		return func() {}
	}
	return stop
}
