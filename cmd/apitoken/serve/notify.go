package serve

import (
	"net"
)

// notifyReady tells systemd that the service accepts requests, see sd_notify(3). A
// failure is logged: systemd then ends the service after its time-out for starts, and
// the log has the reason.
func notifyReady(c Config) {
	if c.NotifySocket == "" {
		return
	}
	// The package net writes the first byte of an abstract name, which begins with @, as NUL.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: c.NotifySocket, Net: "unixgram"})
	if err == nil {
		_, err = conn.Write([]byte("READY=1"))
		_ = conn.Close()
	}
	if err != nil {
		c.Logger.Warn("the message to systemd that the service is ready was not sent", "error", err)
	}
}
