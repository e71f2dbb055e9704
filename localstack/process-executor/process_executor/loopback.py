"""LocalStack's web server, on 127.0.0.1 only.

For IPv4 LocalStack ignores the host in GATEWAY_LISTEN and listens on all interfaces. Our executor runs functions as
processes of the host, so every machine of the network could then run programs here.
"""

from functools import partial
from unittest.mock import patch

from localstack.runtime.server.twisted import TwistedRuntimeServer
from twisted.internet import endpoints


class LoopbackServer(TwistedRuntimeServer):
    def register(self, *args, **kwargs):
        bound = partial(endpoints.TCP4ServerEndpoint, interface="127.0.0.1")
        with patch.object(endpoints, "TCP4ServerEndpoint", bound):
            super().register(*args, **kwargs)
