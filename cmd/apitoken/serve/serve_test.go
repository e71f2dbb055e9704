package serve

import (
	"net"
	"testing"
)

func TestLoopbackAddressesAreRecognized(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"0.0.0.0": false, "::": false, "192.0.2.1": false,
	} {
		if got := loopback(&net.TCPAddr{IP: net.ParseIP(text), Port: 1}); got != want {
			t.Errorf("loopback(%s) = %v, want %v", text, got, want)
		}
	}
}
