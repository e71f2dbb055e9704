"""Asks the service as a program with Authlib does, and checks every answer. Prints ok.

The arguments are the URL of the service and its certificate. Standard input has the tokens as JSON.
"""

import json
import sys

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6750 import InsufficientScopeError, InvalidTokenError
from authlib.oauth2.rfc7662 import IntrospectTokenValidator

url, certificate = sys.argv[1:]
given = json.load(sys.stdin)
INTROSPECT, REVOKE, WHO = (url + path for path in ("/v1/oauth/introspect", "/v1/oauth/revoke", "/v1/session/who-am-i"))
INACTIVE = {"active": False}


def session(secret, method="client_secret_basic"):
    s = OAuth2Session("resource server", secret, token_endpoint_auth_method=method, revocation_endpoint_auth_method=method)
    s.verify = certificate
    return s


def introspect(token, secret=given["gateway"], body=None, **kwargs):
    r = session(secret, **kwargs).introspect_token(INTROSPECT, token=token, token_type_hint="access_token", body=body)
    assert r.headers["cache-control"] == "no-store", r.headers
    return r.status_code, r.json()


def equal(got, want):
    assert got == want, f"got {got}, want {want}"


# A resource server introspects.
for method in ("client_secret_basic", "client_secret_post"):
    status, answer = introspect(given["scoped"], method=method)
    equal((status, answer), (200, given["expected"]))
equal(introspect(given["ranged"]), (200, INACTIVE))
equal(introspect(given["ranged"], body="source_ip=203.0.113.9"), (200, INACTIVE))
equal(introspect(given["ranged"], body="source_ip=192.0.2.7")[1]["active"], True)
equal(introspect("hello"), (200, INACTIVE))

# A caller without the permission gets one error for every token. A client that is wrong is no client.
stranger = {}
for token in (given["scoped"], "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F", "hello"):
    status, answer = introspect(token, secret=given["stranger"])
    answer.pop("request_id")
    stranger = stranger or answer
    equal((status, answer["error"], answer), (403, "insufficient_scope", stranger))
equal(introspect(given["scoped"], secret="hunter2")[1]["error"], "invalid_client")
equal(introspect("")[1]["error"], "invalid_request")


class Validator(IntrospectTokenValidator):
    """What protects a call of a resource server."""

    def introspect_token(self, token_string):
        return introspect(token_string)[1]


validator = Validator()


def admits(token, scope):
    try:
        validator.validate_token(validator.authenticate_token(token), [scope], None)
    except (InvalidTokenError, InsufficientScopeError) as e:
        assert isinstance(e, OAuth2Error)
        return e.error
    return ""


equal(admits(given["scoped"], "GET:/v1/things/*"), "")
equal(admits(given["scoped"], "DELETE:/v1/things/*"), "insufficient_scope")
equal(admits("hello", "GET:/v1/things/*"), "invalid_token")


# A client revokes. It has no credential of its own here.
def passes(token):
    s = OAuth2Session(token={"access_token": token, "token_type": "Bearer"})
    s.verify = certificate
    return s.get(WHO).status_code


equal((passes(given["outgoing"]), passes(given["current"])), (200, 200))
for token in (given["outgoing"], given["outgoing"], "hello"):
    r = session("no secret of this service").revoke_token(REVOKE, token=token, token_type_hint="refresh_token")
    equal((r.status_code, r.json()), (200, {}))
equal((passes(given["outgoing"]), passes(given["current"])), (401, 200))
r = session("", method="none").revoke_token(REVOKE, token=given["current"])
equal((r.status_code, r.json(), passes(given["current"])), (200, {}, 401))
equal(introspect(given["current"]), (200, INACTIVE))
r = session("").revoke_token(REVOKE, token="")
equal((r.status_code, r.json()["error"]), (400, "invalid_request"))
print("ok")
