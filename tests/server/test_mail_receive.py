"""`email.receive` and `email.mark` against a real IMAP server on loopback."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.addresses import AddressPolicy
from activities.attempt import Attempt, Resources
from activities.claims import Claims
from activities.declaration import AnyImplementation
from activities.errors import NodeFailed
from activities.mail.receive import EMAIL_MARK, EMAIL_RECEIVE
from activities.parameters import read_params
from claimcheck.claim import Claim
from examples.imap import PASSWORD, USER, ImapServer
from flowspec.values import JsonObject
from tests import attempts
from tests.mail import (
    Certificates,
    make_certificates,
    needs_imap_server,
    start_imap,
)
from tests.server.support import PATIENCE

pytestmark = needs_imap_server

Do = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(certificates: Certificates) -> Iterator[ImapServer]:
    with start_imap(certificates) as server:
        yield server


@pytest.fixture
def imap(server: ImapServer) -> ImapServer:
    server.empty()
    return server


@pytest.fixture
def claims() -> Claims:
    return attempts.claims_in_memory(threshold=1_000_000)


def account(server: ImapServer) -> JsonObject:
    return {
        "host": "localhost",
        "port": server.port,
        "security": "none",
        "username": USER,
        "password": PASSWORD,
        "timeout": "10s",
    }


@pytest.fixture
def receive(imap: ImapServer, claims: Claims) -> Do:
    """Perform `email.receive` as a worker does."""
    return lambda **params: perform(EMAIL_RECEIVE, {**account(imap), **params}, claims)


@pytest.fixture
def mark(imap: ImapServer, claims: Claims) -> Do:
    return lambda **params: perform(EMAIL_MARK, {**account(imap), **params}, claims)


async def perform(node: AnyImplementation, params: JsonObject, claims: Claims) -> dict[str, Any]:
    call = {"node": "n", "flow": "f", "run_id": "r", "key": "k", "params": params}
    done = await attempts.perform(node, call, claims=claims)
    output = done["output"]
    assert isinstance(output, dict)
    return output


async def failure(doing: Awaitable[Any], name: str) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await doing
    assert caught.value.type == name, caught.value
    assert name in {error.name for error in EMAIL_RECEIVE.node_type.errors}
    return caught.value


def mail(subject: str = "Hello", text: str = "Hi", **headers: str) -> bytes:
    message = EmailMessage()
    message["From"] = headers.pop("From", "Zoë <zoe@example.com>")
    message["To"] = "ann@example.com"
    message["Subject"] = subject
    message["Message-ID"] = "<1@example.com>"
    message["Date"] = "Fri, 27 Feb 2026 10:00:00 +0100"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


def subjects(result: dict[str, Any]) -> list[str]:
    return [message["subject"] for message in result["messages"]]


# Reading


async def test_a_mail_is_read_with_all_that_is_in_it(
    imap: ImapServer, receive: Do, claims: Claims
) -> None:
    message = EmailMessage()
    message["From"] = "Zoë <zoe@example.com>"
    message["To"] = "ann@example.com, Bob <bob@example.com>"
    message["Subject"] = "Grüße"
    message["Message-ID"] = "<1@example.com>"
    message["Date"] = "Fri, 27 Feb 2026 10:00:00 +0100"
    message["List-Id"] = "news"
    message.set_content("Hällo\n")
    message.add_alternative("<p>Hällo</p>\n", subtype="html")
    message.add_attachment(b"\0\xff" * 999, maintype="image", subtype="png", filename="ö.png")
    message.add_attachment("a;b\n", subtype="csv", filename="../../etc/x.csv")
    raw = message.as_bytes()
    imap.put(raw)
    result = await receive(headers=["List-ID"])
    [read] = result["messages"]
    picture, table = read.pop("attachments")
    assert read.pop("id").count(".") == 1
    assert read.pop("received") is not None
    assert read.pop("size") >= len(raw)
    assert read == {
        "message_id": "<1@example.com>",
        "from": [{"name": "Zoë", "address": "zoe@example.com"}],
        "to": [
            {"name": "", "address": "ann@example.com"},
            {"name": "Bob", "address": "bob@example.com"},
        ],
        "cc": [],
        "reply_to": [],
        "subject": "Grüße",
        "date": "2026-02-27T10:00:00+01:00",
        "text": "Hällo\n",
        "html": "<p>Hällo</p>\n",
        "headers": {"list-id": "news"},
        "problems": [],
    }
    assert (picture["name"], picture["content_type"], picture["size"]) == (
        "ö.png",
        "image/png",
        1998,
    )
    assert await claims.cloakroom.redeem(picture["content"]) == b"\0\xff" * 999
    assert table["name"] == "x.csv"
    assert await claims.loaded(table["content"]) == "a;b\r\n"
    assert (result["count"], result["more"]) == (1, 0)


async def test_reading_changes_nothing(imap: ImapServer, receive: Do) -> None:
    imap.put(mail("one"), mail("two"))
    first, second = await receive(), await receive()
    assert subjects(first) == ["one", "two"]
    assert first == second
    assert imap.flags() == ["\\Recent", "\\Recent"] or imap.flags() == ["", ""]


async def test_the_oldest_come_first_and_the_rest_is_counted(imap: ImapServer, receive: Do) -> None:
    imap.put(*(mail(f"{number}") for number in range(5)))
    result = await receive(limit=2)
    assert (subjects(result), result["count"], result["more"]) == (["0", "1"], 2, 3)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ({}, ["old order", "new order", "Grüße"]),
        ({"unseen": True}, ["new order", "Grüße"]),
        ({"unseen": False}, ["old order"]),
        ({"flagged": True}, ["old order"]),
        ({"subject": "order", "unseen": True}, ["new order"]),
        ({"subject": "grüß"}, ["Grüße"]),
        ({"subject": 'x" ALL "'}, []),
        ({"from": "zoe@"}, ["old order", "new order", "Grüße"]),
        ({"to": "nobody"}, []),
        ({"since": "2020-01-01"}, ["old order", "new order", "Grüße"]),
        ({"before": "2020-01-01"}, []),
        ({"raw": "OR SUBJECT old SUBJECT new", "unseen": True}, ["new order"]),
    ],
)
async def test_a_search_finds_what_fits_all_of_it(
    imap: ImapServer, receive: Do, search: JsonObject, found: list[str]
) -> None:
    imap.put(mail("old order"), flags="(\\Seen \\Flagged)")
    imap.put(mail("new order"), mail("Grüße"))
    assert subjects(await receive(search=search)) == found


@pytest.mark.parametrize("raw", ["ALL\r\nA1 LOGOUT", "SUBJECT {5+}", "SUBJECT {5}"])
async def test_a_search_cannot_say_more_than_a_search(receive: Do, raw: str) -> None:
    await failure(receive(search={"raw": raw}), "InvalidParams")


async def test_a_search_that_is_none_is_told(receive: Do) -> None:
    failed = await failure(receive(search={"raw": "NONSENSE"}), "MailRefused")
    assert "NONSENSE" in failed.message


async def test_a_mail_that_is_too_large_is_only_told_of(imap: ImapServer, receive: Do) -> None:
    imap.put(mail("large", "x\n" * 5_000), mail("small"))
    large, small = (await receive(max_bytes=5_000))["messages"]
    assert (large["subject"], large["text"], large["attachments"]) == ("large", None, [])
    assert "more than max_bytes" in large["problems"][0]
    assert (small["text"], small["problems"]) == ("Hi\n", [])


async def test_a_long_text_goes_into_the_store(
    imap: ImapServer, receive: Do, claims: Claims
) -> None:
    imap.put(mail("long", "grüß\n" * 20_000))
    [read] = (await receive())["messages"]
    assert isinstance(read["text"], Claim)
    assert await claims.loaded(read["text"]) == "grüß\n" * 20_000


async def test_a_mail_made_to_do_harm_does_not_stop_the_others(
    imap: ImapServer, receive: Do
) -> None:
    deep = b"Subject: deep\n" + b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(5_000)
    )
    many = b'Subject: many\nContent-Type: multipart/mixed; boundary="b"\n\n' + b"--b\n\n" * 20_000
    imap.put(deep, many, mail("good"))
    bad, worse, good = (await receive())["messages"]
    assert (bad["subject"], worse["subject"], good["subject"]) == ("deep", "many", "good")
    assert bad["problems"]
    assert "1,000 parts" in worse["problems"][0]
    assert good["problems"] == []


# Connections


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_passwords_go_over_verified_tls(
    imap: ImapServer,
    receive: Do,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    security: str,
) -> None:
    imap.put(mail())
    port = imap.tls_port if security == "tls" else imap.port
    failed = await failure(receive(port=port, security=security), "MailTlsError")
    assert "certificate is not trusted" in failed.message
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    assert subjects(await receive(port=port, security=security)) == ["Hello"]


async def test_a_wrong_password_is_told_and_stays_unknown(receive: Do) -> None:
    failed = await failure(receive(password="wr0ng-horse"), "MailAuthFailed")
    assert failed.non_retryable
    assert "wr0ng" not in f"{failed} {failed.details}"


async def test_a_mailbox_that_is_not_there_is_told(receive: Do) -> None:
    failed = await failure(receive(mailbox="Nöwhere"), "MailRefused")
    assert "Nöwhere" in failed.message


async def test_a_server_that_is_not_there_may_be_tried_again(receive: Do) -> None:
    failed = await failure(receive(port=1), "MailUnreachable")
    assert not failed.non_retryable


async def test_what_is_not_imap_is_told(receive: Do) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await failure(receive(port=port, timeout="1s"), "MailUnreachable")
        await failure(receive(port=port, security="tls"), "MailTlsError")


async def test_a_cancelled_reading_ends_its_connection(imap: ImapServer) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        ended.set()
        writer.close()

    async with (
        await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server,
        Resources() as resources,
    ):
        port = server.sockets[0].getsockname()[1]
        params = read_params(EMAIL_RECEIVE, {**account(imap), "port": port, "timeout": "1h"})
        reading = asyncio.ensure_future(EMAIL_RECEIVE.handler(params, attempt(resources)))
        await asyncio.wait_for(asked.wait(), PATIENCE)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(reading, PATIENCE)
        await asyncio.wait_for(ended.wait(), PATIENCE)


async def test_an_address_that_flows_may_not_reach_is_not_connected_to(imap: ImapServer) -> None:
    async with Resources() as resources:
        guarded = dataclasses.replace(attempt(resources), addresses=AddressPolicy())
        params = read_params(EMAIL_RECEIVE, account(imap))
        with pytest.raises(NodeFailed) as caught:
            await EMAIL_RECEIVE.handler(params, guarded)
    assert caught.value.error.name == "AddressRefused"


def attempt(resources: Resources) -> Attempt:
    policy = AddressPolicy(guarded=False)
    return Attempt(node="n", flow="f", run_id="r", key="k", resources=resources, addresses=policy)


# Marking


async def test_marks_are_put_and_taken_away(imap: ImapServer, receive: Do, mark: Do) -> None:
    imap.put(mail("one"), mail("two"))
    ids = [message["id"] for message in (await receive())["messages"]]
    result = await mark(ids=ids[:1], mark="seen")
    assert result == {"done": ids[:1], "gone": []}
    assert subjects(await receive()) == ["two"]
    await mark(ids=ids, mark="flagged")
    assert subjects(await receive(search={"flagged": True})) == ["one", "two"]
    await mark(ids=ids, mark="unflagged")
    await mark(ids=ids, mark="unseen")
    assert subjects(await receive(search={"flagged": True})) == []
    assert subjects(await receive()) == ["one", "two"]


async def test_a_mail_is_moved_once_however_often_it_is_asked_for(
    imap: ImapServer, receive: Do, mark: Do
) -> None:
    imap.put(mail("one"), mail("two"))
    imap.put(mail("zero"), mailbox="Done")
    ids = [message["id"] for message in (await receive())["messages"]]
    first = await mark(ids=ids[:1], mark="seen", move_to="Done")
    again = await mark(ids=ids[:1], mark="seen", move_to="Done")
    assert (first["done"], again["done"], again["gone"]) == (ids[:1], [], ids[:1])
    assert subjects(await receive()) == ["two"]
    assert subjects(await receive(mailbox="Done", search={})) == ["zero", "one"]
    failed = await failure(mark(ids=ids[1:], move_to="Nowhere"), "MailRefused")
    assert "Nowhere" in failed.message


async def test_only_the_mails_named_are_deleted(imap: ImapServer, receive: Do, mark: Do) -> None:
    imap.put(mail("kept"), flags="(\\Deleted)")
    imap.put(mail("gone"), mail("left"))
    read = (await receive(search={}))["messages"]
    [gone] = [message["id"] for message in read if message["subject"] == "gone"]
    assert (await mark(ids=[gone], delete=True))["done"] == [gone]
    assert subjects(await receive(search={})) == ["kept", "left"]


async def test_ids_of_another_mailbox_mean_nothing(imap: ImapServer, receive: Do, mark: Do) -> None:
    imap.put(mail("one"))
    imap.put(mail("other"), mailbox="Other")
    [read] = (await receive(mailbox="Other"))["messages"]
    await failure(mark(ids=[read["id"]], delete=True), "MailRefused")
    assert subjects(await receive()) == ["one"]


@pytest.mark.parametrize(
    "params",
    [
        {"ids": ["1:*"], "mark": "seen"},
        {"ids": ["1.2,3"], "mark": "seen"},
        {"ids": ["1.2"]},
        {"ids": ["1.2"], "move_to": "Done", "delete": True},
        {"ids": ["1.2"], "move_to": "Done\r\nA1 LOGOUT"},
    ],
)
async def test_what_makes_no_sense_is_refused(mark: Do, params: JsonObject) -> None:
    await failure(mark(**params), "InvalidParams")
