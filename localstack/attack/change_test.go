package attack

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"apitoken/events/instant"
)

// change is a change of one member of an item.
type change struct {
	what, member string
	value        any
}

func (c change) String() string { return c.what + " " + c.member }

// removed is the value of a member that is removed.
var removed any = &struct{ string }{"removed"}

// changesOf returns all changes of one member at a time: removed, empty, another
// value, another type, the value of an older state, the value of another item.
// Members that only the older states or the other items have are added.
func changesOf(i item, older, others []item) (cs []change) {
	for _, member := range slices.Sorted(maps.Keys(i)) {
		cs = append(cs, change{"without", member, removed})
		for _, v := range variants(i[member]) {
			cs = append(cs, change{"with " + v.what, member, v.value})
		}
	}
	cs = append(cs, valuesOf("with an older", older)...)
	cs = append(cs, valuesOf("with another item's", others)...)
	return slices.DeleteFunc(cs, func(c change) bool { return reflect.DeepEqual(i.with(c), i) })
}

// valuesOf returns each value that the items have for each of their members once.
func valuesOf(what string, items []item) (cs []change) {
	for _, i := range items {
		for _, member := range slices.Sorted(maps.Keys(i)) {
			c := change{what, member, i[member]}
			if !slices.ContainsFunc(cs, func(d change) bool { return reflect.DeepEqual(c, d) }) {
				cs = append(cs, c)
			}
		}
	}
	return cs
}

// pairChanges returns the changes of a member for pairs: removed, an older value,
// another value.
func pairChanges(i item, member string, older []item) []change {
	cs := []change{{"without", member, removed}, {"with another", member, variants(i[member])[0].value}}
	for _, o := range older {
		if v, has := o[member]; has && !reflect.DeepEqual(v, i[member]) {
			cs = append(cs, change{"with an older", member, v})
		}
	}
	return cs
}

type variant struct {
	what  string
	value any
}

const year = 365 * 24 * time.Hour

// variants returns other values for a value. The first has the same type.
func variants(value any) []variant {
	null := variant{"null as", nil}
	switch v := value.(type) {
	case string:
		vs := []variant{{"a longer", v + "x"}, {"an empty", ""}, {"bytes as", []byte(v)}, null}
		if at, err := instant.ParseFormatted(v); err == nil {
			vs = append([]variant{{"a later", instant.Format(at.Add(time.Microsecond))}, {"a much later", instant.Format(at.Add(year))}}, vs...)
		}
		return vs
	case []byte:
		return []variant{{"the last bit flipped of", flipped(v, len(v)-1)}, {"the first bit flipped of", flipped(v, 0)}, {"no bytes as", []byte{}}, {"a text as", hex.EncodeToString(v)}, null}
	case number:
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			panic(err)
		}
		add := func(d int64) number { return number(strconv.FormatInt(n+d, 10)) }
		return []variant{{"one more as", add(1)}, {"one less as", add(-1)}, {"a year more as", add(int64(year / time.Second))}, {"zero as", number("0")}, {"a text as", string(v)}, null}
	case uint64:
		return []variant{{"one more as", v + 1}, {"one less as", v - 1}, {"a year more as", v + uint64(year/time.Microsecond)}, {"zero as", uint64(0)}, {"a text as", fmt.Sprint(v)}, null}
	case int64:
		return []variant{{"one more as", v + 1}, {"zero as", uint64(0)}, {"a text as", fmt.Sprint(v)}, null}
	case bool:
		return []variant{{"the opposite of", !v}, {"a text as", fmt.Sprint(v)}, null}
	case nil:
		return []variant{{"a text for", "x"}, {"true for", true}}
	case []any:
		return listVariants(v)
	case map[string]any:
		vs := []variant{{"no members of", map[string]any{}}, {"a text as", "x"}, null}
		for _, c := range changesOf(v, nil, nil) {
			vs = append(vs, variant{c.String() + " of", map[string]any(item(v).with(c))})
		}
		return vs
	}
	panic(fmt.Sprintf("attack: a value has the unknown type %T", value))
}

func listVariants(v []any) []variant {
	if len(v) == 0 {
		return []variant{{"an element more of", []any{"x"}}, {"a text as", "x"}, {"null as", nil}}
	}
	reversed := slices.Clone(v)
	slices.Reverse(reversed)
	vs := []variant{
		{"the last element less of", v[:len(v)-1]}, {"the first element less of", v[1:]}, {"the last element twice in", append(slices.Clone(v), v[len(v)-1])},
		{"the reverse order of", reversed}, {"no elements of", []any{}}, {"a text as", "x"}, {"null as", nil},
	}
	for n, element := range v {
		for _, inner := range variants(element) {
			changed := slices.Clone(v)
			changed[n] = inner.value
			vs = append(vs, variant{fmt.Sprintf("%s element %d of", inner.what, n), changed})
		}
	}
	return vs
}

func flipped(b []byte, at int) []byte {
	if len(b) == 0 {
		return []byte{1}
	}
	changed := bytes.Clone(b)
	changed[at] ^= 1
	return changed
}
