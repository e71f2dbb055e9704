"""Lets MiniStack write the authorizer's context into the answer of a denied call.

MiniStack 1.5.33 leaves $context.authorizer.KEY in the body of a gateway response as it is. API Gateway replaces it by the
member of the context of the authorizer's answer, also of a Deny ("Gateway responses for REST APIs" and "Output from an API
Gateway Lambda authorizer" in its Developer Guide). A member that is missing becomes nothing.
"""

import contextvars
import re

from ministack.services import apigateway_v1

VARIABLE = re.compile(rb"\$context\.authorizer\.(\w+)")

latest = contextvars.ContextVar("context of the authorizer's answer", default={})
stringify, respond = apigateway_v1._stringify_context, apigateway_v1._gateway_error_response


def noted(context):
    """MiniStack reads the context of each answer with this function, before it evaluates the policy."""
    found = stringify(context)
    latest.set(dict(found))
    return found


def answered(error, request):
    status, headers, body = respond(error, request)
    if error.response_type == "ACCESS_DENIED":
        body = VARIABLE.sub(lambda variable: latest.get().get(variable[1].decode(), "").encode(), body)
    return status, headers, body


apigateway_v1._stringify_context = noted
apigateway_v1._gateway_error_response = answered
