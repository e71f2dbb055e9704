"""Starts MiniStack with the condition keys of DynamoDB and the method of APIs that it lacks.

MiniStack 1.5.33 compares the conditions of a role's policy, but it knows neither dynamodb:LeadingKeys nor the
attributes of writes. A role whose condition asks for them (Null) would be refused every call. This module adds both keys
as "Using IAM policy conditions for fine-grained access control" in the Amazon DynamoDB Developer Guide describes them. The
parts of a transaction are checked with the keys of all parts.

It also ignores x-amazon-apigateway-any-method in the definition of an API, which is the method ANY.
"""

import json
import re
import runpy

import denials  # noqa: F401  it changes the bodies of denied calls
import imports  # noqa: F401  it changes how MiniStack imports resources
from ministack.core import iam_actions
from ministack.services import apigateway_v1

PARTITION_KEYS = {None: "PK", "list": "list", "owner": "owner", "unsent": "unsent", "due": "due"}  # by index, as in template.yaml
KEYWORDS = {"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN"}

original = iam_actions.dynamodb_service_context


def context(body):
    found = original(body)
    try:
        data = json.loads(body or b"{}")
    except ValueError:
        return found
    keys, attributes = set(), set()
    for request in requests(data):
        names = request.get("ExpressionAttributeNames") or {}
        item = request.get("Item") or request.get("Key") or {}
        if "PK" in item:
            keys.add(item["PK"].get("S", ""))
        keys |= queried(request, names)
        if item or request.get("ProjectionExpression"):
            attributes |= set(item) | named(request, names)
    if keys:
        found["dynamodb:LeadingKeys"] = sorted(keys)
    if attributes:
        found["dynamodb:Attributes"] = sorted(attributes)
    return found


def requests(data):
    """The requests of one item, or of one query, that a call is made of."""
    yield data
    for part in data.get("TransactItems") or []:
        yield from part.values()
    for ask in (data.get("RequestItems") or {}).values():
        for key in ask.get("Keys", []) if isinstance(ask, dict) else []:
            yield {"Key": key}


def queried(request, names):
    partition = PARTITION_KEYS.get(request.get("IndexName"))
    found = re.findall(r"([#\w]+)\s*=\s*(:\w+)", request.get("KeyConditionExpression") or "")
    values = request.get("ExpressionAttributeValues") or {}
    return {values[value]["S"] for name, value in found if names.get(name, name) == partition}


def named(request, names):
    """The top-level attributes that the expressions of a write or of a Scan name."""
    expressions = ("UpdateExpression", "ConditionExpression", "ProjectionExpression", "FilterExpression")
    text = " ".join(request.get(e) or "" for e in expressions)
    words = re.findall(r"[.:]?[#A-Za-z_]\w*\(?", text)
    return {names.get(w, w) for w in words if w[0] not in ".:" and not w.endswith("(") and w.upper() not in KEYWORDS}


import_path_item = apigateway_v1._import_path_item


def with_any(api_id, path, path_item, *more):
    named = {"any" if m == "x-amazon-apigateway-any-method" else m: operation for m, operation in path_item.items()}
    import_path_item(api_id, path, named, *more)


iam_actions.dynamodb_service_context = context
apigateway_v1._import_path_item = with_any
apigateway_v1._OPENAPI_HTTP_METHODS.add("any")

if __name__ == "__main__":
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
