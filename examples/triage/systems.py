"""The systems that the flows of this folder talk to: a model, and mail in both directions.

    python -m examples.triage.systems
    python -m examples.triage.systems --broken

They run on loopback and print what they are told. Mail comes in at Dovecot, which has to be
installed (`sh scripts/imap.sh` does so on Debian as root); the mails in `mails/` are there from
the beginning. The model knows no language: it counts words. If it is `--broken`, it answers 503.
"""

from __future__ import annotations

import argparse
import json
import re
import threading
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from examples.llm_service import Model, Says
from examples.mailbox import Mailbox
from examples.service import Answer, HttpService

__all__ = ["MAILBOXES", "MODEL_KEY", "Office"]

HTTP_PORT = 8099
SMTP_PORT = 8025
IMAP_PORT = 8143
MODEL_KEY = "model-key"
MAILBOXES = ("Done", "Advertising", "Failed", "Left")

_WORDS = {
    "order": "order buy quantity deliver pieces price",
    "complaint": "broken late wrong angry complaint refund",
    "invoice": "invoice bill due pay account",
    "advertising": "newsletter offer discount unsubscribe webinar",
}


class Office(HttpService):
    """A model, and a mail server that takes what is sent; runs inside a `with`."""

    def __init__(
        self, port: int = 0, mail_port: int = 0, told: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(port)
        self.mailbox = Mailbox(mail_port, told=self._tell_mail)
        self.model = Model(self, self._sort, key=MODEL_KEY)
        self.broken = False
        self.delay = 0.0
        """How long the model thinks."""
        self._told = told or (lambda _line: None)

    def __enter__(self) -> Office:
        self.mailbox.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> Literal[False]:
        super().__exit__(*error)
        return self.mailbox.__exit__(*error)

    def _sort(self, asked: Any) -> Says | Answer:
        if self.broken:
            return Answer(status=503, body={"error": "out of order"})
        _, _, mail = str(asked["messages"][-1]["content"]).partition("From: ")
        said = _sorted(mail)
        self._told(f"MODEL {' '.join(mail.split())[:200]}\n  {said}")
        return Says(text=json.dumps(said), delay=self.delay)

    def _tell_mail(self, mail: EmailMessage) -> None:
        body = mail.get_body(("plain", "html"))
        text = body.get_content() if body else ""
        self._told(f"MAIL to {mail['To']}: {mail['Subject']}\n{text}")


def _sorted(mail: str) -> dict[str, Any]:
    """The kind with most of its words in the mail; less sure if others have some too."""
    found = re.findall(r"\w+", mail.lower())
    counts = {kind: sum(map(found.count, words.split())) for kind, words in _WORDS.items()}
    best = max(counts, key=lambda kind: counts[kind])
    sure = counts[best] / max(1, sum(counts.values()))
    return {"kind": best, "sure": round(sure, 2), "why": f"Words of each kind: {counts}"}


def main() -> None:
    from tests.mail import make_certificates, start_imap

    parser = argparse.ArgumentParser(description="The systems that the flows here talk to.")
    parser.add_argument("--broken", action="store_true", help="let the model answer 503")
    arguments = parser.parse_args()
    with (
        TemporaryDirectory() as folder,
        start_imap(make_certificates(Path(folder)), port=IMAP_PORT) as imap,
        Office(HTTP_PORT, SMTP_PORT, told=lambda line: print(line, flush=True)) as office,
    ):
        office.broken = arguments.broken
        for name in MAILBOXES:
            imap.put(mailbox=name)
        mails = sorted(Path(__file__).with_name("mails").glob("*.eml"))
        imap.put(*(path.read_bytes() for path in mails))
        print(f"A model at {office.url}, mail at ports {IMAP_PORT} and {SMTP_PORT}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("ended")


if __name__ == "__main__":
    main()
