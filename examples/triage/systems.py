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
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from examples.imap import dovecot, start_imap
from examples.llm_service import Model, Says
from examples.service import DEFAULT_PORT, Answer, until_interrupted
from examples.systems import MAIL_PORT, OUT_OF_ORDER, Systems

__all__ = ["MAILBOXES", "MODEL_KEY", "Office"]

IMAP_PORT = 8143
MODEL_KEY = "model-key"
MAILBOXES = ("Done", "Advertising", "Failed", "Left")

_WORDS = {
    "order": "order buy quantity deliver pieces price",
    "complaint": "broken late wrong angry complaint refund",
    "invoice": "invoice bill due pay account",
    "advertising": "newsletter offer discount unsubscribe webinar",
}


class Office(Systems):
    """A model, and a mail server that takes what is sent; runs inside a `with`."""

    def __init__(
        self, port: int = 0, mail_port: int = 0, told: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(port, mail_port, told)
        self.model = Model(self, self._sort, key=MODEL_KEY)
        self.broken = False
        self.delay = 0.0
        """How long the model thinks."""

    def _sort(self, asked: Any) -> Says | Answer:
        if self.broken:
            return OUT_OF_ORDER
        _, _, mail = str(asked["messages"][-1]["content"]).partition("From: ")
        said = _sorted(mail)
        self.tell(f"MODEL {' '.join(mail.split())[:200]}\n  {said}")
        return Says(text=json.dumps(said), delay=self.delay)


def _sorted(mail: str) -> dict[str, Any]:
    """The kind with most of its words in the mail; less sure if others have some too."""
    found = re.findall(r"\w+", mail.lower())
    counts = {kind: sum(map(found.count, words.split())) for kind, words in _WORDS.items()}
    best = max(counts, key=lambda kind: counts[kind])
    sure = counts[best] / max(1, sum(counts.values()))
    return {"kind": best, "sure": round(sure, 2), "why": f"Words of each kind: {counts}"}


def main() -> None:
    parser = argparse.ArgumentParser(description="The systems that the flows here talk to.")
    parser.add_argument("--broken", action="store_true", help="let the model answer 503")
    arguments = parser.parse_args()
    if dovecot() is None:
        sys.exit("Dovecot is missing; `sh scripts/imap.sh` installs it on Debian as root")
    with (
        start_imap(IMAP_PORT) as imap,
        Office(DEFAULT_PORT, MAIL_PORT, told=lambda line: print(line, flush=True)) as office,
    ):
        office.broken = arguments.broken
        for name in MAILBOXES:
            imap.put(mailbox=name)
        mails = sorted(Path(__file__).with_name("mails").glob("*.eml"))
        imap.put(*(path.read_bytes() for path in mails))
        print(f"A model at {office.url}, mail at ports {IMAP_PORT} and {MAIL_PORT}", flush=True)
        until_interrupted()
        print("ended")


if __name__ == "__main__":
    main()
