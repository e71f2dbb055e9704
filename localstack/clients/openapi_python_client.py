"""Uses the client that openapi-python-client makes. See clients_test.go for what it must print."""

import os
import sys

from opc_client import AuthenticatedClient
from opc_client.api.checking import who_am_i
from opc_client.api.history import list_user_history
from opc_client.api.tokens import create_token, get_token, list_tokens, revoke_token
from opc_client.models import CreateRequest, IdentityRequest, TokenState

owner = sys.argv[1]


def connect(token):
    return AuthenticatedClient(base_url=os.environ["APITOKEN_URL"], token=token)


client = connect(os.environ["APITOKEN_TOKEN"])
made = [
    create_token.sync(
        client=client, body=CreateRequest(user=IdentityRequest(name=owner), name=name, expires_in="1D")
    )
    for name in ("first", "second")
]
print("created", *[token.id for token in made])
print("caller", who_am_i.sync(client=connect(made[0].bearer_token)).name)
revoke_token.sync(made[1].id, client=client)

wanted = {"client": client, "user": owner, "state": [TokenState.ACTIVE, TokenState.REVOKED], "limit": 1}
page = list_tokens.sync(**wanted)
rest = list_tokens.sync(**wanted, after=page.paging.after)
for token in page.entries + rest.entries:
    print("listed", token.id, token.name, token.state)
print("more", len(rest.paging.after))

records = list_user_history.sync(owner, client=client, limit=2)
others = list_user_history.sync(owner, client=client, after=records.paging.after)
print("records", len(records.entries + others.entries))

revoke_token.sync(made[0].id, client=client)
print("then", get_token.sync(made[0].id, client=client).code)
