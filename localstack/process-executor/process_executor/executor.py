"""The executor that LocalStack calls. It is one execution environment of a function, from cold start to removal."""

import logging
import os
import time

from localstack import config
from localstack.services.lambda_.invocation.executor_endpoint import NAMESPACE, StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException, RuntimeExecutor

from process_executor.runtime import Answer, InitError, Invocation, Runtime, error_document

LOG = logging.getLogger(__name__)

# As on AWS, initialisation may take ten seconds. The function's own timeout does not matter.
INIT_SECONDS = 10


class ProcessExecutor(RuntimeExecutor):
    """Runs a function's bootstrap. After a crash or a timeout the next invocation starts a new process, as on AWS."""

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
        folder = self._code_folder()
        # A function gets few variables of this machine, so that it does not depend on them. It gets LocalStack's HOME,
        # because engines.sh finds all processes of LocalStack by it.
        self._env = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self._env |= {name: str(value) for name, value in env_vars.items() if value is not None}
        self._env |= {"LAMBDA_TASK_ROOT": folder}
        try:
            self._cold_start()
        except InitError as e:
            # LocalStack stores no function log in this case, so the reason goes to LocalStack's own log.
            LOG.warning("%s failed to start: %s\n%s", self.function_version.qualified_arn, e, self._new_output())
            raise StatusErrorException("the bootstrap failed to start", payload=e.payload) from e

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        seconds = int(self._config.timeout or 3)
        request_id = payload["invoke-id"]
        self._logs = f"START RequestId: {request_id} Version: {self.function_version.id.qualifier}\n"
        start = time.monotonic()
        answer = self._answer_to(payload, seconds)
        milliseconds = (time.monotonic() - start) * 1000
        self._logs += self._new_output()
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
        """Returns the endpoint of LocalStack's own init program. Nothing uses it here, but LocalStack asks for it."""
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}{NAMESPACE}/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        if function_version.config.code:
            function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Does nothing: LocalStack deletes the unpacked code itself."""

    def _code_folder(self) -> str:
        return str(self._config.code.get_unzipped_code_location())

    def _new_output(self) -> str:
        return self._runtime.take_output() if self._runtime else ""

    def _cold_start(self) -> None:
        folder = self._code_folder()
        self._runtime = None
        runtime = Runtime(os.path.join(folder, "bootstrap"), folder, self._env)
        self._runtime = runtime
        runtime.wait_ready(INIT_SECONDS)

    def _answer_to(self, payload: dict[str, str], seconds: int) -> Answer:
        request_id = payload["invoke-id"]
        try:
            if not self._runtime or not self._runtime.idle(seconds):
                self._logs += self._new_output()
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
            return Answer(error_document("Sandbox.Timedout", message), True)
