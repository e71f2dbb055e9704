package serve

import (
	"bytes"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

func TestSystemdIsToldThatTheServiceIsReady(t *testing.T) {
	for _, name := range []string{filepath.Join(socketFolder(t), "notify"), "@apitoken-" + filepath.Base(t.TempDir()) + t.Name()} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		notifyReady(Config{NotifySocket: name, Logger: slog.New(slog.DiscardHandler)})
		b := make([]byte, 100)
		if n, err := l.Read(b); err != nil || string(b[:n]) != "READY=1" {
			t.Errorf("%s: got %q, %v", name, b[:n], err)
		}
	}
}

func TestAFailedNotificationIsLogged(t *testing.T) {
	var log bytes.Buffer
	notifyReady(Config{NotifySocket: "/nowhere/notify", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "no such file or directory") {
		t.Errorf("got %q", &log)
	}
}
