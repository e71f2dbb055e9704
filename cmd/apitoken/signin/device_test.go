package signin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauth2-proxy/mockoidc"

	"apitoken/cmd/apitoken/signin"
	"apitoken/cmd/apitoken/signin/signintest"
)

// TestADeviceWaitsForThePerson: at the pace of the issuer, and slower after slow_down (RFC
// 8628 section 3.5). The clock is that of synctest.
func TestADeviceWaitsForThePerson(t *testing.T) {
	for name, c := range map[string]struct {
		polls  []string
		device map[string]any
		want   string // an error; "": success
		after  time.Duration
	}{
		"at once":              {nil, nil, "", 5 * time.Second},
		"pending":              {[]string{"authorization_pending", "authorization_pending"}, nil, "", 15 * time.Second},
		"slow down":            {[]string{"slow_down", "authorization_pending", "slow_down"}, nil, "", (5 + 10 + 10 + 15) * time.Second},
		"the issuer's pace":    {[]string{"authorization_pending"}, map[string]any{"interval": 1}, "", 2 * time.Second},
		"no pace":              {nil, map[string]any{"interval": 0}, "", 5 * time.Second},
		"denied":               {[]string{"authorization_pending", "access_denied"}, nil, "the sign-in was denied (access_denied): the person said so", 10 * time.Second},
		"expired":              {[]string{"expired_token"}, nil, "the code was not used in time; run the command again (expired_token)", 5 * time.Second},
		"never":                {repeat("authorization_pending", 100), map[string]any{"expires_in": 60}, signin.ErrLate.Error(), time.Minute},
		"never, without end":   {repeat("authorization_pending", 1000), map[string]any{"expires_in": 0}, signin.ErrLate.Error(), 10 * time.Minute},
		"an unsafe page":       {nil, map[string]any{"verification_uri": "http://evil.example/enter"}, "http://evil.example; allowed: https", 0},
		"no code":              {nil, map[string]any{"user_code": ""}, "gave no code for a device", 0},
		"an unsafe other page": {nil, map[string]any{"verification_uri_complete": "http://evil.example/enter"}, "", 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := signintest.New(t)
				i.QueueUser(&mockoidc.MockUser{Subject: "ann-at-corp"})
				i.Polls, i.Device = c.polls, c.device
				f, said := flowAt(i)
				f.Transport = i
				began := time.Now()
				token, err := f.Device(t.Context())
				if took := time.Since(began); took != c.after {
					t.Errorf("took %s, want %s", took, c.after)
				}
				if c.want == "" && (err != nil || token.Reveal() == "") || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("got %v, want %q", err, c.want)
				}
				if strings.Contains(said.String(), "evil") || strings.Contains(said.String(), "device-code") {
					t.Errorf("the command printed %s", said)
				}
				if c.want == "" && !strings.Contains(said.String(), "open "+i.Addr()+"/enter on any device and enter the code WDJB-MJHT") {
					t.Errorf("the command printed %s", said)
				}
			})
		})
	}
}

func repeat(text string, n int) (all []string) {
	for range n {
		all = append(all, text)
	}
	return all
}

func TestAnIssuerWithoutDevicesSaysSo(t *testing.T) {
	i := signintest.New(t)
	i.Change = func(m map[string]any) { delete(m, "device_authorization_endpoint") }
	f, _ := flowAt(i)
	f.Transport = i
	if _, err := f.Device(t.Context()); err == nil || !strings.Contains(err.Error(), "has no sign-in for devices") {
		t.Errorf("got %v", err)
	}
	f.ClientID = "unknown"
	i.Change = nil
	if _, err := f.Device(t.Context()); err == nil || !strings.Contains(err.Error(), "must be a public one (invalid_client)") {
		t.Errorf("got %v", err)
	}
}

// TestAnInterruptEndsTheWait of a device.
func TestAnInterruptEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := signintest.New(t)
		i.Polls = repeat("authorization_pending", 100)
		f, _ := flowAt(i)
		f.Transport = i
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(12*time.Second, cancel)
		began := time.Now()
		if _, err := f.Device(ctx); !errors.Is(err, context.Canceled) || time.Since(began) != 12*time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
}
