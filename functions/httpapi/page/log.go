package page

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"strings"
)

// logged writes one line for each request. The calls of the API that the page makes
// have lines of their own, with the user. The line has no query, and no path that a
// client can choose freely.
func (s *site) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.Now()
		out, id := &statusWriter{ResponseWriter: w, status: http.StatusOK}, rand.Text()
		w.Header().Set("X-Request-Id", id) // without it, machine.Listener takes a refusal for one of net/http
		next.ServeHTTP(out, r)
		path := strings.TrimPrefix(r.URL.Path, Under)
		if _, known := s.routes[path]; !known && assets[path] == nil {
			path = "none"
		}
		s.Logger.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("operation", "page"), slog.String("code", codeOf(out.status)), slog.String("route", Under+path),
			slog.String("method", knownMethod(r.Method)), slog.Int("status", out.status), slog.String("address", addressText(s.Source(r))),
			slog.Float64("duration_ms", float64(s.Now().Sub(began).Microseconds())/1000), slog.String("request_id", id))
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// codeOf is the word for an answer in the log. A refusal and a fault of the API have a
// line of the API with their code.
func codeOf(status int) string {
	switch {
	case status == http.StatusBadGateway:
		return "unavailable"
	case status == http.StatusInternalServerError:
		return "internal"
	case status >= http.StatusBadRequest:
		return "refused"
	}
	return "ok"
}

func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
		return method
	}
	return "other"
}
