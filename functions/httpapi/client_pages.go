package httpapi

import (
	"errors"
	"fmt"
)

// maxPages is the maximum number of pages that Pages reads. With pages of 1000
// entries it is more than the service can hold. A server whose pages never end
// must not keep a client busy for ever.
const maxPages = 100_000

var (
	errRepeats  = errors.New("its paging.after leads to a page that was read already")
	errNoCursor = errors.New("its paging has a next page and no after")
	errEndless  = fmt.Errorf("its pages have no end: after %d pages there is still a paging.after", maxPages)
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
		switch {
		case page.Next != "" && page.After == "":
			return badPaging(errNoCursor)
		case page.After == "":
			return nil
		case seen[page.After]:
			return badPaging(errRepeats)
		}
		after = page.After
	}
	return badPaging(errEndless)
}

// checkMoves returns an error if the next page of an answer is the page itself.
func checkMoves(asked string, page Paging) error {
	if page.After != "" && page.After == asked {
		return badPaging(errRepeats)
	}
	return nil
}

func badPaging(err error) error { return fmt.Errorf("reading the service's answer: %w", err) }
