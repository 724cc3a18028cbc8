"""An HTTP proxy in front of a server, that does to an exchange what networks and servers do."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

__all__ = [
    "Answer",
    "Exchange",
    "Fault",
    "Proxy",
    "cut_after",
    "damage",
    "hang",
    "proxy_to",
    "refuse",
    "with_header",
]

_HOP: Final = ("connection", "transfer-encoding", "keep-alive", "date", "server")


@dataclass
class Answer:
    """What goes back to the client; `cut` ends the connection after so many bytes of the body."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None


@dataclass(frozen=True)
class Exchange:
    """A request, and how to have it answered by the server itself."""

    method: str
    path: str
    headers: dict[str, str]
    forward: Callable[[], Answer]
    ended: threading.Event
    """Set when the proxy closes."""


Fault = Callable[[Exchange], Answer]


@dataclass
class Proxy:
    """`requests` are those that have come, as `METHOD path`."""

    endpoint: str
    requests: list[str] = field(default_factory=list)
    _faults: list[tuple[str, Fault]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, fault: Fault, *, method: str = "", times: int = 1) -> None:
        """Answer the next requests like this: those of the method alone, if one is given."""
        with self._lock:
            self._faults += [(method, fault)] * times

    def count(self, method: str) -> int:
        return sum(request.startswith(method) for request in self.requests)

    def forget(self) -> None:
        """Both requests and faults: begin anew."""
        with self._lock:
            self.requests.clear()
            self._faults.clear()

    def answer(self, exchange: Exchange) -> Answer:
        with self._lock:
            self.requests.append(f"{exchange.method} {exchange.path}")
            fault = self._take(exchange.method)
        return exchange.forward() if fault is None else fault(exchange)

    def _take(self, method: str) -> Fault | None:
        for place, (only, fault) in enumerate(self._faults):
            if only in ("", method):
                del self._faults[place]
                return fault
        return None


def refuse(status: int, code: str = "", message: str = "no") -> Fault:
    """The server answers with this error, and has done nothing."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    return lambda _: Answer(status, {"Content-Type": "application/xml"}, body if code else b"")


def hang(exchange: Exchange) -> Answer:
    """Nothing comes until the proxy closes."""
    exchange.ended.wait(60)
    return Answer(500)


def cut_after(size: int) -> Fault:
    """The connection breaks after so many bytes of the body."""

    def fault(exchange: Exchange) -> Answer:
        answer = exchange.forward()
        answer.cut = size
        return answer

    return fault


def damage(exchange: Exchange) -> Answer:
    """A bit of the body is another one."""
    answer = exchange.forward()
    answer.body = bytes((answer.body[0] ^ 1,)) + answer.body[1:]
    return answer


def with_header(name: str, value: str) -> Fault:
    """The server's answer, but for one header."""

    def fault(exchange: Exchange) -> Answer:
        answer = exchange.forward()
        answer.headers[name] = value
        return answer

    return fault


@contextmanager
def proxy_to(endpoint: str) -> Iterator[Proxy]:
    upstream = urlsplit(endpoint).netloc
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            with suppress(ConnectionError):
                super().handle_one_request()

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = dict(self.headers.items())
            exchange = Exchange(
                method=self.command,
                path=self.path,
                headers=headers,
                forward=lambda: _forward(upstream, self.command, self.path, headers, body),
                ended=ended,
            )
            self._send(proxy.answer(exchange))

        do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in answer.headers and answer.status != 204:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body[: answer.cut])
            if answer.cut is not None:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = Proxy(endpoint=f"http://127.0.0.1:{server.server_address[1]}")
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield proxy
    finally:
        ended.set()
        server.shutdown()
        serving.join()
        server.server_close()


def _forward(upstream: str, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    connection = http.client.HTTPConnection(upstream, timeout=30)
    try:
        # The host stays the one that was signed.
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if name.lower() not in ("connection", "expect"):
                connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        kept = {
            name.title(): value for name, value in answer.getheaders() if name.lower() not in _HOP
        }
        return Answer(answer.status, kept, answer.read())
    finally:
        connection.close()
