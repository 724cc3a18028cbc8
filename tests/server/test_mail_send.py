"""`email.send` against real SMTP servers on loopback."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.addresses import AddressPolicy
from activities.attempt import Attempt, Resources
from activities.errors import NodeFailed
from activities.mail.send import EMAIL_SEND
from activities.parameters import read_params
from examples.imap import PASSWORD, USER
from flowspec.values import JsonObject
from tests import attempts
from tests.mail import Certificates, Mailroom, make_certificates, start_smtp
from tests.server.support import PATIENCE

Send = Callable[..., Awaitable[dict[str, Any]]]

MAIL: JsonObject = {
    "host": "localhost",
    "from": "Ann <ann@example.com>",
    "to": "bob@example.com",
    "subject": "Hello",
    "text": "Hi Bob",
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def room() -> AsyncIterator[Mailroom]:
    async with start_smtp() as room:
        yield room


@pytest.fixture
async def send() -> AsyncIterator[Send]:
    """Perform `email.send` as a worker does; parameters left out are those of `MAIL`."""
    async with Resources() as resources:

        async def perform(room: Mailroom, *, attempt: Any = None, **params: Any) -> dict[str, Any]:
            server: JsonObject = {"port": room.port, "security": "none", "timeout": "10s"}
            read = read_params(EMAIL_SEND, {**MAIL, **server, **params})
            result = await EMAIL_SEND.handler(read, attempt or make_attempt(resources))
            return dict(result)  # type: ignore[arg-type]

        yield perform


def make_attempt(resources: Resources, **more: Any) -> Attempt:
    return Attempt(
        node="send",
        flow="f",
        run_id="r",
        key="wf-1/r/send",
        resources=resources,
        addresses=AddressPolicy(guarded=False),
        **more,
    )


async def failure(sending: Awaitable[Any], name: str) -> NodeFailed:
    with pytest.raises(NodeFailed) as caught:
        await sending
    assert caught.value.error.name == name, caught.value
    assert caught.value.error in EMAIL_SEND.node_type.errors
    return caught.value


async def test_a_mail_arrives_with_what_was_said(send: Send, room: Mailroom) -> None:
    result = await send(
        room,
        to=["Bob <bob@example.com>", '"Zoë, Größe" <zoe@example.com>'],
        cc="carl@example.com",
        bcc=["dora@example.com", "bob@example.com"],
        reply_to="answers@example.com",
        subject="Grüße, Bob",
        text="Hi\n.\nBob",
        html="<p>Hi</p>",
        headers={"Auto-Submitted": "auto-generated"},
    )
    message = room.message()
    everybody = ["bob@example.com", "zoe@example.com", "carl@example.com", "dora@example.com"]
    assert room.mails[0].mail_from == "ann@example.com"
    assert room.mails[0].rcpt_tos == result["accepted"] == everybody
    assert message["From"] == "Ann <ann@example.com>"
    assert message["To"] == 'Bob <bob@example.com>, "Zoë, Größe" <zoe@example.com>'
    assert message["Cc"] == "carl@example.com"
    assert message["Reply-To"] == "answers@example.com"
    assert message["Subject"] == "Grüße, Bob"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == result["message_id"]
    assert b"dora" not in (room.mails[0].original_content or b"")
    text, html = (message.get_body([kind]) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content().splitlines() == ["Hi", ".", "Bob"]
    assert html.get_content() == "<p>Hi</p>"
    assert result["refused"] == []


async def test_attachments_arrive_byte_for_byte(send: Send, room: Mailroom) -> None:
    long = "ö" * 100 + ".csv"
    await send(
        room,
        attachments=[
            {"name": "a.json", "content": {"a": 1}},
            {"name": long, "content": "x;y\r\n1;2\n"},
            {"name": "b c", "content": "<a/>", "content_type": "text/xml; charset=utf-8"},
        ],
    )
    parts = list(room.message().iter_attachments())
    assert [part.get_filename() for part in parts] == ["a.json", long, "b c"]
    types = ["application/json", "text/csv", "text/xml"]
    assert [part.get_content_type() for part in parts] == types
    contents = [b'{"a":1}', b"x;y\r\n1;2\n", b"<a/>"]
    assert [part.get_payload(decode=True) for part in parts] == contents


async def test_every_attempt_sends_the_same_mail(send: Send, room: Mailroom) -> None:
    first, second = await send(room), await send(room)
    assert first["message_id"] == second["message_id"]
    assert first["message_id"].endswith("@example.com>")
    async with Resources() as resources:
        other = dataclasses.replace(make_attempt(resources), key="wf-1/r/other")
        assert (await send(room, attempt=other))["message_id"] != first["message_id"]


async def test_what_an_attempt_has_sent_the_next_one_does_not_send(
    send: Send, room: Mailroom
) -> None:
    told: list[Any] = []
    async with Resources() as resources:
        first = await send(room, attempt=make_attempt(resources, beat=told.append))
        again = make_attempt(resources, progress=told[-1], number=2)
        assert await send(room, attempt=again) == first
        assert len(room.mails) == 1
        elsewhere = dataclasses.replace(again, key="wf-1/r/other")
        await send(room, attempt=elsewhere)
    assert len(room.mails) == 2


# Security


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_passwords_go_over_verified_tls(
    send: Send,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    security: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    async with start_smtp(certificates, tls=security == "tls", login=True) as room:
        await send(room, security=security, username=USER, password=PASSWORD)
        assert room.logins == [(USER, PASSWORD)]
        assert len(room.mails) == 1


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_that_is_not_trusted_ends_it(
    send: Send, certificates: Certificates, security: str
) -> None:
    async with start_smtp(certificates, tls=security == "tls", login=True) as room:
        sending = send(room, security=security, username=USER, password=PASSWORD)
        failed = await failure(sending, "MailTlsError")
        assert "certificate is not trusted" in failed.message
        assert room.logins == []


async def test_a_certificate_for_another_name_ends_it(
    send: Send, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    async with start_smtp(certificates, tls=True) as room:
        failed = await failure(send(room, host="127.0.0.2", security="tls"), "MailUnreachable")
        assert "127.0.0.2" in failed.message


async def test_no_starttls_is_no_reason_to_go_on_without(send: Send, room: Mailroom) -> None:
    failed = await failure(send(room, security="starttls"), "MailTlsError")
    assert "does not offer STARTTLS" in failed.message
    await failure(send(room, security="tls"), "MailTlsError")
    assert room.mails == []


async def test_plaintext_to_another_machine_has_to_be_meant() -> None:
    for host in ("mail.example.com", "127.0.0.1.example.com"):
        with pytest.raises(NodeFailed, match="allow_plaintext: true"):
            read_params(EMAIL_SEND, {**MAIL, "host": host, "security": "none"})
    enough: list[JsonObject] = [{"host": "localhost"}, {"host": "::1"}, {"allow_plaintext": True}]
    for given in enough:
        read_params(EMAIL_SEND, {**MAIL, "host": "x.example", "security": "none", **given})


async def test_a_wrong_password_is_told_and_stays_unknown(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    async with start_smtp(certificates, login=True) as room:
        params = {**MAIL, "port": room.port, "security": "starttls", "username": USER}
        call: JsonObject = {"node": "n", "flow": "f", "run_id": "r", "key": "k"}
        call["secrets"] = ["PASS"]
        call["params"] = {**params, "password": "${secrets.PASS}"}
        call["deferred"] = ["/password"]
        secret = {"FLOWRUNNER_SECRET_PASS": "wrong-horse"}
        with pytest.raises(ApplicationError) as caught:
            await attempts.perform(EMAIL_SEND, call, environment=secret)
        assert caught.value.type == "MailAuthFailed"
        assert caught.value.non_retryable
        assert room.logins == [(USER, "wrong-horse")]
        assert "wrong-horse" not in f"{caught.value} {caught.value.details}"


async def test_a_server_without_logins_is_told(send: Send, room: Mailroom) -> None:
    failed = await failure(send(room, username=USER, password=PASSWORD), "MailAuthFailed")
    assert "AUTH" in failed.message


async def test_an_address_that_flows_may_not_reach_is_not_connected_to(
    send: Send, room: Mailroom
) -> None:
    async with Resources() as resources:
        guarded = dataclasses.replace(make_attempt(resources), addresses=AddressPolicy())
        await failure(send(room, attempt=guarded), "AddressRefused")


# Refusals


async def test_if_one_recipient_is_refused_nobody_gets_it(send: Send, room: Mailroom) -> None:
    room.rejected = {"carl@example.com": "550 no such user", "dora@example.com": "450 later"}
    people = ["bob@example.com", "carl@example.com", "dora@example.com"]
    failed = await failure(send(room, to=people), "MailRefused")
    assert "carl@example.com: 550 no such user" in failed.message
    assert isinstance(failed.details, dict)
    assert failed.details["accepted"] == ["bob@example.com"]
    failed = await failure(send(room, to=["bob@example.com", "dora@example.com"]), "MailDeferred")
    assert room.mails == []


async def test_partial_sending_names_those_left_out(send: Send, room: Mailroom) -> None:
    room.rejected = {"carl@example.com": "550 no such user", "dora@example.com": "450 later"}
    people = ["bob@example.com", "carl@example.com", "dora@example.com"]
    result = await send(room, to=people, allow_partial=True)
    assert room.mails[0].rcpt_tos == result["accepted"] == ["bob@example.com"]
    assert result["refused"] == [
        {"address": "carl@example.com", "code": 550, "message": "no such user", "permanent": True},
        {"address": "dora@example.com", "code": 450, "message": "later", "permanent": False},
    ]
    await failure(send(room, to="carl@example.com", allow_partial=True), "MailRefused")


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"of_mail": "550 not you"}, "MailRefused"),
        ({"of_mail": "421 closing"}, "MailDeferred"),
        ({"of_data": "554 spam"}, "MailRefused"),
        ({"of_data": "451 try later"}, "MailDeferred"),
        ({"of_data": "552 too big"}, "MailTooLarge"),
        ({"dies_after_data": True}, "MailUnconfirmed"),
    ],
)
async def test_what_the_servers_answers_mean(
    send: Send, room: Mailroom, answers: dict[str, Any], error: str
) -> None:
    vars(room).update(answers)
    failed = await failure(send(room), error)
    permanent = error in ("MailRefused", "MailTooLarge")
    assert failed.error.permanent == permanent


async def test_a_server_that_is_not_there_may_be_tried_again(send: Send) -> None:
    failed = await failure(send(Mailroom(port=1)), "MailUnreachable")
    assert not failed.error.permanent
    unknown = send(Mailroom(port=25), host="nowhere.invalid", allow_plaintext=True)
    await failure(unknown, "MailUnreachable")


async def test_a_server_that_says_nothing_is_not_waited_for_without_end(send: Send) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        silent = Mailroom(port=server.sockets[0].getsockname()[1])
        await failure(send(silent, timeout="200ms"), "MailUnreachable")


async def test_more_than_fits_is_refused_before_anything_is_sent(
    send: Send, room: Mailroom
) -> None:
    files = [{"name": f"{number}", "content": "x" * 13_000_000} for number in range(2)]
    await failure(send(room, attachments=files), "MailTooLarge")
    assert room.mails == []


async def test_a_cancelled_sending_hangs_up(send: Send, room: Mailroom) -> None:
    room.hangs = True
    sending = asyncio.ensure_future(send(room))
    while not room.mails:
        await asyncio.sleep(0.01)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(sending, PATIENCE)


async def test_a_mail_that_is_cancelled_half_way_never_becomes_a_whole_one(send: Send) -> None:
    handing_over, cancelled = asyncio.Event(), asyncio.Event()
    rest: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        while not (await reader.readline()).startswith(b"DATA"):
            writer.write(b"250 OK\r\n")
        writer.write(b"354 go on\r\n")
        await reader.readexactly(1_000)  # the mail is on its way
        handing_over.set()
        await cancelled.wait()
        try:
            rest.set_result(await reader.read())
        except ConnectionError:
            rest.set_result(b"")
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0, limit=1024) as server:
        slow = Mailroom(port=server.sockets[0].getsockname()[1])
        files = [{"name": "large", "content": "x" * 20_000_000}]
        sending = asyncio.ensure_future(send(slow, attachments=files))
        await asyncio.wait_for(handing_over.wait(), PATIENCE)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        cancelled.set()
        assert not (await asyncio.wait_for(rest, PATIENCE)).endswith(b"\r\n.\r\n")
