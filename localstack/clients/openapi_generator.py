"""Uses the Python client that openapi-generator makes. See clients_test.go for what it must print."""

import os
import sys

from og_client import ApiClient, CheckingApi, Configuration, CreateRequest, HistoryApi, IdentityRequest, TokensApi
from og_client import TokenState
from og_client.exceptions import NotFoundException

owner = sys.argv[1]


def connect(token):
    return ApiClient(Configuration(host=os.environ["APITOKEN_URL"], access_token=token))


client = connect(os.environ["APITOKEN_TOKEN"])
tokens = TokensApi(client)
made = [
    tokens.create_token(create_request=CreateRequest(user=IdentityRequest(name=owner), name=name, expires_in="1D"))
    for name in ("first", "second")
]
print("created", *[token.id for token in made])
print("caller", CheckingApi(connect(made[0].bearer_token)).who_am_i().name)
tokens.revoke_token(made[1].id)

states = [TokenState.ACTIVE, TokenState.REVOKED]
page = tokens.list_tokens(user=owner, state=states, limit=1)
rest = tokens.list_tokens(user=owner, state=states, limit=1, after=page.paging.after)
for token in page.entries + rest.entries:
    print("listed", token.id, token.name, token.state.value)
print("more", len(rest.paging.after))

history = HistoryApi(client)
records = history.list_user_history(owner, limit=2)
print("records", len(records.entries + history.list_user_history(owner, after=records.paging.after).entries))

tokens.revoke_token(made[0].id)
try:
    tokens.get_token(made[0].id)
except NotFoundException as refusal:
    print("then", refusal.data.code.value)
