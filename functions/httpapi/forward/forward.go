package forward

import (
	"cmp"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// Config is the configuration of the handler. Guard and Logger are required.
type Config struct {
	Guard  *guard.Guard
	Logger *slog.Logger

	// Peers are the addresses of the proxies on other machines. Proxies on this
	// machine may always ask.
	Peers []netip.Prefix

	// Client returns the address of the client from the lines of X-Forwarded-For that
	// Traefik or Caddy sent, or the zero Addr if it is unknown. The default takes the
	// last address of the last line: the peer of the proxy.
	Client func(lines []string) netip.Addr

	// Observe is called after each answer, see machine.Config. The operation is
	// "forward".
	Observe func(operation, code string, took time.Duration)

	Now func() time.Time // for the durations in the log; default time.Now
}

type handler struct {
	Config
	form func(*machine.Problem) machine.Form
}

// New returns the handler. It reads the path of a request as it was sent, so it must
// not be behind a ServeMux, which changes paths. It reads no body, so it is meant for a
// server that does not wait for one: briefhttp.Server.
func New(c Config) http.Handler {
	if c.Client == nil {
		c.Client = lastAddress
	}
	if c.Observe == nil {
		c.Observe = func(string, string, time.Duration) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &handler{c, httpapi.Face().Form}
}

// inquiry is one question of a proxy with its answer and its log line.
type inquiry struct {
	*http.Request
	proxy    string // the word in the path
	question guard.Question
	verdict  guard.Verdict
	problem  *machine.Problem // nil if the request passes
	line     [maxLine]slog.Attr
}

// maxLine is the number of attributes of a line.
const maxLine = 16

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := h.Now()
	i := &inquiry{Request: r}
	h.judge(i)
	id := rand.Text()
	status := http.StatusOK
	if i.problem == nil {
		setPassing(w.Header(), id)
		setIdentity(w.Header(), i.verdict.Principal)
		w.WriteHeader(status)
	} else {
		i.problem.RequestID = id
		status = i.problem.Status
		i.problem.Send(w, r, h.form)
	}
	took := h.Now().Sub(began)
	h.log(i, status, id, took)
	h.Observe(operation, i.code(), took)
}

// setPassing sets the headers of an answer that lets a request pass, beside those of the
// identity. Only answers with a body have the headers for browsers: no client sees this
// answer, and the proxy reads each header.
func setPassing(h http.Header, requestID string) {
	h["X-Request-Id"] = []string{requestID}
	h["Cache-Control"] = noStore
}

var noStore = []string{"no-store"}

// operation is the word for a question of a proxy in the log.
const operation = "forward"

// code is the code of the answer.
func (i *inquiry) code() string {
	if i.problem != nil {
		return i.problem.Code
	}
	return "ok"
}

// judge sets the verdict of the inquiry, or the problem. It never panics.
func (h *handler) judge(i *inquiry) {
	defer func() {
		if p := recover(); p != nil {
			i.verdict = guard.Verdict{Fault: machine.PanicFault(p)}
			i.problem = machine.VerdictProblem(i.verdict)
		}
	}()
	if !h.knows(i.Request) {
		i.problem = machine.NewProblem("permission_denied_by_peer", peerDetail)
		return
	}
	var read reader
	if i.proxy, read = readerOf(i.RequestURI); read == nil {
		i.problem = machine.NewProblem("path_not_found", "There is no such path. Paths are /v1/auth/forward/nginx, /v1/auth/forward/traefik, /v1/auth/forward/caddy, and those below /v1/auth/forward/envoy/.")
		return
	}
	q, problem := read(h, i.Request)
	if problem != nil {
		i.problem = problem
		return
	}
	q.Authorization = i.Header["Authorization"]
	i.question = q
	if i.verdict = h.Guard.Judge(i.Context(), q); !i.verdict.Allowed() {
		i.problem = machine.VerdictProblem(i.verdict)
	}
}

// log writes the one line of an inquiry. As a line of the service it has no query,
// no credential, and no long text of a client. The user agent is that of the client,
// if the proxy passes it on.
func (h *handler) log(i *inquiry, status int, id string, took time.Duration) {
	code, level := i.code(), slog.LevelInfo
	switch {
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case code == "permission_denied_by_peer":
		level = slog.LevelWarn
	}
	if !h.Logger.Enabled(i.Context(), level) {
		return
	}
	attrs := append(i.line[:0],
		slog.String("operation", operation), slog.String("code", code),
		slog.String("token_id", cmp.Or(events.DamagedToken(i.verdict.Fault), i.verdict.Principal.TokenID)),
		slog.String("owner", i.verdict.Principal.Owner), slog.String("address", textOf(i.question.Source)),
		slog.String("user_agent", secret.LogText(i.UserAgent())), slog.String("proxy", i.proxy),
		slog.String("method", machine.LogMethod(i.question.Method)), slog.String("host", secret.LogText(i.question.Host)),
		slog.String("path", secret.LogPath(i.question.Path)), slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.String("request_id", id))
	switch {
	case i.verdict.Fault != nil:
		attrs = append(attrs, slog.Any("error", i.verdict.Fault))
	case code == "permission_denied_by_peer":
		attrs = append(attrs, slog.String("peer", i.RemoteAddr), slog.String("remedy", "if this peer is a proxy of yours, name its address with --forward-peers"))
	case code == "forward_misconfigured":
		attrs = append(attrs, slog.String("error", strings.TrimSuffix(i.problem.Detail, ".")))
	}
	// Not by LogAttrs, which looks for the place in the source that no line has. A group
	// without a name is its attributes, as in the lines of the service.
	record := slog.NewRecord(time.Now(), level, "request", 0)
	record.AddAttrs(slog.Attr{Value: slog.GroupValue(attrs...)})
	_ = h.Logger.Handler().Handle(i.Context(), record) // slog drops this error too
}

func textOf(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
