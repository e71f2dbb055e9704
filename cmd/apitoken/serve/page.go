package serve

import (
	"net/http"

	"apitoken/functions/httpapi/page"
)

// withPage answers the paths of the page by the page, and all others by the API. The
// page calls this API in the same process.
func withPage(c Config, trusted proxies, api http.Handler) http.Handler {
	ui := page.New(page.Config{API: page.InProcess(api), Source: trusted.source, PublicURL: c.PublicURL, Logger: c.Logger})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if page.Answers(r.URL.Path) {
			ui.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}
