package newtable_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/infra/dynamo/newtable"
)

var protected = newtable.Options{Protected: true}

// create runs Create on the service in a bubble, whose time passes at once.
func create(t *testing.T, s *service, o newtable.Options) (result newtable.Result, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { result, err = newtable.Create(t.Context(), s.client(), "tokens", o) })
	return result, err
}

func TestANewTableHasEverySettingWhenCreateReturns(t *testing.T) {
	s := newService()
	s.slow, s.backupsLater, s.notYet = 3, 2, 2
	var waits []string
	result, err := create(t, s, newtable.Options{Protected: true, Waiting: func(text string) { waits = append(waits, text) }})
	if err != nil || !result.Made || len(result.Finished)+len(result.LeftOut) > 0 {
		t.Fatalf("got %+v, %v", result, err)
	}
	if s.status() != "ACTIVE" || s.ttl != "ENABLED" || !s.recovery || s.table["DeletionProtectionEnabled"] != true {
		t.Errorf("got status %s, time to live %s, recovery %v, table %v", s.status(), s.ttl, s.recovery, s.table)
	}
	for _, want := range []string{"waiting for table tokens, which is CREATING", "waiting until the time to live of table tokens is on; the table can already be used"} {
		if !slices.Contains(waits, want) {
			t.Errorf("got the waits %q, want also %q", waits, want)
		}
	}
}

func TestARepeatedCreateOnlyReads(t *testing.T) {
	s := newService()
	if _, err := create(t, s, protected); err != nil {
		t.Fatal(err)
	}
	s.calls = nil
	result, err := create(t, s, protected)
	if err != nil || result.Made || len(result.Finished)+len(result.LeftOut) > 0 {
		t.Errorf("got %+v, %v", result, err)
	}
	s.expectOnlyReads(t)
}

// TestCreateWaitsForASettingThatStarts has a table in use, whose time to live another
// caller has just switched on.
func TestCreateWaitsForASettingThatStarts(t *testing.T) {
	s := newService()
	if _, err := create(t, s, protected); err != nil {
		t.Fatal(err)
	}
	s.ttl, s.pendingTTL, s.items, s.calls = "ENABLING", 4, 1, nil
	result, err := create(t, s, protected)
	if err != nil || result.Made || len(result.Finished) > 0 || s.ttl != "ENABLED" {
		t.Errorf("got %+v, %v, time to live %s", result, err, s.ttl)
	}
	s.expectOnlyReads(t)
}

// TestADifferentTableIsNamedAndNotChanged has one difference in each row. The table
// has no items: only settings that are off may be switched on then.
func TestADifferentTableIsNamedAndNotChanged(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*service)
		want   []string
	}{
		"another sort key": {
			func(s *service) { s.table["KeySchema"] = keySchema("PK", "name") },
			[]string{"keys is PK (S, HASH), name (, RANGE), want PK (S, HASH), SK (S, RANGE)"},
		},
		"a key of another type": {
			func(s *service) { s.attribute("SK")["AttributeType"] = "N" },
			[]string{"keys is PK (S, HASH), SK (N, RANGE), want PK (S, HASH), SK (S, RANGE)"},
		},
		"a missing attribute in an index": {
			func(s *service) { s.index("list").dropAttribute("suspended") },
			[]string{"index list, attribute suspended is none, want projected"},
		},
		"an index more": {
			func(s *service) {
				s.addIndex("mine", "PK", "SK")
			},
			[]string{"index mine is PK (S, HASH), SK (S, RANGE), want none", "index mine, projection is ALL, want none"},
		},
		"an index less": {
			func(s *service) { s.dropIndex("unsent") },
			[]string{"index unsent is none, want unsent (S, HASH), unsent_at (S, RANGE)", "index unsent, projection is none, want KEYS_ONLY"},
		},
		"provisioned": {
			func(s *service) { delete(s.table, "BillingModeSummary") },
			[]string{"billing mode is PROVISIONED, want PAY_PER_REQUEST"},
		},
		"no stream": {
			func(s *service) { delete(s.table, "StreamSpecification") },
			[]string{"stream is none, want NEW_IMAGE"},
		},
		"another stream": {
			func(s *service) {
				s.table["StreamSpecification"] = object{"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"}
			},
			[]string{"stream is KEYS_ONLY, want NEW_IMAGE"},
		},
		"a KMS key": {
			func(s *service) { s.table["SSEDescription"] = object{"Status": "ENABLED", "SSEType": "KMS"} },
			[]string{"encryption with a KMS key is on, want none"},
		},
		"no deletion protection": {
			func(s *service) { s.table["DeletionProtectionEnabled"] = false },
			[]string{"deletion protection is none, want on"},
		},
		"time to live by another attribute": {
			func(s *service) { s.ttlAttribute = "expires" },
			[]string{"time to live is attribute expires, want attribute ttl"},
		},
		"time to live that ends": {
			func(s *service) { s.ttl = "DISABLING" },
			[]string{"time to live is changing to none, want attribute ttl"},
		},
		"two differences": {
			func(s *service) { s.recovery = false; s.table["DeletionProtectionEnabled"] = false },
			[]string{"deletion protection is none, want on", "point-in-time recovery is none, want on"},
		},
		"no recovery, and items": {
			func(s *service) { s.recovery = false; s.items = 1 },
			[]string{"point-in-time recovery is none, want on"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService()
			if _, err := create(t, s, protected); err != nil {
				t.Fatal(err)
			}
			row.change(s)
			s.calls = nil
			_, err := create(t, s, protected)
			different, ok := errors.AsType[*newtable.DifferentError](err)
			if !ok || different.Made || !slices.Equal(different.Differences, row.want) {
				t.Errorf("got %v, want the differences %q", err, row.want)
			}
			if want := "table tokens exists and differs; nothing was changed: " + strings.Join(row.want, "; "); err != nil && err.Error() != want {
				t.Errorf("got the error\n%v\nwant\n%s", err, want)
			}
			s.expectOnlyReads(t)
		})
	}
}

// TestATableWithoutProtectionIsAChoice compares with what the caller asks for.
func TestATableWithoutProtectionIsAChoice(t *testing.T) {
	s := newService()
	for range 2 {
		if _, err := create(t, s, newtable.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if s.table["DeletionProtectionEnabled"] != false {
		t.Errorf("got %v", s.table["DeletionProtectionEnabled"])
	}
	if _, err := create(t, s, protected); err == nil || !strings.Contains(err.Error(), "deletion protection is none, want on") {
		t.Errorf("got %v, want a difference", err)
	}
}

// TestAnInterruptedCreationIsContinued ends the first call after each number of
// requests, and also loses the answer to that request.
func TestAnInterruptedCreationIsContinued(t *testing.T) {
	for after := 1; ; after++ {
		s := newService()
		s.slow, s.breakAfter = 1, after
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.onBreak = cancel
			newtable.Create(ctx, s.client(), "tokens", protected)
		})
		whole := s.breakAfter > 0 // it made fewer requests
		s.breakAfter, s.onBreak = 0, nil
		result, err := create(t, s, protected)
		if err != nil || s.ttl != "ENABLED" || !s.recovery {
			t.Errorf("after %d requests: got %+v, %v, time to live %s, recovery %v", after, result, err, s.ttl, s.recovery)
		}
		if whole {
			if after < 6 {
				t.Errorf("Create made only %d requests", after)
			}
			return
		}
	}
}

func TestCreateSaysWhatItSwitchedOn(t *testing.T) {
	s := newService()
	if _, err := create(t, s, protected); err != nil {
		t.Fatal(err)
	}
	s.ttl, s.recovery = "DISABLED", false
	result, err := create(t, s, protected)
	if want := []string{"time to live", "point-in-time recovery"}; err != nil || result.Made || !slices.Equal(result.Finished, want) {
		t.Errorf("got %+v, %v, want %q switched on", result, err, want)
	}
}

// TestUnknownSettingsAreLeftOut has a service that lacks three of them.
func TestUnknownSettingsAreLeftOut(t *testing.T) {
	s := newService()
	s.lacks = []string{"DescribeTimeToLive", "UpdateTimeToLive", "DescribeContinuousBackups", "UpdateContinuousBackups"}
	s.noProtection = true
	for range 2 {
		result, err := create(t, s, protected)
		if want := []string{"deletion protection", "time to live", "point-in-time recovery"}; err != nil || !slices.Equal(result.LeftOut, want) {
			t.Errorf("got %+v, %v, want %q left out", result, err, want)
		}
	}
	s = newService()
	s.lacks = []string{"UpdateContinuousBackups"} // it can only read them
	if result, err := create(t, s, protected); err != nil || !slices.Equal(result.LeftOut, []string{"point-in-time recovery"}) {
		t.Errorf("got %+v, %v", result, err)
	}
}

// TestAMissingRightIsAnErrorAndLeavesNothingOut refuses each operation in turn.
func TestAMissingRightIsAnErrorAndLeavesNothingOut(t *testing.T) {
	for _, op := range []string{"DescribeTable", "CreateTable", "DescribeTimeToLive", "UpdateTimeToLive", "DescribeContinuousBackups", "UpdateContinuousBackups"} {
		s := newService()
		s.refuses = op
		result, err := create(t, s, protected)
		if err == nil || !strings.Contains(err.Error(), "table tokens") || !strings.Contains(err.Error(), "AccessDeniedException") || len(result.LeftOut) > 0 {
			t.Errorf("%s: got %+v, %v", op, result, err)
		}
	}
}

// TestAnotherCallerMayCreateTheTableAtTheSameTime has one that is a request ahead.
func TestAnotherCallerMayCreateTheTableAtTheSameTime(t *testing.T) {
	for _, op := range []string{"CreateTable", "UpdateTimeToLive", "UpdateContinuousBackups"} {
		s := newService()
		s.slow, s.ahead = 2, op
		result, err := create(t, s, protected)
		if err != nil || !result.Made || s.ttl != "ENABLED" || !s.recovery {
			t.Errorf("%s: got %+v, %v, time to live %s, recovery %v", op, result, err, s.ttl, s.recovery)
		}
	}
}

func TestCreateDoesNotWaitForever(t *testing.T) {
	for want, change := range map[string]func(*service){
		"table tokens is still CREATING after 10m0s: run the command again to continue":                                         func(s *service) { s.slow = 1 << 30 },
		"the time to live of table tokens is still not on after 10m0s: the table can be used, and the same command waits again": func(s *service) { s.slowTTL = 1 << 30 },
		"table tokens is DELETING: a new table of this name can be created when the old one is gone": func(s *service) {
			s.table, s.stuck = object{}, "DELETING"
		},
	} {
		s := newService()
		change(s)
		start, ended := time.Time{}, time.Time{}
		var err error
		synctest.Test(t, func(t *testing.T) {
			start = time.Now()
			_, err = newtable.Create(t.Context(), s.client(), "tokens", protected)
			ended = time.Now()
		})
		if err == nil || err.Error() != want || ended.Sub(start) > 11*time.Minute {
			t.Errorf("after %v got %v, want %s", ended.Sub(start), err, want)
		}
	}
}

// TestAServiceThatMakesAnotherTableIsNamed has a service that ignores the stream.
func TestAServiceThatMakesAnotherTableIsNamed(t *testing.T) {
	s := newService()
	s.ignores = "StreamSpecification"
	_, err := create(t, s, protected)
	if want := "table tokens was created, but the service made it different: stream is none, want NEW_IMAGE"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
