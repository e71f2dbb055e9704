package drive

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"apitoken/cmd/apitoken/certtest"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/localstack/engines"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Peppers are the peppers of a Table.
var Peppers = "k1:" + strings.Repeat("QUJD", 11)

// Deployment is the deployment of a Table.
const Deployment = "51af3dc0-da77-11e4-872e-1234567db123"

// Table is a bootstrapped table in DynamoDB Local, for any number of processes.
type Table struct {
	Name        string
	Admin       string // the administrator's token
	Client      *dynamodb.Client
	Environment []string // the variables that the table's commands need
	Binary      string   // the command apitoken

	t testing.TB
}

// NewTable makes a table and bootstraps it. The end of the test removes it.
func NewTable(t *testing.T) *Table {
	t.Helper()
	b := NewEmptyTable(t)
	out := filepath.Join(t.TempDir(), "admin.token")
	if text, err := b.Command("bootstrap", "--table", b.Name, "--out", out).CombinedOutput(); err != nil {
		t.Fatalf("bootstrap: %v\n%s", err, text)
	}
	token, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	b.Admin = strings.TrimSpace(string(token))
	return b
}

// NewEmptyTable makes a table without an administrator.
func NewEmptyTable(t *testing.T) *Table {
	t.Helper()
	b := OpenTable(t, "")
	b.Name = dynamotest.NewTable(t, b.Client)
	return b
}

// OpenTable returns a table that exists, without the administrator's token.
func OpenTable(t testing.TB, name string) *Table {
	t.Helper()
	c := engines.Connect(t, engines.DynamoDB)
	return &Table{Name: name, Client: c.DynamoDB(t), Binary: Build(t), t: t, Environment: []string{
		"AWS_ENDPOINT_URL_DYNAMODB=" + c.URL, "AWS_REGION=" + engines.Region, "PEPPERS=" + Peppers, "DEPLOYMENT=" + Deployment,
		"AWS_ACCESS_KEY_ID=" + c.Credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + c.Credentials.SecretAccessKey,
	}}
}

// Command is a call of apitoken with the variables of the table.
func (b *Table) Command(args ...string) *exec.Cmd {
	c := exec.Command(b.Binary, args...)
	c.Env = append(os.Environ(), b.Environment...)
	return c
}

// Serve starts a process on the table, with more variables and flags. The end of the
// test stops it.
func (b *Table) Serve(environment []string, flags ...string) *Service {
	b.t.Helper()
	s := start(b.t, b.Binary, append(append([]string{}, b.Environment...), environment...), append([]string{"--table", b.Name}, flags...)...)
	s.Admin = b.Admin
	return s
}

// ServeBalanced starts two processes on a new table, with https, and returns both as
// one service: a load balancer gives each connection to the next process.
func ServeBalanced(t *testing.T) *Service {
	t.Helper()
	b, dir := NewTable(t), t.TempDir()
	certificate, key := filepath.Join(dir, "crt.pem"), filepath.Join(dir, "key.pem")
	certtest.Write(t, certificate, key, 0o600)
	s := &Service{t: t, Admin: b.Admin, Certificate: certificate}
	for range 2 {
		s.parts = append(s.parts, b.Serve(nil, "--tls-cert", certificate, "--tls-key", key))
	}
	s.Host, s.Port = balance(t, s.parts)
	return s
}

// balance listens on a free port and connects each client with the next of the
// services, until the end of the test.
func balance(t *testing.T, services []*Service) (host, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 0; ; n++ {
			client, err := l.Accept()
			if err != nil {
				return
			}
			s := services[n%len(services)]
			go connect(client, net.JoinHostPort(s.Host, s.Port))
		}
	}()
	host, port, _ = net.SplitHostPort(l.Addr().String())
	return host, port
}

// connect copies in both directions until both ends are closed.
func connect(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		io.Copy(server, client)
		server.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(client, server)
}
