package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"apitoken/events/secret"
)

// object is a JSON object of the settings. It collects the faults of its members.
type object struct {
	members map[string]json.RawMessage
	read    map[string]bool
	faults  []error
}

// The problems of a JSON text. None repeats a part of it: the text may be a secret.
var (
	errNotJSON  = errors.New("is not valid JSON")
	errNoObject = errors.New("is no JSON object")
	errNoArray  = errors.New("is no JSON array")
)

// splitObject reads one object. encoding/json alone would accept a member that is given
// twice, and use the last one.
func splitObject(text []byte) (*object, error) {
	if !json.Valid(text) {
		return nil, errNotJSON
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil, errNoObject
	}
	o := &object{members: map[string]json.RawMessage{}, read: map[string]bool{}}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errNotJSON
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errNotJSON
		}
		key, _ := name.(string) // the name of a member is a string
		if _, twice := o.members[key]; twice {
			return nil, fmt.Errorf("has the member %s twice", secret.Quote(key))
		}
		o.members[key] = value
	}
	return o, nil
}

// splitArray returns the values of an array.
func splitArray(text string) (values []json.RawMessage, err error) {
	if !json.Valid([]byte(text)) {
		return nil, errNotJSON
	}
	if err := json.Unmarshal([]byte(text), &values); err != nil || values == nil {
		return nil, errNoArray
	}
	return values, nil
}

func (o *object) fault(member, problem string) {
	o.faults = append(o.faults, fmt.Errorf("%s %s", member, problem))
}

// text returns a member that is a string, "" if it is absent.
func (o *object) text(name string) string {
	var value *string
	o.decode(name, &value, "a string")
	if value == nil {
		return ""
	}
	return *value
}

// texts returns a member that is an array of strings.
func (o *object) texts(name string) []string {
	var value []string
	o.decode(name, &value, "an array of strings")
	return value
}

func (o *object) decode(name string, into any, want string) {
	o.read[name] = true
	raw, given := o.members[name]
	if !given {
		return
	}
	if string(raw) == "null" || json.Unmarshal(raw, into) != nil {
		o.fault(name, "has the wrong type; it must be "+want)
	}
}

// unknown returns the members that were not read, sorted.
func (o *object) unknown() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if !o.read[name] {
			names = append(names, name)
		}
	}
	return names
}
