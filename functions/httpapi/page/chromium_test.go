//go:build browser

package page_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The variables of localstack/browser.sh.
const (
	programVariable = "APITOKEN_CHROMIUM"    // the path of the browser
	axeVariable     = "APITOKEN_AXE"         // the path of axe-core's script
	shotsVariable   = "APITOKEN_SCREENSHOTS" // the folder for the pictures; unset: none are kept
)

// patience is the time in which a page must be there.
const patience = time.Minute

// browserProcess is the one browser of all tests. Each tab has its own cookies.
var browserProcess struct {
	sync.Once
	ctx    context.Context
	cancel []context.CancelFunc
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, cancel := range browserProcess.cancel {
		cancel()
	}
	os.Exit(code)
}

func startBrowser(t *testing.T) context.Context {
	t.Helper()
	p := &browserProcess
	p.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(required(t, programVariable)), chromedp.NoSandbox, chromedp.Flag("ignore-certificate-errors", true),
			chromedp.Flag("disable-gpu", true), chromedp.Flag("font-render-hinting", "none"))
		allocator, end := chromedp.NewExecAllocator(context.Background(), options...) // of all tests
		ctx, close := chromedp.NewContext(allocator)
		p.ctx, p.cancel = ctx, []context.CancelFunc{close, end}
		p.err = chromedp.Do(ctx)
	})
	if p.err != nil {
		t.Fatalf("starting the browser: %v", p.err)
	}
	return p.ctx
}

func required(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set; run make browser", variable)
	}
	return value
}

// tab is one tab with its own cookies.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string // the address of the page, with a slash at its end

	mu       sync.Mutex
	messages []string // what the browser said about the page
}

// open starts a tab at the page of a server.
func open(t *testing.T, base string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(startBrowser(t), chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, base: base}
	if err := chromedp.Do(ctx); err != nil { // without a time limit, which would end the tab
		t.Fatal(err)
	}
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, log.Enable, cdp.Empty{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return err
	}))
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	b.size(1280)
	return b
}

// listen keeps violations of the policy, errors of the script and messages.
func (b *tab) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *log.EventEntryAdded:
		if e := ev.Entry; e != nil && !strings.Contains(e.Text, "the server responded with a status of") {
			b.messages = append(b.messages, fmt.Sprintf("%s: %s", e.Source, e.Text))
		}
	case *runtime.EventExceptionThrown:
		b.messages = append(b.messages, "exception: "+ev.ExceptionDetails.Text)
	}
}

// said returns what the browser said about the page since the last call.
func (b *tab) said() []string {
	eval[int](b, "1") // the messages before this answer have arrived
	b.mu.Lock()
	defer b.mu.Unlock()
	messages := b.messages
	b.messages = nil
	return messages
}

// quiet checks that the browser had no complaint.
func (b *tab) quiet() {
	b.t.Helper()
	for _, message := range b.said() {
		b.t.Errorf("the browser says: %s", message)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := b.try(steps...); err != nil {
		b.t.Fatal(err)
	}
}

// try is do of steps that a browser may refuse.
func (b *tab) try(steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

// eval returns the value of an expression in the page.
func eval[T any](b *tab, expression string, options ...chromedp.EvaluateOption) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		b.t.Fatalf("%s: %v", cut(expression), err)
	}
	return value
}

func cut(text string) string { return text[:min(len(text), 200)] }

// wait waits until the expression is true. Between two pages an expression may fail.
func (b *tab) wait(what, expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		value, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("document.readyState === 'complete' && !!("+expression+")"))
		switch {
		case err == nil && value:
			return
		case time.Now().After(end):
			body, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.title + '\\n' + document.body.innerText"))
			b.t.Fatalf("%s did not come (%v); the page is\n%s", what, err, body)
		}
	}
}

// visit opens an address of the page.
func (b *tab) visit(path, heading string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + path))
	b.heading(heading)
}

// heading waits for the page with this heading.
func (b *tab) heading(text string) {
	b.t.Helper()
	b.wait("the heading "+text, "document.querySelector('h1')?.textContent === "+quoted(text))
}

func quoted(text string) string {
	encoded, _ := json.Marshal(text)
	return string(encoded)
}

func (b *tab) text() string { return eval[string](b, "document.body.innerText") }

func (b *tab) has(texts ...string) {
	b.t.Helper()
	all := b.text()
	for _, text := range texts {
		if !strings.Contains(all, text) {
			b.t.Errorf("the page lacks %q:\n%s", text, all)
		}
	}
}

// hasNot checks the whole page, also what is not visible.
func (b *tab) hasNot(text string) {
	b.t.Helper()
	all := eval[string](b, "document.documentElement.outerHTML + [...document.querySelectorAll('input,textarea')].map(f => f.value).join(' ')")
	if strings.Contains(all, text) {
		b.t.Errorf("the page has %q", text)
	}
}

// keys presses keys, one after the other.
func (b *tab) keys(text string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(text))
}

// focused is the name of the focused element, as people see it.
const focused = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body) return '';
	return (e.labels?.[0]?.innerText || e.innerText || e.value || e.id || e.tagName).trim();
})()`

// tabTo presses the tab key until the element with this name has the focus.
func (b *tab) tabTo(name string) {
	b.t.Helper()
	var seen []string
	for range 80 {
		b.keys(kb.Tab)
		at := eval[string](b, focused)
		if strings.HasPrefix(at, name) {
			b.visible()
			return
		}
		seen = append(seen, at)
	}
	b.t.Fatalf("the tab key does not reach %q; it reached %q", name, seen)
}

// visible checks that a person sees where the focus is.
func (b *tab) visible() {
	b.t.Helper()
	if !eval[bool](b, `(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2; })()`) {
		b.t.Errorf("the focus is not visible at %q", eval[string](b, focused))
	}
}

// fill sets fields of the page without the keyboard.
func (b *tab) fill(pairs ...string) {
	b.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		eval[bool](b, fmt.Sprintf(`(() => { const f = document.querySelector('[name="%s"]:not([type=hidden])'); f.value = %s; return true; })()`, pairs[i], quoted(pairs[i+1])))
	}
}

// press clicks the first button or link with this text, and waits for the page that
// follows, which may have the same heading.
func (b *tab) press(text, heading string) {
	b.t.Helper()
	eval[bool](b, `(() => { window.left = true; [...document.querySelectorAll('main button, main a')].find(e => e.textContent.trim() === `+quoted(text)+`).click(); return true; })()`)
	b.wait("another page", "!('left' in window)")
	b.heading(heading)
}

// size sets the width of the window.
func (b *tab) size(width int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, 900))
}

// media sets what the person prefers: names and values in turn.
func (b *tab) media(pairs ...string) {
	b.t.Helper()
	var features []*emulation.MediaFeature
	for i := 0; i < len(pairs); i += 2 {
		features = append(features, &emulation.MediaFeature{Name: pairs[i], Value: pairs[i+1]})
	}
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return err
	}))
}

// shoot keeps a picture of the whole page.
func (b *tab) shoot(name string) {
	b.t.Helper()
	folder := os.Getenv(shotsVariable)
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// axe runs axe-core, and returns what it found.
func (b *tab) axe() []string {
	b.t.Helper()
	script, err := os.ReadFile(required(b.t, axeVariable))
	if err != nil {
		b.t.Fatal(err)
	}
	if !eval[bool](b, "typeof axe === 'object'") {
		eval[bool](b, string(script)+"\n;true")
	}
	return eval[[]string](b, `axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
		.then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.target + ': ' + n.failureSummary)))`, chromedp.EvalAwaitPromise)
}

// script switches the script of the pages on or off.
func (b *tab) script(on bool) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	}))
}

// cookies are the cookies that the browser sends to the page.
func (b *tab) cookies() []*network.Cookie {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, func(ctx context.Context, target *chromedp.Target) (network.GetCookiesResult, error) {
		return cdp.Call(ctx, target, network.GetCookies, network.GetCookiesParams{})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return got.Cookies
}

func (b *tab) reload() {
	b.t.Helper()
	b.do(chromedp.Reload())
}

func navigate(address string) chromedp.Action[chromedp.Void] { return chromedp.Navigate(address) }
