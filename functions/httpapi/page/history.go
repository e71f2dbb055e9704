package page

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"apitoken/events"
	"apitoken/functions/httpapi"
)

// historyPage is one page of the history of a token, the oldest record first.
type historyPage struct {
	Entry httpapi.Entry
	Rows  []historyRow
	All   bool   // every row is verified
	Next  string // the address of the next page, "" at the end
}

// historyRow is one record. Verified says that its hash fits to all its members. The
// service itself has checked the MAC before it answered.
type historyRow struct {
	events.Message
	Word     string
	Verified bool
	JSON     string
}

// words for the facts. A fact without a word has its own name.
var historyWords = map[string]string{
	"TokenCreated": "Created", "TokenUpdated": "Changed", "TokenDisabled": "Disabled", "TokenEnabled": "Enabled",
	"TokenRotated": "Rotated", "TokenRevoked": "Revoked", "TokenExpired": "Expired",
	"SessionOpened": "Signed in", "SessionClosed": "Signed out", "UserSuspended": "User suspended", "UserReinstated": "User reinstated",
}

func (v *visit) showHistory() error {
	e, err := v.entry()
	if err != nil {
		return err
	}
	page, err := v.api.TokenEvents(v.context(), e.ID, httpapi.HistoryQuery{After: v.r.URL.Query().Get("after"), Limit: pageSize})
	if err != nil {
		return err
	}
	body := historyPage{Entry: e, All: true}
	for _, entry := range page.Entries {
		row := historyRowOf(entry)
		body.All = body.All && row.Verified
		body.Rows = append(body.Rows, row)
	}
	if after := page.Paging.After; after != "" {
		body.Next = "history?" + url.Values{"id": {e.ID}, "after": {after}}.Encode()
	}
	v.render(http.StatusOK, "history", view{Title: "History of " + e.Name, Body: body})
	return nil
}

func historyRowOf(entry json.RawMessage) historyRow {
	row := historyRow{JSON: indented(entry)}
	m, err := events.ParseDetail(entry)
	if err != nil {
		row.Word = "A record that cannot be read"
		return row
	}
	row.Message, row.Word = m, historyWords[m.Type]
	if row.Word == "" {
		row.Word = m.Type
	}
	row.Verified = events.VerifyMessages(m.Prev, []events.Message{m}) == nil
	return row
}

func indented(entry json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, entry, "", "  ") != nil {
		return strings.ToValidUTF8(string(entry), "?")
	}
	return b.String()
}
