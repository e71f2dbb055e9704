package attack

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"apitoken/events"
	"apitoken/localstack/longtest"
)

var (
	steps = flag.Int("attack.steps", longtest.Amount(2000, 10_000), "steps of the random attacker on DynamoDB Local")
	seed  = flag.Uint64("attack.seed", 0, "seed of the random attacker; 0: a new one")
)

// boltSteps are the steps on the embedded store.
const boltSteps = 1000

// tables is the number of tables that the random attacker attacks at the same
// time. Each has its own service.
const tables = 8

// TestNoTokenGainsUnderARandomAttacker: attacks, calls of users and repairs come
// in random order. No token gains life, scope, range or owner.
func TestNoTokenGainsUnderARandomAttacker(t *testing.T) {
	first := cmp.Or(*seed, rand.Uint64())
	t.Logf("-attack.seed=%d", first)
	t.Run("bolt", func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, first) // the keys of indexes have ids of tokens
		newProcess(t, newBolt, first).run(boltSteps)
	})
	for n := range uint64(tables) {
		t.Run(fmt.Sprintf("dynamo %d", n), func(t *testing.T) {
			t.Parallel()
			newProcess(t, newDynamo, first+n).run(*steps / tables)
		})
	}
}

// process is the random attacker, with users and an operator who repairs.
type process struct {
	*scene
	*rand.Rand
	attacked map[place]damage
	counts   map[string]int
}

// damage is an item before an attack and after it. The service may have written
// the item since; then it needs no repair.
type damage struct {
	what           string
	genuine, after item
}

func newProcess(t *testing.T, open func(testing.TB) victim, seed uint64) *process {
	return newProcessOn(newScene(t, open), seed)
}

func newProcessOn(s *scene, seed uint64) *process {
	s.openSessions()
	// The end of the first one is that of its token, which these users do not follow.
	s.opened = s.opened[1:]
	return &process{s, rand.New(rand.NewPCG(seed, 1)), map[place]damage{}, map[string]int{}}
}

func (p *process) run(steps int) {
	p.Helper()
	began := time.Now()
	for n := range steps {
		if p.Failed() {
			p.Fatalf("stopped at step %d; the attacks since the last repair: %v", n, p.attacks())
		}
		p.step(n)
	}
	p.repairAll()
	p.expectTruth("after the last repair")
	p.Logf("%d steps in %v: %v", steps, time.Since(began).Round(time.Millisecond), p.counts)
}

func (p *process) attacks() (all []string) {
	for at, d := range p.attacked {
		all = append(all, fmt.Sprintf("%s at %q %q", d.what, at.space, at.key))
	}
	return all
}

// step is one attack, one call, or the repair of all attacks.
func (p *process) step(n int) {
	p.Helper()
	if n%50 == 0 {
		p.rememberGenuine()
	}
	kinds := []struct {
		name   string
		weight int
		do     func()
	}{
		{"attack", 35, p.attack}, {"authorize", 28, p.authorize}, {"create", 10, p.tryCreate}, {"sign in", 2, p.trySignIn}, {"revoke", 8, p.tryRevoke},
		{"get", 6, p.get}, {"list", 2, p.list}, {"wait", 2, p.wait}, {"repair", 7, p.repairAll},
	}
	at := p.IntN(100)
	for _, k := range kinds {
		if at -= k.weight; at < 0 {
			p.counts[k.name]++
			k.do()
			return
		}
	}
}

// rememberGenuine adds the items to past that no attack has changed.
func (p *process) rememberGenuine() {
	for at, i := range p.victim.items(p) {
		_, attacked := p.attacked[at]
		if known := p.past[at]; !attacked && (len(known) == 0 || !reflect.DeepEqual(known[len(known)-1], i)) {
			p.past[at] = append(known, i)
		}
	}
	p.restart()
}

func pick[T any](p *process, list []T) T { return list[p.IntN(len(list))] }

// attack changes one item. In each stream only one head or record is changed at a
// time: with more, a whole older stream could come together, which only the
// comparison finds.
func (p *process) attack() {
	p.Helper()
	at := p.target()
	if _, twice := p.attacked[at]; twice || p.streamAttacked(at) {
		return
	}
	genuine := p.victim.item(p, at)
	what, after := p.damaged(at, genuine)
	if what == "plant" {
		at = p.newPlace(at)
		if _, twice := p.attacked[at]; twice || p.streamAttacked(at) {
			return
		}
		after, genuine = genuine, p.victim.item(p, at)
	}
	if reflect.DeepEqual(after, genuine) || !p.victim.put(p, at, after) {
		return
	}
	if after = p.victim.item(p, at); reflect.DeepEqual(after, genuine) { // as the engine has stored it
		return
	}
	p.counts["changed "+string(p.victim.kind(at))]++
	p.attacked[at] = damage{what, genuine, after}
	p.restart()
}

// target returns a place that has an item or had one: often a view or a head,
// seldom an entry of an index.
func (p *process) target() place {
	k := pick(p, []kind{view, view, view, view, head, head, record, use, other})
	var places []place
	for _, at := range p.places() {
		if p.victim.kind(at) == k {
			places = append(places, at)
		}
	}
	if len(places) == 0 {
		return p.victim.head(ann)
	}
	return pick(p, places)
}

// places returns all places in an order that depends on the seed only: the ids of
// tokens are random.
func (p *process) places() []place {
	made := map[place]int{}
	for n, h := range p.all() {
		made[p.victim.view(h.id)], made[p.victim.use(h.id)] = n, n
	}
	all := sorted(p.past)
	slices.SortStableFunc(all, func(a, b place) int {
		return cmp.Or(cmp.Compare(p.victim.kind(a), p.victim.kind(b)), cmp.Compare(made[a], made[b]))
	})
	return all
}

// damaged returns an item with a random change. For a plant it is a whole copy at
// another place.
func (p *process) damaged(at place, i item) (what string, after item) {
	older := p.older(at, i)
	switch n := p.IntN(10); {
	case i == nil:
		return "put back", pick(p, p.past[at])
	case n < 5:
		return p.changed(at, i, older)
	case n < 6 && p.victim.kind(at) != other:
		return "plant", nil
	case n < 7:
		return "removed", nil
	case n < 9 && len(older) > 0:
		return "put back", pick(p, older)
	}
	return "copied", p.another(at)
}

// changed changes one or two members.
func (p *process) changed(at place, i item, older []item) (string, item) {
	cs := changesOf(i, older, []item{p.another(at)})
	if len(cs) == 0 {
		return "unchanged", i
	}
	c := pick(p, cs)
	after := i.with(c)
	if p.IntN(2) == 0 {
		d := pick(p, cs)
		return fmt.Sprintf("%s and %s", c, d), after.with(d)
	}
	return c.String(), after
}

// another returns the first state of another item of the same kind.
func (p *process) another(at place) item {
	same := slices.DeleteFunc(p.places(), func(q place) bool { return q == at || p.victim.kind(q) != p.victim.kind(at) })
	if len(same) == 0 {
		return p.past[at][0]
	}
	return p.past[pick(p, same)][0]
}

// streamAttacked reports whether a head or a record is in a stream with an attack
// on another head or record.
func (p *process) streamAttacked(at place) bool {
	stream, ok := p.streamOf(at)
	if !ok {
		return false
	}
	for other := range p.attacked {
		if s, ok := p.streamOf(other); ok && s == stream {
			return true
		}
	}
	return false
}

// streams are the streams that the process uses. Nothing has ever written the last.
var streams = []events.Stream{ann, bob, "user/evan", "user/admin", "user/carl", sue, "session/sue", annSessions, bobSessions, events.SettingsStream, "user/zoe"}

func (p *process) streamOf(at place) (events.Stream, bool) {
	if k := p.victim.kind(at); k != head && k != record {
		return "", false
	}
	for _, s := range streams {
		if at == p.victim.head(s) {
			return s, true
		}
		for seq := range uint64(len(p.past)) {
			if at == p.victim.record(s, seq+1) {
				return s, true
			}
		}
	}
	return "", false
}

// newPlace returns where a copy of an item is planted: the next record of a
// stream, the head of a new user, a view of a new token.
func (p *process) newPlace(at place) place {
	switch p.victim.kind(at) {
	case head:
		return p.victim.head("user/zoe")
	case record:
		s := pick(p, streams)
		h, err := p.victim.service(p).Head(p.Context(), s)
		if err != nil {
			return at
		}
		return p.victim.record(s, h.Version+1)
	case use:
		return p.victim.use(pick(p, p.held).id)
	}
	return p.victim.view(forged.ID)
}
