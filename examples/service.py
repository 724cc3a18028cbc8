"""A small HTTP service on loopback for the examples to talk to.

    python -m examples.service examples/order-saga

plays `service.yaml` of that example on the port its `input.json` names: a list of
`{method, path, answers}`, where each request takes the next answer (`status`, `json`, `headers`,
`delay` in seconds; with `times`, the list in `json` so many times over) and the last one is
repeated.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, Self

import yaml

__all__ = ["Answer", "HttpService", "Received", "play", "until_interrupted"]

DEFAULT_PORT = 8099


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request as it reached the service."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the service says: `body` is sent as JSON unless it is bytes, text or None."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0


Responder = Callable[[Received], Answer]


class HttpService:
    """Answers by method and path, and remembers what it was asked; runs inside a `with`."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Received] = []
        self._routes: dict[tuple[str, str], Responder] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def asked(self) -> list[str]:
        """Every request so far as `METHOD /path`."""
        return [f"{request.method} {request.path}" for request in self.requests]

    def on(self, method: str, path: str, answer: Responder | Answer) -> None:
        """Answer requests to `path` so, or by calling `answer` with each."""
        self._routes[method, path] = answer if callable(answer) else lambda _: answer

    def answer(self, request: Received) -> Answer:
        self.requests.append(request)
        responder = self._routes.get((request.method, request.path))
        return responder(request) if responder else Answer(status=404, body={"error": "not found"})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
        return False


def play(service: HttpService, script: Path) -> None:
    """Let the service answer as the YAML file `script` says."""
    for route in yaml.safe_load(script.read_text(encoding="utf-8")):
        service.on(route["method"], route["path"], _in_turn(route["answers"]))


def until_interrupted() -> None:
    """Until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _in_turn(answers: list[dict[str, Any]]) -> Responder:
    ready = [
        Answer(
            status=each.get("status", 200),
            body=each["json"] * each["times"] if "times" in each else each.get("json"),
            headers=each.get("headers", {}),
            delay=each.get("delay", 0.0),
        )
        for each in answers
    ]
    lock = threading.Lock()

    def respond(_: Received) -> Answer:
        with lock:
            return ready.pop(0) if len(ready) > 1 else ready[0]

    return respond


def _handler(service: HttpService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            request = Received(
                method=self.command,
                path=path,
                query=query,
                headers=dict(self.headers.items()),
                body=self.rfile.read(length),
            )
            answer = service.answer(request)
            time.sleep(answer.delay)
            try:
                _send(self, answer)
            except ConnectionError:
                self.close_connection = True  # the caller stopped waiting

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """The standard library would write every request to standard error."""

    return Handler


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    body, kind = _encode(answer.body)
    handler.send_response(answer.status)
    for name, value in {**kind, **answer.headers}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def _encode(body: Any) -> tuple[bytes, dict[str, str]]:
    if body is None:
        return b"", {}
    if isinstance(body, bytes):
        return body, {"Content-Type": "application/octet-stream"}
    if isinstance(body, str):
        return body.encode(), {"Content-Type": "text/plain; charset=utf-8"}
    return json.dumps(body).encode(), {"Content-Type": "application/json"}


def main() -> None:
    if len(sys.argv) != 2 or not (script := Path(sys.argv[1]) / "service.yaml").is_file():
        sys.exit("usage: python -m examples.service FOLDER_OF_AN_EXAMPLE_WITH_A_SERVICE")
    with HttpService(DEFAULT_PORT) as service:
        play(service, script)
        print(f"{script} answers at {service.url}; Ctrl-C ends it", flush=True)
        until_interrupted()
        print(*service.asked, sep="\n")


if __name__ == "__main__":
    main()
