package httpapi

import (
	"errors"
	"fmt"
)

// maxPages is the maximum number of pages that Pages reads. With pages of 1000
// entries it is more than the service can hold. A server whose pages never end
// must not keep a client busy for ever.
const maxPages = 10_000

var (
	errRepeats  = errors.New("its paging.next leads to a page that was read already")
	errNoCursor = errors.New("its paging.next has no parameter after")
	errEndless  = fmt.Errorf("its pages have no end: after %d pages there is still a paging.next", maxPages)
)

// Pages calls read for one page after the other, each time with the cursor of the
// page, until the page that is the last. The first cursor is "". A page without
// entries may have a next page. read may return the zero Paging to stop earlier.
// Pages returns the error of read, and an error if the pages of the service repeat
// or have no end.
func Pages(read func(after string) (Paging, error)) error {
	seen := map[string]bool{}
	after := ""
	for range maxPages {
		page, err := read(after)
		if err != nil {
			return err
		}
		seen[after] = true
		next := page.After()
		switch {
		case page.Next == "":
			return nil
		case next == "":
			return badPaging(errNoCursor)
		case seen[next]:
			return badPaging(errRepeats)
		}
		after = next
	}
	return badPaging(errEndless)
}

// checkMoves returns an error if the next page of an answer is the page itself.
func checkMoves(asked string, page Paging) error {
	if after := page.After(); after != "" && after == asked {
		return badPaging(errRepeats)
	}
	return nil
}

func badPaging(err error) error { return fmt.Errorf("reading the service's answer: %w", err) }
