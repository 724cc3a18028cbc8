"""Mail on a worker that was installed without the extra."""

from __future__ import annotations

import sys

import pytest

from activities.attempt import Attempt
from activities.declaration import AnyImplementation
from activities.errors import NodeFailed
from activities.mail.receive import EMAIL_MARK, EMAIL_RECEIVE
from activities.mail.send import EMAIL_SEND
from activities.parameters import read_params
from flowspec.values import JsonObject

ACCOUNT: JsonObject = {"host": "imap.example.com", "username": "ann", "password": "c0rrect"}
MAIL: JsonObject = {"host": "smtp.example.com", "from": "ann@example.com", "text": "Hi"}

LOADED_LATER = tuple(f"activities.mail.{name}" for name in ("smtp", "imap", "mailbox", "reading"))
"""What handlers import, another test's perhaps already."""


@pytest.mark.parametrize(
    ("node", "params", "package"),
    [
        (EMAIL_SEND, {**MAIL, "to": "bob@example.com", "subject": "Hi"}, "aiosmtplib"),
        (EMAIL_RECEIVE, ACCOUNT, "imap_tools"),
        (EMAIL_MARK, {**ACCOUNT, "ids": ["1.2"], "mark": "seen"}, "imap_tools"),
    ],
)
async def test_what_is_missing_is_told_when_it_is_needed(
    node: AnyImplementation, params: JsonObject, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith((*LOADED_LATER, package))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    read = read_params(node, params)
    with pytest.raises(NodeFailed, match=r"pip install 'flowrunner\[mail\]'") as caught:
        await node.handler(read, Attempt(node="n", flow="f", run_id="r", key="k"))
    assert caught.value.error.name == "ExtraMissing"
    assert package in caught.value.message
