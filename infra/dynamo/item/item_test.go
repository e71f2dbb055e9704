package item_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/lease"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var update = flag.Bool("update", false, "write the golden files again")

var (
	at     = time.Date(2026, 11, 21, 9, 30, 0, 1000, time.UTC)
	later  = at.AddDate(0, 0, 400)
	hash   = events.Hash{0: 1, 31: 2}
	record = events.Record{
		Stream: "user/ann", Seq: 7, Type: "TokenRevoked", V: 1, Command: "c0ffee", Actor: "ACTIVE_DIRECTORY:boss", TokenID: "L7k8ljIC",
		At: at, Public: []byte(`{"v":1,"token_id":"JhxND7ci","owner":"ann"}`), Private: []byte(`{"nonce":"AA=="}`), Prev: hash, Hash: events.Hash{9}, KeepUntil: later,
		MAC: events.Verifier{Kid: "k2", MAC: []byte("fedcba9876543210fedcba9876543210")},
	}
	head = events.Head{
		Version: 7, Hash: hash, At: at, KeepUntil: later, StateV: 1, State: []byte(`{"t":[]}`),
		Seal: events.Verifier{Kid: "k1", MAC: []byte("0123456789abcdef0123456789abcdef")},
	}
	view = events.View{
		ID: "JhxND7ci", Owner: "ann", Creator: "boss", Name: "deploy", Description: "from the laptop",
		Verifier:  events.Verifier{Kid: "k1", MAC: []byte("0123456789abcdef0123456789abcdef")},
		CreatedAt: at, ExpiresAt: at.AddDate(0, 6, 0), Disabled: true, Scopes: []string{"GET /v1/*", "POST /v1/x"},
		SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}, First: 3, Seq: 7,
		Suspended: true, Outgoing: events.Verifier{Kid: "k0", MAC: []byte("an outgoing verifier of 32 bytes")},
		OutgoingUntil: at.Add(24 * time.Hour), Rotated: 6,
		Seal: events.Verifier{Kid: "k2", MAC: []byte("fedcba9876543210fedcba9876543210")},
	}
	ended = func() events.View {
		v := view
		v.Ended, v.EndedAt, v.KeepUntil = events.EndedRevoked, at.Add(time.Hour), later
		return v
	}()
	bare   = events.View{ID: "zzzzzzzz", Owner: "ann", Creator: "ann", CreatedAt: at, First: 1, Seq: 1}
	reply  = events.Reply{Key: "a1b2", Sealed: []byte{0, 1, 2}, At: at}
	held   = lease.Entry{Holder: "DAV5K3MJ2ILQ", Beat: 3, End: at.Add(lease.Length)}
	notice = events.Message{
		ID: "TokenExpiring/JhxND7ci/7", Type: "TokenExpiring", V: 1, Time: at, Subject: "JhxND7ci", Command: "c", Actor: "operator", TokenID: "L7k8ljIC", Data: []byte(`{"v":1}`),
	}
)

// TestStoredItemsKeepTheirForm compares items with those of testdata. Tables in
// use have items of this form, so after a change the package must read both
// forms.
func TestStoredItemsKeepTheirForm(t *testing.T) {
	must := func(it item.Item, err error) item.Item {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return it
	}
	session := asSession(view)
	session.Ended, session.KeepUntil = "", time.Time{}
	settings := record
	settings.Stream, settings.Seq, settings.KeepUntil = events.SettingsStream, 1, time.Time{}
	atPage := record
	atPage.ActorVia, atPage.ActorAddress = events.ViaUI, "203.0.113.9"
	for _, c := range []struct {
		name string
		it   item.Item
		read func(item.Item) (any, error)
		want any
		kind item.Kind
	}{
		{"record", must(item.Record(record)), reading(item.ReadRecord), record, item.KindRecord},
		{"record-page", must(item.Record(atPage)), reading(item.ReadRecord), atPage, item.KindRecord},
		{"record-settings", must(item.Record(settings)), reading(item.ReadRecord), settings, item.KindRecord},
		{"message", must(item.Record(record)), reading(item.ReadMessage), record.Message(), item.KindRecord},
		{"head", must(item.Head("user/ann", head)), reading(item.ReadHead), head, item.KindHead},
		{"head-settings", must(item.Head(events.SettingsStream, head)), reading(item.ReadHead), head, item.KindHead},
		{"view", item.View(view), reading(item.ReadView), view, item.KindView},
		{"view-ended", item.View(ended), reading(item.ReadView), ended, item.KindView},
		{"view-session", item.View(session), reading(item.ReadView), session, item.KindView},
		{"view-bare", item.View(bare), reading(item.ReadView), bare, item.KindView},
		{"reply", item.Reply(reply), reading(item.ReadReply), reply, item.KindReply},
		{"notice", item.Notice(notice), reading(item.ReadMessage), notice, item.KindNotice},
		{"lease", item.Lease("relay", held), reading(item.ReadLease), held, item.KindLease},
	} {
		t.Run(c.name, func(t *testing.T) {
			stored := golden(t, c.name, c.it)
			if !reflect.DeepEqual(stored, c.it) {
				t.Errorf("got\n%s\nwant\n%s", show(t, c.it), show(t, stored))
			}
			got, err := c.read(stored)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("read back: got\n%+v, %v, want\n%+v", got, err, c.want)
			}
			if got := item.KindOf(stored); got != c.kind {
				t.Errorf("its kind: got %v, want %v", got, c.kind)
			}
		})
	}
}

func reading[T any](read func(item.Item) (T, error)) func(item.Item) (any, error) {
	return func(it item.Item) (any, error) { return read(it) }
}

// TestADamagedAttributeIsAnError damages each attribute of each item.
func TestADamagedAttributeIsAnError(t *testing.T) {
	r, _ := item.Record(record)
	h, _ := item.Head(events.SettingsStream, head)
	for _, c := range []struct {
		it   item.Item
		read func(item.Item) (any, error)
	}{
		{r, reading(item.ReadRecord)}, {h, reading(item.ReadHead)}, {item.View(ended), reading(item.ReadView)},
		{item.Reply(reply), reading(item.ReadReply)}, {item.Notice(notice), reading(item.ReadMessage)},
		{item.Lease("relay", held), reading(item.ReadLease)},
	} {
		for attr := range c.it {
			if kind := item.KindOf(c.it); kind == item.KindHead && attr == item.PK || attr == item.SK && kind != item.KindRecord || attr == item.PK && kind == item.KindLease || attr == item.TTL && kind != item.KindView || slices.Contains([]string{item.UnsentPK, item.UnsentSK}, attr) {
				continue // these attributes are not read
			}
			damaged := maps.Clone(c.it)
			damaged[attr] = &types.AttributeValueMemberNULL{Value: true}
			_, err := c.read(damaged)
			if !errors.Is(err, events.ErrDamaged) || !strings.Contains(err.Error(), attr) && attr != item.PK && attr != item.SK {
				t.Errorf("%s of another type in %s: got %v, want ErrDamaged and the attribute", attr, item.Name(c.it), err)
			}
		}
	}
	for _, packed := range [][]byte{{5, 10, 0}, {3, 10, 0, 8}, {0}} {
		v := item.View(bare)
		v["source_ips"] = &types.AttributeValueMemberB{Value: packed}
		if _, err := item.ReadView(v); err == nil {
			t.Errorf("source ranges packed as %v: got no error", packed)
		}
	}
}

// TestPlacesOfViewsAreComputedAgain: the seal of a view does not cover the
// attributes of the indexes and of the time to live, so each other value of them
// is an error.
func TestPlacesOfViewsAreComputedAgain(t *testing.T) {
	for _, v := range []events.View{ended, view, bare} {
		for attr, others := range map[string][]types.AttributeValue{
			item.ListPK: {item.Text("LIST#2026-12"), item.Text(""), nil},
			item.ListSK: {item.Text(item.PositionSK("", events.Position{At: at.Add(time.Microsecond), ID: v.ID})), item.Text(item.PositionSK("", events.Position{At: at, ID: "other"})), nil},
			item.TTL:    {item.Number(1), item.Number(4_000_000_000)},
			item.DuePK:  {item.Text("DUE#9"), item.Text("")},
			"digest":    {&types.AttributeValueMemberB{Value: make([]byte, 32)}, nil},
		} {
			for _, other := range others {
				it := item.View(v)
				if it[attr] = other; other == nil {
					delete(it, attr)
				}
				got, err := item.ReadView(it)
				damaged, ok := errors.AsType[*events.DamagedView](err)
				if !ok || damaged.TokenID != v.ID || !strings.Contains(err.Error(), attr) {
					t.Errorf("%s is %v: got %v, %v, want a damaged view of token %s", attr, other, got, err, v.ID)
				}
			}
		}
	}
	notDue := item.View(view)
	delete(notDue, item.DuePK)
	if _, err := item.ReadView(notDue); !errors.Is(err, events.ErrDamaged) {
		t.Errorf("a view with an expiry and without its place in the due index: got %v, want ErrDamaged", err)
	}
	noTTL := item.View(ended)
	delete(noTTL, item.TTL)
	if _, err := item.ReadView(noTTL); !errors.Is(err, events.ErrDamaged) {
		t.Errorf("an ended view without its time to live: got %v, want ErrDamaged", err)
	}
}

// TestTablesOfOtherVersionsAreRefusedByName: layout 1 had no attribute. Its views
// have no seals, and must not be reported as changed.
func TestTablesOfOtherVersionsAreRefusedByName(t *testing.T) {
	for name, c := range map[string]struct {
		layout types.AttributeValue
		says   string
		older  bool
	}{
		"layout 1":             {nil, "made by an older version of apitoken", true},
		"an explicit layout 1": {item.Number(1), "have layout 1, and this version reads only 5", true},
		"layout 2":             {item.Number(2), "made by an older version of apitoken", true},
		"layout 3":             {item.Number(3), "made by an older version of apitoken", true},
		"layout 4":             {item.Number(4), "made by an older version of apitoken", true},
		"the next layout":      {item.Number(6), "made by a newer version of apitoken", false},
	} {
		it, _ := item.Head(events.SettingsStream, head)
		if it["layout"] = c.layout; c.layout == nil {
			delete(it, "layout")
		}
		_, err := item.ReadHead(it)
		if err == nil || !strings.Contains(err.Error(), c.says) || c.older && !errors.Is(err, events.ErrOlderVersion) || errors.Is(err, events.ErrDamaged) {
			t.Errorf("%s: got %v, want %q and not ErrDamaged", name, err, c.says)
		}
	}
	it, _ := item.Head("user/ann", head)
	if _, err := item.ReadHead(it); err != nil || it["layout"] != nil {
		t.Errorf("only the settings have the layout: got %v, %v", it["layout"], err)
	}
}

func TestARecordIsReadOnlyUnderTheKeyOfItsSequence(t *testing.T) {
	it, _ := item.Record(record)
	for _, seq := range []uint64{1, 6, 8, 70} {
		it[item.SK] = item.Text(item.RecordSK(seq))
		if _, err := item.ReadRecord(it); !errors.Is(err, events.ErrDamaged) {
			t.Errorf("record %d under the key of %d: got %v, want ErrDamaged", record.Seq, seq, err)
		}
	}
}

func TestAHeadOfVersionZeroIsNotRead(t *testing.T) {
	for _, zero := range []string{"0", "00", "-0", "0.0", "0e5"} {
		it, _ := item.Head("user/ann", head)
		it[item.HeadVersion] = &types.AttributeValueMemberN{Value: zero}
		if h, err := item.ReadHead(it); !errors.Is(err, events.ErrDamaged) {
			t.Errorf("version %s: got %+v, %v, want ErrDamaged", zero, h, err)
		}
	}
}

// TestTTLIsNeverTooEarly: DynamoDB counts whole seconds.
func TestTTLIsNeverTooEarly(t *testing.T) {
	for _, c := range []struct {
		keep time.Time
		want string
	}{
		{time.Unix(1_800_000_000, 0), "1800000000"},
		{time.Unix(1_800_000_000, 1), "1800000001"},
		{time.Unix(1_800_000_000, 999_999_999), "1800000001"},
	} {
		r, v := record, ended
		r.KeepUntil, v.KeepUntil = c.keep, c.keep
		it, _ := item.Record(r)
		for _, it := range []item.Item{it, item.View(v)} {
			if got := it[item.TTL].(*types.AttributeValueMemberN).Value; got != c.want {
				t.Errorf("ttl of %s kept until %v: got %s, want %s", item.Name(it), c.keep, got, c.want)
			}
		}
	}
}

// TestANoticeIsKeptForThirtyDaysAndUntilItsKeepUntil: before, it cannot be put again.
func TestANoticeIsKeptForThirtyDaysAndUntilItsKeepUntil(t *testing.T) {
	for _, c := range []struct{ until, want time.Time }{
		{time.Time{}, at.AddDate(0, 0, 30)}, {at.AddDate(0, 0, 29), at.AddDate(0, 0, 30)}, {at.AddDate(0, 0, 365), at.AddDate(0, 0, 365)},
	} {
		m := notice
		m.KeepUntil = c.until
		it := item.Notice(m)
		if got, want := it[item.TTL].(*types.AttributeValueMemberN).Value, fmt.Sprint(c.want.Unix()+1); got != want {
			t.Errorf("the ttl of a notice kept until %v: got %s, want %s", c.until, got, want)
		}
		if back, err := item.ReadMessage(it); err != nil || !reflect.DeepEqual(back, notice) {
			t.Errorf("read back: got %+v, %v, want %+v", back, err, notice)
		}
	}
}

// TestOnlyTokensThatExpireAreInTheDueIndex: an entry has the owner, the expiry and
// the note. A note of a wrong form is no note.
func TestOnlyTokensThatExpireAreInTheDueIndex(t *testing.T) {
	for what, v := range map[string]events.View{"an ended token": ended, "a token that never expires": bare} {
		if it := item.View(v); it[item.DuePK] != nil {
			t.Errorf("%s is in the due index", what)
		}
	}
	entry := item.Item{}
	it := item.View(view)
	for _, attr := range append([]string{item.PK, item.SK, item.DuePK, item.DueSK}, item.DueAttributes...) {
		if v, ok := it[attr]; ok {
			entry[attr] = v
		}
	}
	want := events.Expiring{TokenID: view.ID, Owner: view.Owner, ExpiresAt: view.ExpiresAt}
	for _, c := range []struct {
		note types.AttributeValue
		days int
	}{{item.Number(30), 30}, {item.Text("30"), 0}, {&types.AttributeValueMemberN{Value: "-1"}, 0}, {&types.AttributeValueMemberN{Value: "1.5"}, 0}} {
		entry[item.ViewWarned], want.Warned = c.note, c.days
		if got, err := item.ReadDue(entry); err != nil || got != want {
			t.Errorf("with the note %v: got %+v, %v, want %+v", c.note, got, err, want)
		}
	}
	for attr, other := range map[string]types.AttributeValue{item.SK: item.Text("USE"), item.PK: item.Text("USER#ann"), item.OwnerPK: nil, item.DueSK: item.Text("2027-01-01")} {
		planted := maps.Clone(entry)
		if planted[attr] = other; other == nil {
			delete(planted, attr)
		}
		if got, err := item.ReadDue(planted); !errors.Is(err, events.ErrDamaged) {
			t.Errorf("%s is %v: got %+v, %v, want ErrDamaged", attr, other, got, err)
		}
	}
	it[item.ViewWarned] = item.Number(7)
	if got, err := item.ReadView(it); err != nil || !reflect.DeepEqual(got, view) {
		t.Errorf("a view with a note: got %+v, %v", got, err)
	}
}

// TestHeadsLiveViewsAndPermanentRecordsHaveNoTTL: a head and a live token's view
// have no ttl, even if they have a retention.
func TestHeadsLiveViewsAndPermanentRecordsHaveNoTTL(t *testing.T) {
	live, permanent := ended, record
	live.Ended, permanent.KeepUntil = "", time.Time{}
	h, _ := item.Head("user/ann", head)
	r, _ := item.Record(permanent)
	for _, it := range []item.Item{h, r, item.View(live), item.View(view)} {
		if it[item.TTL] != nil {
			t.Errorf("%s has a ttl", item.Name(it))
		}
	}
}

func TestKeysSortAsTheirNumbersAndTimes(t *testing.T) {
	var keys, places []string
	for _, seq := range []uint64{1, 9, 10, 99, 1_000_000, item.LastSeq} {
		keys = append(keys, item.RecordSK(seq))
	}
	for _, p := range []events.Position{{}, {At: at.Truncate(time.Second)}, {At: at, ID: "A"}, {At: at, ID: "a"}, {At: at.Add(time.Microsecond)}, {At: at.Add(time.Second / 2)}} {
		places = append(places, item.PositionSK("", p))
	}
	if !slices.IsSorted(keys) || !slices.IsSorted(places) {
		t.Errorf("not in order: %q %q", keys, places)
	}
	for _, k := range keys {
		if len(k) != len("EVENT#")+12 {
			t.Errorf("sort key %q: want 12 digits", k)
		}
	}
}

func TestUnknownStreamsAndLongSequencesAreRefused(t *testing.T) {
	for _, s := range []events.Stream{"", "other", "users/ann", "user/\xff"} {
		if pk, err := item.StreamPK(s); err == nil {
			t.Errorf("stream %q: got %q, want an error", s, pk)
		}
	}
	tooLong := record
	tooLong.Seq = item.LastSeq + 1
	if _, err := item.Record(tooLong); err == nil {
		t.Error("a sequence of 13 digits: got no error")
	}
}

func TestMonths(t *testing.T) {
	for _, c := range []struct{ at, pk, next string }{
		{"2026-11-30T23:59:59Z", "LIST#2026-11", "LIST#2026-12"},
		{"2026-12-31T00:00:00Z", "LIST#2026-12", "LIST#2027-01"},
		{"2019-05-05T00:00:00Z", "LIST#2026-01", "LIST#2026-02"},
		{"0001-01-01T00:00:00Z", "LIST#2026-01", "LIST#2026-02"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		m := item.MonthOf(at)
		if m.PK("") != c.pk || m.Next().PK("") != c.next {
			t.Errorf("%s: got %s then %s, want %s then %s", c.at, m.PK(""), m.Next().PK(""), c.pk, c.next)
		}
	}
}

// TestNoIndexHasAVerifier: an entry has the same attributes in the index by month
// and in that by owner.
func TestNoIndexHasAVerifier(t *testing.T) {
	want := ended
	want.VerifierDigest = ended.Digest()
	want.Verifier, want.Outgoing, want.Rotated = events.Verifier{}, events.Verifier{}, 0
	var first item.Item
	for index, attributes := range map[string][]string{
		item.ListIndex:  append([]string{item.PK, item.SK, item.ListPK, item.ListSK}, item.ListAttributes...),
		item.OwnerIndex: append([]string{item.PK, item.SK, item.OwnerPK, item.OwnerSK}, item.OwnerAttributes...),
	} {
		entry := item.Item{}
		for _, attr := range attributes {
			if slices.Contains([]string{"kid", "mac", "private", "state"}, attr) || entry[attr] != nil {
				t.Errorf("the index %s has %s, or has it twice", index, attr)
			}
			if v, ok := item.View(ended)[attr]; ok {
				entry[attr] = v
			}
		}
		if first == nil {
			first = entry
		}
		if !reflect.DeepEqual(entry, first) {
			t.Errorf("an entry of the index %s: got %v, want the same as in the other index: %v", index, entry, first)
		}
		if got, err := item.ReadEntry(entry); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("an entry of the index %s: got %+v, %v, want all but the verifier: %+v", index, got, err, want)
		}
		for _, attr := range []string{item.ListPK, item.ListSK, "digest"} {
			moved := maps.Clone(entry)
			delete(moved, attr)
			if _, err := item.ReadEntry(moved); !errors.Is(err, events.ErrDamaged) {
				t.Errorf("an entry without %s: got %v, want ErrDamaged", attr, err)
			}
		}
	}
}

// golden reads an item of testdata. With -update it first writes the item there.
func golden(t *testing.T, name string, it item.Item) item.Item {
	t.Helper()
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, show(t, it), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]map[string]any
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	stored := item.Item{}
	for attr, v := range raw {
		stored[attr] = parse(t, v)
	}
	return stored
}

// show returns an item in DynamoDB's own JSON.
func show(t *testing.T, it item.Item) []byte {
	t.Helper()
	raw := map[string]any{}
	for attr, v := range it {
		raw[attr] = print(v)
	}
	b, err := json.MarshalIndent(raw, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func print(v types.AttributeValue) map[string]any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *types.AttributeValueMemberB:
		return map[string]any{"B": v.Value}
	case *types.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}
	case *types.AttributeValueMemberL:
		l := []any{}
		for _, e := range v.Value {
			l = append(l, print(e))
		}
		return map[string]any{"L": l}
	}
	panic(fmt.Sprintf("no item has a %T", v))
}

func parse(t *testing.T, raw map[string]any) types.AttributeValue {
	t.Helper()
	for kind, v := range raw {
		switch kind {
		case "S":
			return &types.AttributeValueMemberS{Value: v.(string)}
		case "N":
			return &types.AttributeValueMemberN{Value: v.(string)}
		case "BOOL":
			return &types.AttributeValueMemberBOOL{Value: v.(bool)}
		case "B":
			b, err := base64.StdEncoding.DecodeString(v.(string))
			if err != nil {
				t.Fatal(err)
			}
			return &types.AttributeValueMemberB{Value: b}
		case "L":
			l := &types.AttributeValueMemberL{}
			for _, e := range v.([]any) {
				l.Value = append(l.Value, parse(t, e.(map[string]any)))
			}
			return l
		}
	}
	t.Fatalf("no attribute value: %v", raw)
	return nil
}

// TestAPlantedNoticeBelongsToNoStream: it must not wait, or be refused, in the place of
// a user's events.
func TestAPlantedNoticeBelongsToNoStream(t *testing.T) {
	planted := item.Notice(notice)
	planted["stream"] = item.Text("user/ann")
	if m, err := item.ReadMessage(planted); err != nil || m.Stream != "" {
		t.Errorf("got %+v, %v, want no stream", m, err)
	}
}

// TestANoticeIsReadOnlyUnderItsType: a function that checks tokens may write the
// partitions of TokenReused. It must not publish another event from there.
func TestANoticeIsReadOnlyUnderItsType(t *testing.T) {
	for _, forged := range []string{"TokenRevoked", "TokenReused/JhxND7ci", "Token", ""} {
		m := events.Message{ID: "TokenReused/JhxND7ci/7/2026-11-21", Type: forged, V: 1, Time: notice.Time, Subject: "JhxND7ci", Data: []byte(`{"v":1}`)}
		if _, err := item.ReadMessage(item.Notice(m)); !errors.Is(err, events.ErrDamaged) {
			t.Errorf("type %q: got %v, want %v", forged, err, events.ErrDamaged)
		}
		m.Type = "TokenReused"
		if got, err := item.ReadMessage(item.Notice(m)); err != nil || got.Type != m.Type {
			t.Errorf("got %+v, %v, want the notice", got, err)
		}
	}
}
