package proxies

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"apitoken/localstack/engines"
)

// proxies are the proxies of the matrix. Each function starts one with its file.
var proxies = map[string]func(*scene){"nginx": startNginx, "caddy": startCaddy, "traefik": startTraefik, "envoy": startEnvoy}

// startNginx includes the file as Debian's nginx includes /etc/nginx/conf.d.
func startNginx(s *scene) {
	program := engines.Tool(s.T, engines.Nginx)
	dir := s.TempDir()
	main := `daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include conf.d/*.conf;
}
`
	if os.Getuid() == 0 {
		main = "user root;\n" + main
	}
	write(s.T, filepath.Join(dir, "nginx.conf"), main)
	write(s.T, filepath.Join(dir, "conf.d", "apitoken.conf"), s.config("nginx"))
	s.start(exec.Command(program, "-p", dir, "-c", "nginx.conf", "-e", "stderr"))
}

// startCaddy imports the file beside options that keep the test off other ports.
func startCaddy(s *scene) {
	program := engines.Tool(s.T, engines.Caddy)
	dir := s.TempDir()
	write(s.T, filepath.Join(dir, "main"), "{\n\tadmin off\n\tpersist_config off\n}\nimport Caddyfile\n")
	write(s.T, filepath.Join(dir, "Caddyfile"), s.config("caddy"))
	c := exec.Command(program, "run", "--config", "main", "--adapter", "caddyfile")
	c.Dir = dir
	s.start(c)
}

// startTraefik takes the flags from the comment in the file.
func startTraefik(s *scene) {
	program := engines.Tool(s.T, engines.Traefik)
	dir := s.TempDir()
	file := s.config("traefik")
	write(s.T, filepath.Join(dir, "apitoken.yaml"), file)
	line := regexp.MustCompile(`(?m)^# +traefik (--.*)$`).FindStringSubmatch(file)
	if line == nil {
		s.Fatal("the file does not say how Traefik is started")
	}
	c := exec.Command(program, append(strings.Fields(line[1]), "--global.checkNewVersion=false", "--global.sendAnonymousUsage=false")...)
	c.Dir = dir
	s.start(c)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start starts the program of a proxy. The end of the test stops it.
func (s *scene) start(c *exec.Cmd) {
	s.Helper()
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	c.Env = []string{"HOME=" + s.TempDir(), "PATH=" + os.Getenv("PATH")}
	if err := c.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if s.Failed() {
			s.Logf("%s wrote:\n%s", filepath.Base(c.Path), &out)
		}
	})
	s.await()
}
