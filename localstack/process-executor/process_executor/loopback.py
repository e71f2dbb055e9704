"""LocalStack's web server, on 127.0.0.1 only.

LocalStack ignores the host of GATEWAY_LISTEN for IPv4 and listens on every interface. Together with an executor that
runs what it is given as a process of the host, that would let the whole network run programs here.
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
