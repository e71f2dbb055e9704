package wiring

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/events/token/tokentest"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/bolt/bolttest"
)

var pepper = "test:" + strings.Repeat("QUJD", 11)

// environment returns an environment with which every function starts, with the
// changes.
func environment(changes map[string]string) func(string) string {
	all := map[string]string{
		"TOKEN_TABLE": "tokens", "EVENT_BUS": "tokens", "DEPLOYMENT": "51af3dc0-da77-11e4-872e-1234567db123", "PEPPERS": pepper, "AWS_LAMBDA_FUNCTION_NAME": "f",
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
	}
	for name, value := range changes {
		all[name] = value
	}
	return func(name string) string { return all[name] }
}

// answering is a handler that runs the function and answers.
type answering func(context.Context) error

func (a answering) Invoke(ctx context.Context, _ []byte) ([]byte, error) {
	return []byte("answer"), a(ctx)
}

func TestAllFaultsAreReportedTogetherAndWithoutValues(t *testing.T) {
	var out bytes.Buffer
	_, err := handler(environment(map[string]string{
		"TOKEN_TABLE": "", "EVENT_BUS": "", "DEPLOYMENT": "a b", "PEPPERS": "k1:c2hvcnQ=", "TOKEN_PREFIX": "No Good", "AUTHORIZE_IN_HANDLER": "yes", "AUTHORIZER_ANSWER": "loud", "PUBLIC_URL": "http://tokens.example.com",
		"AWS_REGION": "", "AWS_SECRET_ACCESS_KEY": "",
	}), &out, Peppers|Bus|Deployment, func(Function) (lambda.Handler, error) {
		t.Error("a function was built from a faulty environment")
		return nil, nil
	})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, name := range []string{"TOKEN_TABLE", "EVENT_BUS", "DEPLOYMENT", "PEPPERS", "TOKEN_PREFIX", "AUTHORIZE_IN_HANDLER", "AUTHORIZER_ANSWER", "PUBLIC_URL", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"} {
		if !strings.Contains(err.Error(), name) || !strings.Contains(out.String(), name) {
			t.Errorf("%s is not named: %v\n%s", name, err, out.String())
		}
	}
	if strings.Contains(out.String()+err.Error(), "c2hvcnQ") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("got %s, want one line without the pepper", out.String())
	}
}

func TestUnneededVariablesAreNotRead(t *testing.T) {
	for _, c := range []struct {
		need   Need
		unread string
	}{{0, "PEPPERS"}, {0, "EVENT_BUS"}, {0, "DEPLOYMENT"}, {Bus, "PEPPERS"}, {Peppers, "EVENT_BUS"}, {Peppers | Bus, "DEPLOYMENT"}, {Deployment, "EVENT_BUS"}} {
		getenv := environment(map[string]string{c.unread: ""})
		_, err := Read(func(name string) string {
			if name == c.unread {
				t.Errorf("need %b: %s is read", c.need, name)
			}
			return getenv(name)
		}, c.need)
		if err != nil {
			t.Errorf("need %b: %v", c.need, err)
		}
	}
}

func TestSettingsHaveTheValuesOfTheEnvironment(t *testing.T) {
	got, err := Read(environment(map[string]string{
		"TOKEN_PREFIX": "acme", "AUTHORIZE_IN_HANDLER": "true", "AUTHORIZER_ANSWER": "simple", "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
	}), Peppers|Bus|Deployment)
	if err != nil {
		t.Fatal(err)
	}
	if got.Table != "tokens" || got.Bus != "tokens" || got.Deployment != "51af3dc0-da77-11e4-872e-1234567db123" || got.Keys.Current() != "test" || got.Prefix != "acme" || !got.AuthorizeInHandler ||
		got.Answer != "simple" || got.Function != "f" || got.Level != slog.LevelDebug {
		t.Errorf("got %+v", got)
	}
	if got, err = Read(environment(map[string]string{"AWS_LAMBDA_FUNCTION_NAME": ""}), 0); err != nil || got.AuthorizeInHandler || got.Answer != "policy" || got.Function == "" || got.Level != slog.LevelInfo {
		t.Errorf("by default: got %+v, %v", got, err)
	}
	for text, want := range map[string]slog.Level{"TRACE": slog.LevelDebug, "WARN": slog.LevelWarn, "ERROR": slog.LevelError, "FATAL": slog.LevelError} {
		if got := level(text); got != want {
			t.Errorf("level %s: got %v, want %v", text, got, want)
		}
	}
}

func TestEnvironmentIsReadBeforeTheFirstEvent(t *testing.T) {
	started := false
	getenv := environment(nil)
	h, err := handler(func(name string) string {
		if started {
			t.Errorf("%s is read after the start", name)
		}
		return getenv(name)
	}, &bytes.Buffer{}, Peppers, func(f Function) (lambda.Handler, error) {
		return answering(func(context.Context) error { return nil }), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	started = true
	if got, err := h.Invoke(t.Context(), nil); string(got) != "answer" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestFunctionThatCannotBeBuiltDoesNotStart(t *testing.T) {
	var out bytes.Buffer
	cause := errors.New("no client")
	if _, err := handler(environment(nil), &out, 0, func(Function) (lambda.Handler, error) { return nil, cause }); !errors.Is(err, cause) || !strings.Contains(out.String(), "no client") {
		t.Errorf("got %v, %s", err, out.String())
	}
}

// TestConflictsAreCounted commits twice on the same version.
func TestConflictsAreCounted(t *testing.T) {
	store := bolttest.Open(t)
	keys, err := events.ParseKeys(pepper)
	if err != nil {
		t.Fatal(err)
	}
	c, err := events.NewCommit(keys, events.UserStream("ann"), events.Head{}, events.Meta{Command: "c", Actor: "ann", At: time.Now()},
		[]events.Fact{events.TokenRevoked{TokenID: "JhxND7ci", Owner: "ann"}}, 1, nil, events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log := telemetry.NewLogger(telemetry.Config{Out: &out, Function: "f"})
	h := telemetry.Observe(answering(func(ctx context.Context) error {
		err := countingStore{store}.Commit(ctx, c)
		log.InfoContext(ctx, telemetry.Request, "operation", "create", "code", "unavailable")
		return err
	}))
	if _, err := h.Invoke(t.Context(), nil); err != nil || strings.Contains(out.String(), "Conflicts") {
		t.Errorf("the first: %v, %s", err, out.String())
	}
	if _, err := h.Invoke(t.Context(), nil); !errors.Is(err, events.ErrConflict) || !strings.Contains(out.String(), `"Conflicts":1`) {
		t.Errorf("the second: %v, %s", err, out.String())
	}
}

// TestUsesAndNoticesThatAreNotStoredAreCounted: the guard drops them, so only the
// metrics show that the store does not take them.
func TestUsesAndNoticesThatAreNotStoredAreCounted(t *testing.T) {
	keys, err := events.ParseKeys(pepper)
	if err != nil {
		t.Fatal(err)
	}
	store := bolttest.Open(t)
	made, text, err := issuer.New(issuer.Config{Store: store, Keys: keys}).Create(t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	old, err := secret.Parse(text.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	current := tokentest.Rotate(t, store, keys, time.Now(), made.ID, 0)
	fails := true
	faulty := storetest.NewFaulty(store, func(op storetest.Op) storetest.Fault {
		if fails && (op == storetest.OpTouch || op == storetest.OpNotify) {
			return storetest.Unapplied
		}
		return storetest.None
	})
	counting := countingStore{faulty}
	g := guard.New(guard.Config{Views: counting, Uses: counting, Notices: counting, Keys: keys})
	var out bytes.Buffer
	log := telemetry.NewLogger(telemetry.Config{Out: &out, Function: "f"})
	var shown secret.Token
	h := telemetry.Observe(answering(func(ctx context.Context) error {
		g.Check(ctx, shown, netip.Addr{})
		log.InfoContext(ctx, telemetry.Request, "operation", "authorize", "code", "ok")
		return nil
	}))
	for _, step := range []struct {
		fails        bool
		shown        secret.Token
		use, notices bool
	}{{true, current, true, false}, {true, old, false, true}, {false, current, false, false}, {false, old, false, false}} {
		out.Reset()
		fails, shown = step.fails, step.shown
		if _, err := h.Invoke(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if use, notices := strings.Contains(out.String(), `"UsesNotStored":1`), strings.Contains(out.String(), `"NoticesNotStored":1`); use != step.use || notices != step.notices {
			t.Errorf("%+v: got %s", step, &out)
		}
	}
}

// TestNeedFollowsFromTheJob: only functions that verify or write need peppers, and
// only functions that send events need the bus.
func TestNeedFollowsFromTheJob(t *testing.T) {
	for _, c := range []struct {
		job  Job
		want Need
	}{
		{Job{Guarded: true}, Peppers},
		{Job{Open: true}, 0},
		{Job{Open: true, Command: true}, Peppers},
		{Job{Command: true}, Peppers},
		{Job{Checks: true}, Peppers},
		{Job{Carries: true}, Bus | Deployment},
		{Job{Guarded: true, Events: true}, Peppers | Deployment},
		{Job{Copies: true}, 0},
		{jobOf("authorize"), Peppers},
		{jobOf("publish"), Bus | Deployment},
		{jobOf("reconcile"), Bus | Deployment},
		{jobOf("expire"), Peppers},
		{jobOf("audit"), 0},
		{jobOf("verify"), 0},
	} {
		if got := c.job.Need(); got != c.want {
			t.Errorf("%+v: got %b, want %b", c.job, got, c.want)
		}
	}
}

func TestFunctionWithoutAJobDoesNotStart(t *testing.T) {
	defer func() {
		if p, _ := recover().(string); !strings.Contains(p, `"publihs"`) {
			t.Errorf("got panic %q, want one that names the function", p)
		}
	}()
	jobOf("publihs")
}
