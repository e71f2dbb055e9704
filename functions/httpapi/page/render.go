package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"apitoken/functions/httpapi"
)

//go:embed html static
var files embed.FS

// view is what a template gets.
type view struct {
	Title   string
	Notice  string // what the act before has done
	Failed  bool   // the title begins with Error, so that a screen reader says this first
	Heading string // in place of Title above the content; "": Title
	Body    any

	// The members below are set by render.
	Who     httpapi.WhoAmI
	Signed  bool
	Here    string // the page, for the navigation
	Views   bool   // the person may see other users' tokens
	Changes bool   // the person may change them, their users and the settings
	Edits   bool
	Now     time.Time
}

var templates = parseTemplates()

// parseTemplates makes one template for each page: the layout, the common parts and
// the page's own file.
func parseTemplates() map[string]*template.Template {
	common := template.Must(template.New("layout.html").Funcs(functions).ParseFS(files, "html/layout.html", "html/parts.html"))
	all, err := fs.Glob(files, "html/*.html")
	if err != nil {
		panic("page: listing the templates: " + err.Error())
	}
	pages := map[string]*template.Template{}
	for _, file := range all {
		name := strings.TrimSuffix(path.Base(file), ".html")
		pages[name] = template.Must(template.Must(common.Clone()).ParseFS(files, file))
	}
	return pages
}

// render answers with a page. An error in a template is an error in the program:
// the person gets a sentence without the error. A page has no carriage return:
// machine.Listener relies on this.
func (v *visit) render(status int, name string, data view) {
	data.Who, data.Signed, data.Here, data.Now = v.who, v.who.ID != "", v.path, v.Now()
	data.Views, data.Edits = v.may("view"), v.may("edit")
	data.Changes = v.may("view", "edit")
	if status >= http.StatusBadRequest {
		data.Failed = true
	}
	var b bytes.Buffer
	if err := templates[name].ExecuteTemplate(&b, "layout.html", data); err != nil {
		v.Logger.LogAttrs(v.context(), slog.LevelError, "a page could not be written", slog.String("page", name), slog.Any("error", err))
		http.Error(v.w, "The page could not be written.", http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(bytes.ReplaceAll(b.Bytes(), []byte("\r"), nil)) // after an error the connection is broken
	}
}

// asset is a file that browsers may store: its address has its digest.
type asset struct {
	content []byte
	kind    string
	digest  string
}

var assets = readAssets()

func readAssets() map[string]*asset {
	all := map[string]*asset{}
	entries, err := files.ReadDir("static")
	if err != nil {
		panic("page: listing the assets: " + err.Error())
	}
	for _, e := range entries {
		content, err := files.ReadFile("static/" + e.Name())
		if err != nil {
			panic("page: reading an asset: " + err.Error())
		}
		sum := sha256.Sum256(content)
		all[e.Name()] = &asset{content, kindOf(e.Name()), hex.EncodeToString(sum[:6])}
	}
	return all
}

// kindOf does not ask the tables of the operating system, which may say anything.
func kindOf(file string) string {
	switch path.Ext(file) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	panic("page: an asset of an unknown kind: " + file)
}

func serveAsset(w http.ResponseWriter, r *http.Request, name string) bool {
	a := assets[name]
	if a == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	w.Header().Set("Content-Type", a.kind)
	if r.URL.Query().Get("v") == a.digest {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if r.Method == http.MethodGet {
		_, _ = w.Write(a.content) // after an error the connection is broken
	}
	return true
}

// assetPath returns the relative address of an asset.
func assetPath(name string) (string, error) {
	a := assets[name]
	if a == nil {
		return "", fmt.Errorf("there is no asset %s", name)
	}
	return name + "?v=" + a.digest, nil
}
