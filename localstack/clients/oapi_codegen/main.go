// Command client uses the Go client that oapi-codegen makes. See clients_test.go for
// what it must print.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"client/api"
)

var ctx = context.Background()

// connect returns a client that shows the token.
func connect(token string) *api.ClientWithResponses {
	show := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	return must(api.NewClientWithResponses(os.Getenv("APITOKEN_URL"), api.WithRequestEditorFn(show)))
}

func main() {
	owner, limit, day := os.Args[1], 1, "1D"
	client := connect(os.Getenv("APITOKEN_TOKEN"))
	var made []*api.CreatedToken
	for _, name := range []string{"first", "second"} {
		body := api.CreateRequest{User: &api.IdentityRequest{Name: &owner}, Name: &name, ExpiresIn: &day}
		made = append(made, must(client.CreateTokenWithResponse(ctx, nil, body)).JSON200)
	}
	fmt.Println("created", made[0].Id, made[1].Id)
	fmt.Println("caller", must(connect(made[0].BearerToken).WhoAmIWithResponse(ctx)).JSON200.Name)
	must(client.RevokeTokenWithResponse(ctx, made[1].Id, nil))

	query := api.ListTokensParams{User: &owner, State: &api.TokenStates{api.Active, api.Revoked}, Limit: &limit}
	page := must(client.ListTokensWithResponse(ctx, &query)).JSON200
	query.After = &page.Paging.After
	rest := must(client.ListTokensWithResponse(ctx, &query)).JSON200
	for _, token := range append(page.Entries, rest.Entries...) {
		fmt.Println("listed", token.Id, token.Name, token.State)
	}
	fmt.Println("more", len(rest.Paging.After))

	limit = 2
	records := must(client.ListUserHistoryWithResponse(ctx, owner, &api.ListUserHistoryParams{Limit: &limit})).JSON200
	others := must(client.ListUserHistoryWithResponse(ctx, owner, &api.ListUserHistoryParams{After: &records.Paging.After})).JSON200
	fmt.Println("records", len(records.Entries)+len(others.Entries))

	must(client.RevokeTokenWithResponse(ctx, made[0].Id, nil))
	fmt.Println("then", must(client.GetTokenWithResponse(ctx, made[0].Id, nil)).ApplicationproblemJSON404.Code)
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
