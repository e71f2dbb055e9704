"""One process of a function's bootstrap, with the runtime API server that it polls.

Each Runtime has its own process, server and queue. After a crash or a kill, a late answer or a waiting poll of the old
process cannot reach the next Runtime.
"""

import errno
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Invocation:
    """One event, as the runtime API passes it to the function."""

    request_id: str
    function_arn: str
    trace_id: str
    deadline_ms: int
    payload: bytes


@dataclass(frozen=True)
class Answer:
    """The answer to an invocation, from the function, or from Lambda if the function has ended."""

    payload: bytes
    is_error: bool


def error_document(kind: str, message: str) -> bytes:
    """Returns the error document that Lambda writes when the function cannot answer."""
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


class InitError(Exception):
    """The bootstrap did not poll for its first event. `payload` is the error document."""

    def __init__(self, payload: bytes):
        super().__init__(payload.decode(errors="replace"))
        self.payload = payload


class Runtime:
    """A running bootstrap. The caller must send one invocation at a time."""

    def __init__(self, bootstrap: str, folder: str, env: dict[str, str]):
        self._ready: Future[None] = Future()
        self._answer: Future[Answer] = Future()
        self._current: str | None = None
        self._idle = threading.Event()
        self._events: queue.Queue[Invocation | None] = queue.Queue()
        self._output = tempfile.TemporaryFile()
        self._read = 0
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        api = f"127.0.0.1:{self._server.server_port}"
        try:
            self._process = self._spawn(bootstrap, folder, env | {"AWS_LAMBDA_RUNTIME_API": api})
        except OSError as e:
            self._close_server()
            raise InitError(error_document("Runtime.InvalidEntrypoint", f"cannot run the bootstrap: {e}")) from e
        threading.Thread(target=self._wait_for_end, daemon=True).start()

    def wait_ready(self, seconds: float) -> None:
        """Waits for the first poll. If there is none, ends the process and raises InitError."""
        try:
            self._ready.result(seconds)
        except TimeoutError:
            self.stop()
            message = f"the bootstrap did not poll within {seconds} seconds"
            raise InitError(error_document("Sandbox.Timedout", message)) from None
        except InitError:
            self.stop()
            raise

    def invoke(self, invocation: Invocation, seconds: float) -> Answer:
        """Passes one event to the function and waits for the answer. A TimeoutError is the end of this Runtime."""
        self._idle.clear()
        self._answer, self._current = Future(), invocation.request_id
        if self._process.poll() is not None:
            return self._exit_error()
        self._events.put(invocation)
        return self._answer.result(seconds)

    def idle(self, seconds: float) -> bool:
        """Waits for the poll after an answer. Returns False if the process has ended, or does not poll in time.

        A poll does not follow every answer: after a panic a Go function answers and then exits.
        """
        return self._idle.wait(seconds) and self._process.poll() is None

    def take_output(self) -> str:
        """Returns the function's output since the last call.

        The function prints into a file and not into a pipe. So all output before an answer is already there.
        """
        file = self._output.fileno()
        data = os.pread(file, os.fstat(file).st_size - self._read, self._read)
        self._read += len(data)
        return data.decode(errors="replace")

    def stop(self) -> None:
        """Ends the process, its children and the server. A second call does nothing."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close_server()

    def _spawn(self, bootstrap: str, folder: str, env: dict[str, str]) -> subprocess.Popen:
        # The process gets its own group, so that stop ends its children too. The file may be "busy" for a moment, if
        # another thread forked while LocalStack unpacked the file.
        for attempt in range(20):
            try:
                return subprocess.Popen(
                    [bootstrap],
                    cwd=folder,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=self._output,
                    stderr=subprocess.STDOUT,
                    process_group=0,
                )
            except OSError as e:
                if e.errno != errno.ETXTBSY or attempt == 19:
                    raise
                time.sleep(0.05)

    def _wait_for_end(self) -> None:
        """Waits for the end of the process and ends all waits for it."""
        self._process.wait()
        _set_once(self._ready, error=InitError(error_document("Runtime.ExitError", self._exit_text())))
        _set_once(self._answer, self._exit_error())
        self._idle.set()
        self._events.put(None)

    def _exit_error(self) -> Answer:
        message = f"RequestId: {self._current} Error: {self._exit_text()}"
        return Answer(error_document("Runtime.ExitError", message), True)

    def _exit_text(self) -> str:
        code = self._process.wait()
        reason = f"exit status {code}" if code >= 0 else f"signal: {signal.Signals(-code).name}"
        return f"Runtime exited with error: {reason}"

    def _close_server(self) -> None:
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()

    # The methods that the runtime API calls.

    def next_event(self) -> Invocation | None:
        """Waits for an event. Returns None after the end of this Runtime."""
        _set_once(self._ready)
        self._idle.set()
        return self._events.get()

    def init_failed(self, payload: bytes) -> None:
        _set_once(self._ready, error=InitError(payload))

    def answered(self, request_id: str, answer: Answer) -> bool:
        """Takes an answer. Returns False if the answer is not for the current event."""
        if request_id != self._current or self._answer.done():
            return False
        return _set_once(self._answer, answer)


def _set_once(future: Future, value=None, error: Exception | None = None) -> bool:
    """Sets a future unless it is set. Asking done() first is not enough: two threads may be here at the same time."""
    try:
        future.set_exception(error) if error else future.set_result(value)
    except InvalidStateError:
        return False
    return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """Logs nothing: a killed function leaves broken connections, which are no error."""


def _handler(runtime: Runtime) -> type[BaseHTTPRequestHandler]:
    """Returns the HTTP handler of one Runtime: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are sent in one packet. In two packets the second would wait 40 ms for an acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self):
            if not self.path.endswith("/runtime/invocation/next"):
                return self._reply(404)
            event = runtime.next_event()
            if event is None:
                self.close_connection = True
                return None
            headers = {
                "Lambda-Runtime-Aws-Request-Id": event.request_id,
                "Lambda-Runtime-Deadline-Ms": str(event.deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": event.function_arn,
                "Lambda-Runtime-Trace-Id": event.trace_id,
            }
            return self._reply(200, event.payload, headers)

        def do_POST(self):
            body = self._body()
            match self.path.split("/")[2:]:
                case ["runtime", "init", "error"]:
                    runtime.init_failed(body)
                case ["runtime", "invocation", request_id, "response" | "error" as kind]:
                    if not runtime.answered(request_id, Answer(body, kind == "error")):
                        message = f"{request_id} is not the current event"
                        return self._reply(400, error_document("InvalidRequestID", message))
                case _:
                    return self._reply(404)
            return self._reply(202)

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # skip the trailers and the empty line after them
            return body

        def _reply(self, status: int, body: bytes = b"{}", headers: dict[str, str] | None = None):
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Logs nothing: requests of the runtime API do not belong into LocalStack's log."""

    return Handler
