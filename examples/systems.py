"""What the systems around the applications share: they answer, take mail, and tell what came."""

from __future__ import annotations

import threading
from collections.abc import Callable
from email.message import EmailMessage
from typing import Literal, Self

from examples.mailbox import Mailbox
from examples.service import Answer, HttpService, Received

__all__ = ["MAIL_PORT", "NO_SUCH", "OUT_OF_ORDER", "Guarded", "Systems"]

MAIL_PORT = 8025

NO_SUCH = Answer(status=404, body={"error": "there is no such thing"})
OUT_OF_ORDER = Answer(status=503, body={"error": "out of order"})


class Systems(HttpService):
    """An HTTP service and a mail server; runs inside a `with`. What comes is `told`, in lines."""

    def __init__(
        self, port: int = 0, mail_port: int = 0, told: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(port)
        self.mailbox = Mailbox(mail_port, told=self._tell_mail)
        self.tell = told or (lambda _line: None)

    def __enter__(self) -> Self:
        self.mailbox.__enter__()
        return super().__enter__()

    def __exit__(self, *error: object) -> Literal[False]:
        super().__exit__(*error)
        return self.mailbox.__exit__(*error)

    def _tell_mail(self, mail: EmailMessage) -> None:
        body = mail.get_body(("plain", "html"))
        text = body.get_content() if body else ""
        self.tell(f"MAIL to {mail['To']}: {mail['Subject']}\n{text}")


class Guarded(Systems):
    """Systems that do one thing at a time, for whom they know, unless they are broken."""

    def __init__(
        self, port: int = 0, mail_port: int = 0, told: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(port, mail_port, told)
        self.broken: set[str] = set()
        """What answers 503, such as `POST /shop/orders`."""
        self._lock = threading.Lock()

    def allows(self, request: Received) -> bool:
        """Whether the request is from who may ask this."""
        raise NotImplementedError

    def done(self, request: Received) -> Answer:
        """What comes of a request that is allowed."""
        raise NotImplementedError

    def answer(self, request: Received) -> Answer:
        with self._lock:
            self.requests.append(request)
            answer = self._answer(request)
        query = f"?{request.query}" if request.query else ""
        said = f"{request.method} {request.path}{query} {request.body.decode()}"
        self.tell(f"{answer.status} {said}".rstrip())
        return answer

    def _answer(self, request: Received) -> Answer:
        if f"{request.method} {request.path}" in self.broken:
            return OUT_OF_ORDER
        if not self.allows(request):
            return Answer(status=401, body={"error": "who are you?"})
        return self.done(request)
