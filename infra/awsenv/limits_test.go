package awsenv

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

var limits = Limits{Attempts: 3, AttemptTime: time.Second, MaxPause: 250 * time.Millisecond}

// TestPausesAreRandomAndShort: clients that failed together do not come back
// together. Only throttling gets a long pause.
func TestPausesAreRandomAndShort(t *testing.T) {
	for _, c := range []struct {
		name       string
		err        error
		attempt    int
		half, most time.Duration // one of many pauses is longer than half; none is longer than most
	}{
		{"closed connection, first", errors.New("EOF"), 1, 10 * time.Millisecond, 20 * time.Millisecond},
		{"closed connection, second", errors.New("EOF"), 2, 20 * time.Millisecond, 40 * time.Millisecond},
		{"closed connection, many", errors.New("EOF"), 60, 125 * time.Millisecond, 250 * time.Millisecond},
		{"throttled", &smithy.GenericAPIError{Code: "ThrottlingException"}, 1, 125 * time.Millisecond, 250 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			short, long := 0, 0
			for range 100 {
				pause, err := limits.Retryer().RetryDelay(c.attempt, c.err)
				if err != nil || pause < 0 || pause > c.most {
					t.Fatalf("got a pause of %v, %v, want at most %v", pause, err, c.most)
				}
				if pause > c.half {
					long++
				} else {
					short++
				}
			}
			if short == 0 || long == 0 {
				t.Errorf("of 100 pauses %d are below %v and %d above, want both", short, c.half, long)
			}
		})
	}
	if pause, err := (Limits{Attempts: 2}).Retryer().RetryDelay(1, errors.New("EOF")); err != nil || pause > time.Microsecond {
		t.Errorf("without a MaxPause: got %v, %v", pause, err)
	}
}

func TestTheNumberOfAttemptsIsThatOfTheLimits(t *testing.T) {
	if got := limits.Retryer().MaxAttempts(); got != 3 {
		t.Errorf("got %d attempts, want 3", got)
	}
}

// TestAConnectionIsNotUsedAfterTwentyIdleSeconds runs in the time of a bubble.
func TestAConnectionIsNotUsedAfterTwentyIdleSeconds(t *testing.T) {
	for _, c := range []struct {
		idle  time.Duration
		dials int
	}{{19 * time.Second, 1}, {21 * time.Second, 2}} {
		synctest.Test(t, func(t *testing.T) {
			dials := 0
			client := limits.HTTPClient().WithTransportOptions(func(t *http.Transport) {
				t.DialContext = func(context.Context, string, string) (net.Conn, error) {
					dials++
					ours, theirs := net.Pipe()
					go answerAll(theirs)
					return ours, nil
				}
			})
			post(t, client)
			time.Sleep(c.idle)
			post(t, client)
			if dials != c.dials {
				t.Errorf("a request after %v: got %d connections, want %d", c.idle, dials, c.dials)
			}
			time.Sleep(time.Hour) // closes the connections, so that the bubble can end
		})
	}
}

// answerAll answers each request on the connection with 200 until its end.
func answerAll(c net.Conn) {
	defer c.Close()
	for requests := bufio.NewReader(c); ; {
		r, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}
}

func post(t *testing.T, client aws.HTTPClient) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://aws.test/", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
}
