"""examples/triage: mail that comes in, on a worker that talks to a model and real mail servers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from examples.imap import PASSWORD, ImapServer
from examples.mailbox import PASSWORD as SMTP_PASSWORD
from examples.mailbox import attachments
from examples.triage.systems import MAILBOXES, MODEL_KEY, Office
from tests.applications import (
    EXAMPLES,
    commands_in,
    documented_commands,
    ended,
    install,
    text_of,
)
from tests.mail import make_certificates, needs_imap_server, start_imap
from tests.server.support import Product, TemporalServer, until

pytestmark = needs_imap_server

APPLICATION = EXAMPLES / "triage"
ORDER, COMPLAINT, UNCLEAR, NEWS = (
    path.read_bytes() for path in sorted((APPLICATION / "mails").glob("*.eml"))
)
ANN, BOB, CLEO = (f"{name}@buyer.example" for name in ("ann", "bob", "cleo"))
DESK, ORDERS, CARE, ACCOUNTS = (
    f"{name}@firm.example" for name in ("desk", "orders", "care", "accounts")
)


@pytest.fixture(scope="module")
def imap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImapServer]:
    with start_imap(make_certificates(tmp_path_factory.mktemp("certificates"))) as server:
        yield server


@pytest.fixture(scope="module")
def product(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    """A worker that serves the application, with the secrets that its flows name."""
    folder = tmp_path_factory.mktemp("triage")
    made = Product(
        address=temporal_server.address,
        folder=folder,
        settings={
            "FLOWRUNNER_SECRET_MODEL_KEY": MODEL_KEY,
            "FLOWRUNNER_SECRET_IMAP_PASSWORD": PASSWORD,
            "FLOWRUNNER_SECRET_MAIL_PASSWORD": SMTP_PASSWORD,
            "FLOWRUNNER_STORE": f"sqlite://{folder}/store.db",
        },
    )
    try:
        made.start_worker()
        yield made
    finally:
        made.stop()


class Desk:
    """The office, its inbox, and the command line of who works there."""

    def __init__(self, product: Product, office: Office, imap: ImapServer) -> None:
        self.product = product
        self.office = office
        self.imap = imap

    def triage(self) -> Any:
        result = self.product.cli_json("run", "triage", "--json")
        assert result["status"] == "completed", result
        return result["output"]

    def handled(self, count: int) -> dict[str, Any]:
        """What came of the mails, by subject, when so many were started."""
        started = self.triage()["started"]
        assert len(started) == count
        return {run: ended(self.product, run) for run in started}

    def mails(self, address: str, count: int = 1) -> list[EmailMessage]:
        """Those to the address, once there are so many."""
        mailbox = self.office.mailbox
        until(lambda: len(mailbox.to(address)) >= count, what=f"mail {count} to {address}")
        return mailbox.to(address)

    def decide(self, *command: str) -> None:
        """People take longer to answer than the run to ask; here, the mail may come first."""
        until(lambda: self.product.cli(*command).returncode == 0, what="the answer to be taken")

    def inside(self, mailbox: str = "INBOX") -> list[str]:
        """The subjects of the mails there."""
        with self.imap.client() as client:
            if client.select(mailbox, readonly=True)[1] == [b"0"]:
                return []
            _, found = client.fetch("1:*", "(RFC822.HEADER)")
            parts = [part[1] for part in found if isinstance(part, tuple)]
        return [str(message_from_bytes(each, policy=policy.default)["Subject"]) for each in parts]


@pytest.fixture
def desk(product: Product, imap: ImapServer) -> Iterator[Desk]:
    imap.empty()
    for name in MAILBOXES:
        imap.put(mailbox=name)
    with Office() as office:
        here = {
            "127.0.0.1:8099": office.url.removeprefix("http://"),
            "port: 8025": f"port: {office.mailbox.port}",
            "port: 8143": f"port: {imap.port}",
        }
        install(APPLICATION, product.flows_dir, here)
        yield Desk(product, office, imap)


def test_what_the_model_is_sure_of_is_forwarded_answered_and_filed(desk: Desk) -> None:
    desk.imap.put(with_file(ORDER), COMPLAINT, NEWS)
    results = desk.handled(3).values()
    assert [(each["output"]["kind"], each["output"]["answered"]) for each in results] == [
        ("order", True),
        ("complaint", True),
        ("advertising", False),
    ]
    [order] = desk.mails(ORDERS)
    assert order["Subject"] == "[order] Order of chairs"
    assert "40 pieces" in text_of(order)
    assert attachments(order) == {"plan.bin": bytes(range(256)) * 800}
    [thanks] = desk.mails(ANN)
    assert (thanks["Subject"], thanks["In-Reply-To"]) == (
        "Re: Order of chairs",
        "<order-1@buyer.example>",
    )
    [sorry] = desk.mails(BOB)
    assert sorry["Subject"] == "Re: Your chairs"
    assert sorry["References"].split() == [
        "<shipped-6@firm.example>",
        "<shipped-7@firm.example>",
        "<complaint-2@buyer.example>",
    ]
    assert sorry["Auto-Submitted"] == "auto-replied"
    assert len(desk.office.mailbox.mails) == 4, "nobody answers a newsletter"
    assert desk.inside() == []
    assert sorted(desk.inside("Done")) == ["Order of chairs", "Re: Your chairs"]
    assert desk.inside("Advertising") == ["Our newsletter"]
    assert desk.triage() == {"found": 0, "started": [], "stuck": [], "more": 0}


def with_file(mail: bytes) -> bytes:
    message = message_from_bytes(mail, policy=policy.default)
    assert isinstance(message, EmailMessage)
    data = bytes(range(256)) * 800
    message.add_attachment(data, maintype="application", subtype="x", filename="plan.bin")
    return message.as_bytes()


def test_what_the_model_is_not_sure_of_somebody_decides(desk: Desk) -> None:
    desk.imap.put(UNCLEAR, ORDER)
    unclear, order = desk.triage()["started"]
    assert ended(desk.product, order)["output"]["kind"] == "order", "it waits for nobody"
    [question] = desk.mails(DESK)
    assert "the table I was to pay for was broken" in text_of(question)
    accept, _ = commands_in(text_of(question))
    assert accept[:2] == ["approve", unclear]
    assert desk.inside() == ["Invoice 77"]
    words = "Keep your money, and the table."
    wrong = desk.product.cli("approve", unclear, "--data", '{"kind": "love letter"}')
    assert wrong.returncode != 0
    assert "love letter" in wrong.stderr
    data = json.dumps({"kind": "complaint", "reply": words})
    desk.decide("approve", unclear, "--data", data, "--by", "dora")
    assert ended(desk.product, unclear)["output"] == {
        "status": "handled",
        "kind": "complaint",
        "by": "dora",
        "answered": True,
    }
    [forwarded] = desk.mails(CARE)
    assert "Sorted by: dora" in text_of(forwarded)
    [answer] = desk.mails(CLEO)
    assert text_of(answer).strip() == words
    assert answer["In-Reply-To"] == "<unclear-3@buyer.example>"
    assert "Invoice 77" in desk.inside("Done")


def test_what_nobody_wants_to_decide_is_left_alone(desk: Desk) -> None:
    flow = desk.product.flows_dir / "handle-mail.yaml"
    flow.write_text(flow.read_text().replace("timeout: 3d", "timeout: 1s"))
    desk.imap.put(UNCLEAR)
    [result] = desk.handled(1).values()
    assert result["output"]["status"] == "left"
    flow.write_text(flow.read_text().replace("timeout: 1s", "timeout: 3d"))
    desk.imap.put(UNCLEAR)
    [run] = desk.triage()["started"]
    _, refuse = commands_in(text_of(desk.mails(DESK, 2)[-1]))
    desk.decide(*refuse)
    assert ended(desk.product, run)["output"]["status"] == "left"
    assert desk.inside("Left") == ["Invoice 77"] * 2
    assert desk.office.mailbox.to(CLEO) == []


def test_without_the_model_somebody_decides(desk: Desk) -> None:
    flow = desk.product.flows_dir / "handle-mail.yaml"
    flow.write_text(flow.read_text().replace("interval: 1s, factor: 5", "interval: 10ms"))
    desk.office.broken = True
    desk.imap.put(ORDER)
    [run] = desk.triage()["started"]
    [question] = desk.mails(DESK)
    assert "it does not answer" in text_of(question)
    accept, _ = commands_in(text_of(question))
    desk.decide(*accept)
    assert ended(desk.product, run)["output"]["kind"] == "order"
    assert len(desk.mails(ANN)) == 1


def test_a_mail_that_cannot_be_handled_stops_no_other_and_is_put_aside(desk: Desk) -> None:
    systems = desk.product.flows_dir / "systems.yaml"
    systems.write_text(systems.read_text().replace("mailbox: Advertising", "mailbox: Nowhere"))
    desk.imap.put(NEWS, ORDER)
    news, order = desk.handled(2).values()
    assert (news["status"], news["error"]["type"]) == ("failed", "MailRefused")
    assert order["output"]["status"] == "handled"
    assert desk.inside("Failed") == ["Our newsletter"]
    assert "\\Flagged" in desk.imap.flags("Failed")[0]
    [told] = desk.mails(DESK)
    assert told["Subject"] == "Not handled: Our newsletter"
    assert desk.inside() == []


def test_a_mail_is_handled_once_however_often_it_is_found(desk: Desk) -> None:
    desk.imap.put(UNCLEAR, ORDER)
    first = desk.triage()
    unclear, order = first["started"]
    assert ended(desk.product, order)["status"] == "completed"
    unmark(desk.imap)  # as if it had crashed before
    again = desk.triage()
    assert (again["found"], again["started"], again["stuck"]) == (1, [], [])
    assert re.search(r"\\Seen", desk.imap.flags()[0])
    accept, _ = commands_in(text_of(desk.mails(DESK)[0]))
    desk.decide(*accept)
    assert ended(desk.product, unclear)["status"] == "completed"
    counts = [len(desk.office.mailbox.to(each)) for each in (DESK, ANN, ORDERS)]
    assert counts == [1, 1, 1]


def unmark(imap: ImapServer) -> None:
    with imap.client() as client:
        client.select("INBOX")
        client.store("1:*", "-FLAGS", "\\Seen")


def test_a_run_that_is_started_again_leaves_a_mail_alone(desk: Desk) -> None:
    desk.imap.put(ORDER)
    [run] = desk.handled(1)
    with desk.imap.client() as client:  # found at the last moment before it was moved
        client.select("Done")
        client.copy("1", "INBOX")
    flow = desk.product.flows_dir / "triage.yaml"
    flow.write_text(flow.read_text().replace("id: mail-${mail.id}", f"id: {run}"))
    handle = desk.product.flows_dir / "handle-mail.yaml"
    known = run.removeprefix("mail-")
    handle.write_text(handle.read_text().replace("mail/${input.mail.id}", f"mail/{known}"))
    with desk.imap.client() as client:
        client.select("INBOX")
        client.store("1:*", "-FLAGS", "\\Seen")
    [result] = desk.handled(1).values()
    assert result["output"] == {"status": "begun before"}
    assert len(desk.office.mailbox.to(ANN)) == 1


def test_a_worker_that_crashes_while_the_model_thinks_loses_no_mail(desk: Desk) -> None:
    desk.office.delay = 60
    desk.imap.put(ORDER)
    [run] = desk.triage()["started"]
    until(lambda: len(desk.office.model.questions) == 1, what="the model to be asked")
    desk.product.workers[-1].kill()
    desk.office.delay = 0
    desk.product.start_worker()
    assert ended(desk.product, run)["output"]["kind"] == "order"
    counts = [len(desk.office.mailbox.to(each)) for each in (ANN, ORDERS)]
    assert counts == [1, 1]
    assert desk.inside("Done") == ["Order of chairs"]


def test_what_the_readme_says_works(desk: Desk) -> None:
    (desk.product.folder / "examples").symlink_to(EXAMPLES)
    desk.imap.put(ORDER, COMPLAINT, UNCLEAR, NEWS)
    commands = documented_commands(APPLICATION)
    for command in commands:
        if command[0] == "approve":  # as the mail says it, for nobody knows the id before
            accept, _ = commands_in(text_of(desk.mails(DESK)[0]))
            command = [accept[0], accept[1], *command[2:]]
            desk.decide(*command)
            continue
        done = desk.product.cli(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    until(lambda: desk.inside() == [], what="an empty inbox")
    assert len(commands) >= 5
