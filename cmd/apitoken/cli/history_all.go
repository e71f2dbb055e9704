package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/functions/httpapi"
)

// runAll reads the events of all users and of the settings.
func (o *history) runAll(ctx context.Context, e *console.Env, client *httpapi.Client) error {
	progress := e.StartProgress()
	read, damaged := 0, []string{}
	out := o.newPrinter(e, progress)
	err := eachPage(ctx, client, func(page httpapi.EventsPage) error {
		damaged = append(damaged, page.Damaged...)
		read += len(page.Entries)
		progress.Showf("events read: %d", read)
		return out.add(page.Entries)
	})
	if err == nil {
		err = out.end()
	}
	progress.End()
	switch {
	case err != nil:
		return access.Explain(err)
	case read == 0 && o.output != "json" && o.output != "csv":
		e.Messagef("there are no events")
	}
	return damage(damaged)
}

// eachPage calls f for each page of the events of all users.
func eachPage(ctx context.Context, client *httpapi.Client, f func(httpapi.EventsPage) error) error {
	return httpapi.Pages(func(after string) (httpapi.Paging, error) {
		page, err := client.AllEvents(ctx, httpapi.HistoryQuery{After: after, Limit: maxPage})
		if err == nil {
			err = f(page)
		}
		return page.Paging, err
	})
}

// maxNamed is the number of damaged events that an error names.
const maxNamed = 10

// damage is the error about events that the service left out.
func damage(ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	more := ""
	if len(ids) > maxNamed {
		more = fmt.Sprintf(" and %d more", len(ids)-maxNamed)
	}
	return fmt.Errorf(`%d events are missing from this history, because something other than the service changed them: %s%s; an operator finds out more with "apitoken audit verify"`,
		len(ids), console.Plain(strings.Join(ids[:min(len(ids), maxNamed)], ", ")), more)
}

// allPrinter prints events. It prints text, csv and json at once, because the events
// of all users may be more than fit into the memory. The box of a table needs the
// width of all cells.
type allPrinter struct {
	e        *console.Env
	progress *console.Progress
	output   string
	list     *console.JSONList
	table    console.Table
	begun    bool
}

func (o *history) newPrinter(e *console.Env, progress *console.Progress) *allPrinter {
	return &allPrinter{
		e: e, progress: progress, output: o.output, list: console.NewJSONList(progress),
		table: console.Table{Heads: append([]string{"STREAM"}, historyHeads...)},
	}
}

func (p *allPrinter) add(entries []json.RawMessage) error {
	if p.output == "json" {
		for _, entry := range entries {
			if err := p.list.Add(entry); err != nil {
				return err
			}
		}
		return nil
	}
	for _, entry := range entries {
		m, err := events.ParseDetail(entry)
		if err != nil {
			return fmt.Errorf("reading the service's answer: %w", err)
		}
		p.table.Rows = append(p.table.Rows, append([]any{string(m.Stream)}, historyRow(m)...))
	}
	if p.output == "table" {
		return nil
	}
	err := console.PrintPart(p.progress, p.output, p.table, !p.begun)
	p.begun, p.table.Rows = true, nil
	return err
}

func (p *allPrinter) end() error {
	switch {
	case p.output == "json":
		return p.list.End()
	case p.output == "table" && len(p.table.Rows) > 0:
		p.progress.End()
		return p.e.PrintTable(p.output, p.table)
	}
	return nil
}

// allCheck verifies the events of all streams, one stream after the other.
type allCheck struct {
	stream  *historyCheck
	seen    map[events.Stream]bool
	count   int
	trimmed int // streams whose first event is not in the history
}

// allVerified is the result of a verification, for --output json.
type allVerified struct {
	Verified int  `json:"verified"` // events
	Streams  int  `json:"streams"`
	Trimmed  int  `json:"trimmed_streams"` // that begin later than with their event 1
	Chain    bool `json:"chain"`           // each event follows the one before in its stream
}

func (o *history) runVerifyAll(ctx context.Context, e *console.Env, client *httpapi.Client) error {
	c := &allCheck{seen: map[events.Stream]bool{}}
	progress := e.StartProgress()
	err := eachPage(ctx, client, func(page httpapi.EventsPage) error {
		if err := damage(page.Damaged); err != nil {
			return err
		}
		progress.Showf("events verified: %d", c.count)
		return c.addAll(page.Entries)
	})
	progress.End()
	if err != nil {
		return access.Explain(err)
	}
	return c.print(e, o.output)
}

func (c *allCheck) addAll(entries []json.RawMessage) error {
	return verifyAll(entries, c.add, &c.count)
}

func (c *allCheck) add(m events.Message) error {
	if c.stream == nil || c.stream.stream != m.Stream {
		if c.seen[m.Stream] {
			return errors.New("record " + m.ID + " is among the records of another stream")
		}
		c.seen[m.Stream] = true
		c.stream = &historyCheck{whole: true, stream: m.Stream}
		if m.Seq > 1 {
			c.trimmed++
		}
	}
	if err := c.stream.add(m); err != nil {
		return err
	}
	c.count++
	return nil
}

// print prints the result, and says what it does not show.
func (c *allCheck) print(e *console.Env, output string) error {
	if c.count == 0 {
		e.Messagef("there are no events to verify")
	}
	if output == "json" { // also without events: a script reads the number
		return console.PrintJSON(e.Out, allVerified{Verified: c.count, Streams: len(c.seen), Trimmed: c.trimmed, Chain: true})
	}
	if c.count == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(e.Out, "%s of %s verified: each hash matches its event, and each event follows the one before in its stream\n", console.Count(c.count, "event"), console.Count(len(c.seen), "stream")); err != nil {
		return err
	}
	if c.trimmed > 0 {
		e.Messagef("%d streams begin later than with their event 1: their first events are past their retention, or were removed", c.trimmed)
	}
	e.Messagef("not verified: that the service wrote the events (apitoken audit verify checks their MACs with the peppers), and that none is missing at the end of a stream, and no whole stream")
	return nil
}
