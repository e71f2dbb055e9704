package serve

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestAFullDiskIsNotReadyAndAlive: tokens are still checked. The service is ready again
// when there is room.
func TestAFullDiskIsNotReadyAndAlive(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	r := startWith(t, filepath.Join(disk, "data"), Config{readyEvery: time.Millisecond})
	r.expect(r.metrics+"/readyz", 200, "ok")
	ballast := filepath.Join(disk, "ballast")
	fillDisk(t, ballast)
	time.Sleep(2 * time.Millisecond)
	for range 3 { // each commit frees pages, and a check must not fit into them
		r.expect(r.metrics+"/readyz", 503, "no space left on device")
		time.Sleep(2 * time.Millisecond)
	}
	r.expect(r.metrics+"/healthz", 200, "ok")
	r.expect(r.metrics+"/metrics", 200, "\napitoken_ready 0\n")
	if status, _ := r.get(r.api+"/v1/session/who-am-i", r.token()); status != 200 {
		t.Errorf("a token is answered with %d", status)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	r.await("apitoken_ready 1") // an event that met the full disk is first sent again
	r.expect(r.metrics+"/readyz", 200, "ok")
}

// fillDisk writes a file until the disk is full.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}
