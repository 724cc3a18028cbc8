"""Plays of the node types that talk to servers over HTTP, SMTP and IMAP."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Final

from flowspec.values import Json, JsonObject
from tests.server.plays.play import TOKEN, Plays, S, Setup
from tests.server.support import Answer, HttpService, Received

__all__ = ["PLAYS"]


def _echo(status: int) -> Callable[[Received], Answer]:
    def answer(request: Received) -> Answer:
        headers = dict(request.headers)
        credentials = headers.get("Authorization", "").removeprefix("Basic ")
        body: Json = {
            "headers": {**headers},
            "query": request.query,
            "body": request.body.decode(),
            "decoded": base64.b64decode(credentials).decode() if ":" not in credentials else "",
        }
        return Answer(status=status, body=body, headers={"X-Seen": request.query})

    def guarded(request: Received) -> Answer:
        try:
            return answer(request)
        except ValueError:  # not every header is base64
            return Answer(status=status, body=f"{request.query} {request.body.decode()}")

    return guarded


def _echoing(stack: ExitStack) -> HttpService:
    """A service that says back whatever it is told, as a success or as a failure."""
    service = stack.enter_context(HttpService())
    for path, status in (("/ok", 200), ("/refuse", 400), ("/down", 503)):
        service.on("POST", path, _echo(status))
    return service


def _http_request(stack: ExitStack, folder: Path) -> Plays:
    del folder
    service = _echoing(stack)
    shared: JsonObject = {"method": "POST", "headers": {"X-Token": f"t {S}"}, "query": {"q": S}}
    variants: tuple[JsonObject, ...] = (
        {"json": {"k": S, "deep": [f"a {S} b"]}, "auth": {"bearer": S}},
        {"form": {"k": S}, "auth": {"basic": {"username": "ann", "password": S}}},
        {
            "body": f"before {S} after",
            "auth": {"api_key": {"name": "k", "value": S, "in": "query"}},
        },
        {"multipart": [{"name": "k", "value": S}, {"name": "f", "file": f"a {S}", "filename": S}]},
        {"body": f"{S}" * 50, "auth": {"basic": {"username": S, "password": S}}, "save": True},
    )

    def at(path: str) -> tuple[JsonObject, ...]:
        return tuple(
            {"url": f"{service.url}{path}?u={S}", **shared, **variant} for variant in variants
        )

    service.on("POST", "/token", Answer(body={"access_token": TOKEN, "token_type": "bearer"}))
    service.on("POST", "/no-token", _echo(401))

    def by_token(path: str, token: str) -> JsonObject:
        client: JsonObject = {"token_url": f"{service.url}{token}", "client_id": "ann"}
        oauth2: JsonObject = {**client, "client_secret": S, "audience": S, "more": {"k": S}}
        return {"method": "POST", "url": f"{service.url}{path}", "auth": {"oauth2": oauth2}}

    nowhere: tuple[JsonObject, ...] = (
        {"url": S},
        {"url": f"http://127.0.0.1:1/{S}"},
        {"url": f"http://ann:{S}@127.0.0.1:1/"},
    )
    paged: JsonObject = {"by": "cursor", "next": f"'{S}'", "param": S, "max_pages": 2}
    pages: JsonObject = {"url": f"{service.url}/refuse", "method": "POST", "paginate": paged}
    refused = (by_token("/refuse", "/token"), by_token("/ok", "/no-token"), pages)
    return Plays(
        succeed=(*at("/ok"), by_token("/ok", "/token")),
        fail=(*at("/refuse"), at("/down")[0], *refused, *nowhere),
    )


def _webhook_send(stack: ExitStack, folder: Path) -> Plays:
    del folder
    service = _echoing(stack)

    def at(url: str) -> JsonObject:
        return {"url": f"{url}?u={S}", "payload": {"k": S}, "headers": {"X-A": S}, "secret": [S, S]}

    fail = (at(f"{service.url}/refuse"), at(f"{service.url}/down"), at("http://127.0.0.1:1/"))
    return Plays(succeed=(at(f"{service.url}/ok"),), fail=fail)


class _Refusing(StreamRequestHandler):
    """A mail server that lets nobody in, and repeats what it was told."""

    greeting = b"* OK ready\r\n"

    def handle(self) -> None:
        self.wfile.write(self.greeting)
        for line in self.rfile:
            self.wfile.write(self.answer(line.strip()))

    def answer(self, line: bytes) -> bytes:
        tag, _, command = line.partition(b" ")
        if command.upper() == b"CAPABILITY":
            return b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n"
        return tag + b" NO [AUTHENTICATIONFAILED] " + command + b"\r\n"


class _RefusingSmtp(_Refusing):
    greeting = b"220 ready\r\n"

    def answer(self, line: bytes) -> bytes:
        if line.upper().startswith(b"EHLO"):
            return b"250-ready\r\n250 AUTH PLAIN LOGIN\r\n"
        return b"535 5.7.8 no: " + line + b"\r\n"


def _refusing(stack: ExitStack, handler: type[_Refusing]) -> JsonObject:
    """Where such a server is, as parameters."""
    server = stack.enter_context(ThreadingTCPServer(("127.0.0.1", 0), handler))
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    stack.callback(serving.join)
    stack.callback(server.shutdown)
    return {"host": "127.0.0.1", "port": server.server_address[1], "security": "none"}


_LOGIN: Final[JsonObject] = {"username": S, "password": S}
_NOWHERE: Final[JsonObject] = {"host": "127.0.0.1", "port": 1, "security": "none", **_LOGIN}


def _email_send(stack: ExitStack, folder: Path) -> Plays:
    del folder
    mail: JsonObject = {"from": "a@example.com", "to": "b@example.com", "subject": "s", "text": "t"}
    refusing: JsonObject = {**_refusing(stack, _RefusingSmtp), **_LOGIN}
    return Plays(succeed=(), only_fails=True, fail=({**mail, **refusing}, {**mail, **_NOWHERE}))


def _email_receive(stack: ExitStack, folder: Path) -> Plays:
    del folder
    return Plays(
        succeed=(), only_fails=True, fail=({**_refusing(stack, _Refusing), **_LOGIN}, _NOWHERE)
    )


def _email_mark(stack: ExitStack, folder: Path) -> Plays:
    del folder
    what: JsonObject = {"ids": ["1.1"], "mark": "seen"}
    refusing: JsonObject = {**_refusing(stack, _Refusing), **_LOGIN}
    return Plays(succeed=(), only_fails=True, fail=({**what, **refusing}, {**what, **_NOWHERE}))


PLAYS: Mapping[str, Setup] = {
    "email.mark": _email_mark,
    "email.receive": _email_receive,
    "email.send": _email_send,
    "http.request": _http_request,
    "webhook.send": _webhook_send,
}
