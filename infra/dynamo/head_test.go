package dynamo_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/infra/dynamo/item"
)

// TestOtherItemsOfAPartitionHideNoMissingHead adds items that sort around the head.
func TestOtherItemsOfAPartitionHideNoMissingHead(t *testing.T) {
	c := client(t)
	s := dynamotest.New(c, newTable(t, c))
	scene := newScene(s.Store, time.Now)
	if _, _, err := scene.Create(t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{}); err != nil {
		t.Fatal(err)
	}
	key := s.HeadKey("user/ann")
	for _, sk := range []string{"AAA", "EVENT#", "EVENT#x", "F", "HEADS", "ZZZ"} {
		s.PutItem(t, "USER#ann\n"+sk, map[string]any{"x": item.Text("y")})
	}
	if h, err := s.Head(t.Context(), "user/ann"); err != nil || h.Version != 1 {
		t.Errorf("with the head: got version %d, %v, want 1", h.Version, err)
	}
	s.PutItem(t, key, nil)
	if h, err := s.Head(t.Context(), "user/ann"); !errors.Is(err, events.ErrDamaged) {
		t.Errorf("without the head: got %+v, %v, want ErrDamaged", h, err)
	}
}

// TestATableOfAnOlderVersionIsRefusedWithTheseWords: tables of layout 1 have no
// layout in their settings. The bootstrap and the calls that read the settings
// refuse them, and write nothing.
func TestATableOfAnOlderVersionIsRefusedWithTheseWords(t *testing.T) {
	c := client(t)
	s := dynamotest.New(c, newTable(t, c))
	if _, _, err := newScene(s.Store, time.Now).Bootstrap(t.Context(), "admin", false); err != nil {
		t.Fatal(err)
	}
	key := s.HeadKey(events.SettingsStream)
	older := s.Item(t, key)
	delete(older, "layout")
	s.PutItem(t, key, older)
	scene := newScene(s.Store, time.Now)
	_, _, bootstrap := scene.Bootstrap(t.Context(), "admin", false)
	_, _, create := scene.Create(t.Context(), guard.Principal{Owner: "admin"}, "", token.Wish{})
	_, whoAmI := scene.WhoAmI(t.Context(), guard.Principal{Owner: "admin"})
	_, health := s.Head(t.Context(), events.SettingsStream)
	for name, err := range map[string]error{"bootstrap": bootstrap, "create": create, "who-am-i": whoAmI, "the check of /healthz": health} {
		if !errors.Is(err, events.ErrOlderVersion) || errors.Is(err, events.ErrDamaged) || errors.Is(err, issuer.ErrBusy) || !strings.Contains(err.Error(), "the table was made by an older version of apitoken") {
			t.Errorf("%s: got %v, want an error that says that an older version made the table", name, err)
		}
	}
	if rs, err := s.History(t.Context(), "user/admin", 0, 10); err != nil || len(rs) != 1 {
		t.Errorf("the administrator has %d records, %v, want the one before", len(rs), err)
	}
}
