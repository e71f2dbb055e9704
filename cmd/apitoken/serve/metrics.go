package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/cmd/apitoken/metrics"
	"apitoken/events"
	"apitoken/events/sweep"
	"apitoken/functions/httpapi"
)

const metricsListenFlag = "--metrics-listen"

// watching is the listener for those who watch the service: Prometheus, and programs
// that restart it or call a person. It is nil if it is switched off.
type watching struct{ net.Listener }

// listenMetrics opens the address for metrics and health, or returns nil.
func listenMetrics(c Config) (*watching, error) {
	if c.MetricsListen == "" || c.MetricsListen == nowhere {
		return nil, nil
	}
	l, err := listenAt(metricsListenFlag, c.MetricsListen)
	if err != nil {
		return nil, fmt.Errorf("for metrics: %w; %s none switches this listener off", err, metricsListenFlag)
	}
	return &watching{l}, nil
}

func (w *watching) close() {
	if w != nil {
		_ = w.Close() // the server has closed it before, or never used it
	}
}

// count returns the configuration with metrics. Without a listener nothing is counted.
func (w *watching) count(c Config) Config {
	if w != nil {
		c.metrics = metrics.New(c.Version, nil)
		c.Logger = c.metrics.Logger(c.Logger)
	}
	return c
}

func (w *watching) announce(c Config) {
	switch {
	case w == nil:
	case w.Addr().Network() == "unix":
		fmt.Fprintf(c.Out, "metrics and health are at %s%s\n", unixPrefix, w.Addr())
	default:
		fmt.Fprintf(c.Out, "metrics and health are at http://%s\n", w.Addr())
	}
}

// servers returns the server for metrics and health, if there is one.
func (w *watching) servers(c Config, h *health) []server {
	if w == nil {
		return nil
	}
	return []server{newServer(c.Logger, w.Listener, maxHeaderBytes, watchHandler(c, h))}
}

// watchHandler answers without a credential: no answer names a token or a user. It
// writes no lines into the log, because monitors ask every few seconds.
func watchHandler(c Config, h *health) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		setPlain(w, "text/plain; version=0.0.4; charset=utf-8")
		_ = c.metrics.Write(r.Context(), w) // after an error the connection is broken
	})
	mux.HandleFunc("GET /healthz", answerCheck(h.alive, ""))
	mux.HandleFunc("GET /readyz", answerCheck(h.ready, h.note))
	return mux
}

// answerCheck answers as the API answers its /healthz. It says why if it is 503, and adds
// the note otherwise.
func answerCheck(c *check, note string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := c.result(r.Context())
		setPlain(w, "application/json")
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			writeJSON(w, map[string]string{"status": "unavailable", "detail": strings.ReplaceAll(err.Error(), "\n", "; ")})
			return
		}
		writeJSON(w, struct {
			httpapi.Health
			Detail string `json:"detail,omitempty"`
		}{httpapi.Health{Status: "ok"}, note})
	}
}

func setPlain(w http.ResponseWriter, mediaType string) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

func writeJSON(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) } // after an error the connection is broken

// countedSweep is the sweep, with the time of its last end noted.
func countedSweep(c Config, s *sweep.Sweep) func(context.Context) (sweep.Result, error) {
	return func(ctx context.Context) (sweep.Result, error) {
		r, err := s.Run(ctx)
		c.metrics.Swept(err)
		return r, err
	}
}

// countedCollection is the collection, with the time of its last end noted.
func countedCollection(c Config, f *datadir.Folder) func(context.Context, time.Time) (events.Collected, error) {
	return func(ctx context.Context, now time.Time) (events.Collected, error) {
		done, err := f.Store.Collect(ctx, now)
		c.metrics.Collected(err)
		return done, err
	}
}
