"""What LocalStack calls: one executor is one execution environment of a function, from cold start to disposal."""

import logging
import os
import time

from localstack import config
from localstack.services.lambda_.invocation.executor_endpoint import NAMESPACE, StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException, RuntimeExecutor

from process_executor.runtime import Answer, InitError, Invocation, Runtime, failure

LOG = logging.getLogger(__name__)

# As on AWS, initialisation has ten seconds, whatever the function's own timeout.
INIT_SECONDS = 10


class ProcessExecutor(RuntimeExecutor):
    """Runs a function's bootstrap. After a crash or a timeout the next invocation starts it anew, as on AWS."""

    def __init__(self, id: str, function_version: FunctionVersion):
        super().__init__(id, function_version)
        self._config = function_version.config
        self._env: dict[str, str] = {}
        self._runtime: Runtime | None = None
        self._logs = ""

    def start(self, env_vars: dict[str, str]) -> None:
        runtime = self._config.runtime or "a container image"
        if not runtime.startswith("provided"):
            raise LambdaRuntimeException(f"the process executor runs provided.* zips only, not {runtime}")
        folder = self._folder()
        # Little is inherited, so that a function does not depend on the machine it is tested on. HOME stays
        # LocalStack's own, because engines.sh finds by it what LocalStack has started.
        self._env = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self._env |= {name: str(value) for name, value in env_vars.items() if value is not None}
        self._env |= {"LAMBDA_TASK_ROOT": folder}
        try:
            self._cold_start()
        except InitError as e:
            # LocalStack stores no log for this case, so its own log is the only place to read why.
            LOG.warning("%s failed to start: %s\n%s", self.function_version.qualified_arn, e, self._output())
            raise StatusErrorException("the bootstrap failed to start", payload=e.payload) from e

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        seconds = int(self._config.timeout or 3)
        request_id = payload["invoke-id"]
        self._logs = f"START RequestId: {request_id} Version: {self.function_version.id.qualifier}\n"
        begun = time.monotonic()
        answer = self._answer(payload, seconds)
        milliseconds = (time.monotonic() - begun) * 1000
        self._logs += self._output()
        self._logs += (
            f"END RequestId: {request_id}\n"
            f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
            f"Billed Duration: {int(milliseconds) + 1} ms\tMemory Size: {self._config.memory_size} MB\n"
        )
        return InvocationResult(request_id, answer.payload, is_error=answer.is_error, logs=self._logs)

    def stop(self) -> None:
        if self._runtime:
            self._runtime.stop()

    def get_logs(self) -> str:
        return self._logs

    def get_address(self) -> str:
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """Only LocalStack's own init program would use it; an executor has to name one all the same."""
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}{NAMESPACE}/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        if function_version.config.code:
            function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing to do: LocalStack itself deletes the unpacked code."""

    def _folder(self) -> str:
        return str(self._config.code.get_unzipped_code_location())

    def _output(self) -> str:
        return self._runtime.take_output() if self._runtime else ""

    def _cold_start(self) -> None:
        folder = self._folder()
        self._runtime = None
        runtime = Runtime(os.path.join(folder, "bootstrap"), folder, self._env)
        self._runtime = runtime
        runtime.wait_ready(INIT_SECONDS)

    def _answer(self, payload: dict[str, str], seconds: int) -> Answer:
        request_id = payload["invoke-id"]
        try:
            if not self._runtime or not self._runtime.idle(seconds):
                self._logs += self._output()
                self.stop()
                self._cold_start()
            return self._runtime.invoke(
                Invocation(
                    request_id=request_id,
                    function_arn=payload["invoked-function-arn"],
                    trace_id=payload.get("trace-id", ""),
                    deadline_ms=int((time.time() + seconds) * 1000),
                    payload=payload["payload"].encode(),
                ),
                seconds,
            )
        except InitError as e:
            return Answer(e.payload, True)
        except TimeoutError:
            self._runtime.stop()
            message = f"RequestId: {request_id} Error: Task timed out after {seconds}.00 seconds"
            return Answer(failure("Sandbox.Timedout", message), True)
