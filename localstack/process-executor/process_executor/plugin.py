"""The entry points that LocalStack uses to find the executor and the server.

Both modules are imported in `load`: LocalStack lists its plugins before the modules that they need can be imported.
"""

from localstack.runtime.server.core import RuntimeServerPlugin
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    name = "process"

    def load(self, *args, **kwargs):
        from process_executor.executor import ProcessExecutor

        return ProcessExecutor


class LoopbackServerPlugin(RuntimeServerPlugin):
    name = "loopback"

    def load(self, *args, **kwargs):
        from process_executor.loopback import LoopbackServer

        return LoopbackServer()
