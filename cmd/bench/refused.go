package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/bolt"
)

const (
	refusedBudget = 1.1
	refusals      = 1500 // for each of the two users in a round
)

// refused compares the times of two creates over HTTP that are refused, because
// the caller may not make tokens for other users: for a user with five large
// tokens, and for an absent user. The ratio shows whether the time of the answer
// reveals what the other user has. Slower and faster are equally bad.
func refused(f folder, report func(budget), rounds int) error {
	store, err := bolt.Open(f.file(), bolt.Options{NoSync: true})
	if err != nil {
		return err
	}
	h, i := f.api(store, io.Discard)
	caller, err := fillUsers(i)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	s, err := listen(h)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	var all []float64
	for range rounds {
		r, roundErr := refusedRatio(s.url, caller)
		err = errors.Join(err, roundErr)
		all = append(all, max(r, 1/r))
	}
	s.srv.Close()
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	report(budget{"refused create: for a user with five large tokens / an absent user, time", median(all), refusedBudget, false, "x"})
	return nil
}

// fillUsers gives the user large five tokens of the largest size, and returns a
// token of a caller without permissions.
func fillUsers(i *issuer.Issuer) (caller string, err error) {
	ctx := context.Background()
	wish := token.Wish{
		Name: strings.Repeat("n", token.MaxName), Description: strings.Repeat("d", token.MaxDescription),
		Scopes: slices.Repeat([]string{"GET /" + strings.Repeat("s", token.MaxScope-len("GET /"))}, token.MaxScopes),
	}
	for range perOwner {
		if _, _, err := i.Create(ctx, guard.Principal{Owner: "large"}, "", wish); err != nil {
			return "", err
		}
	}
	_, text, err := i.Create(ctx, guard.Principal{Owner: "caller"}, "", token.Wish{})
	return text.Reveal(), err
}

// refusedRatio asks for both users in turns, so that a change of the machine's
// speed meets both, and returns the ratio of the medians.
func refusedRatio(url, caller string) (float64, error) {
	hc := &http.Client{Transport: &http.Transport{}}
	defer hc.CloseIdleConnections()
	var times [2][]float64
	for n := range 2 * refusals {
		user := n % 2
		took, err := refusedTime(hc, url, caller, []string{"large", "absent"}[user])
		if err != nil {
			return 0, err
		}
		times[user] = append(times[user], took)
	}
	return median(times[0]) / median(times[1]), nil
}

func refusedTime(hc *http.Client, url, caller, user string) (ns float64, err error) {
	req, err := http.NewRequest(http.MethodPost, url+"/v1/auth/access-tokens/", strings.NewReader(fmt.Sprintf(`{"user":{"name":%q}}`, user)))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+caller)
	start := time.Now()
	resp, err := hc.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, err
	}
	took := float64(time.Since(start))
	if resp.StatusCode != http.StatusForbidden {
		return 0, fmt.Errorf("a create for %s answered %s, want 403", user, resp.Status)
	}
	return took, nil
}
