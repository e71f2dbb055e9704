package item

import (
	"encoding/json"
	"time"

	"apitoken/events"
)

// sessionFields are the fields of a view that only a session has, in one attribute: the
// list index and the owner index have room for one more (DynamoDB allows 20).
type sessionFields struct {
	Kind        string   `json:"k,omitempty"`
	Via         string   `json:"v,omitempty"`
	Permissions []string `json:"p,omitempty"`
	MakesUntil  string   `json:"m,omitempty"` // in the form of Time
	From        string   `json:"f,omitempty"`
	UI          bool     `json:"u,omitempty"`
}

// putSession writes nothing for a token.
func putSession(it Item, v events.View) {
	f := sessionFields{Kind: v.Kind, Via: v.Via, Permissions: v.Permissions, From: v.From, UI: v.UI}
	if !v.MakesUntil.IsZero() {
		f.MakesUntil = Time(v.MakesUntil)
	}
	if b, _ := json.Marshal(f); string(b) != "{}" { // its error is always nil
		putText(it, viewSession, string(b))
	}
}

func (r *reader) session(v *events.View) {
	encoded := r.text(viewSession)
	if encoded == "" {
		return
	}
	var f sessionFields
	if err := json.Unmarshal([]byte(encoded), &f); err != nil {
		r.fail(viewSession, err)
		return
	}
	v.Kind, v.Via, v.Permissions, v.From, v.UI = f.Kind, f.Via, f.Permissions, f.From, f.UI
	if f.MakesUntil != "" {
		var err error
		if v.MakesUntil, err = ParseTime(f.MakesUntil); err != nil {
			v.MakesUntil = time.Time{}
			r.fail(viewSession, err)
		}
	}
}
