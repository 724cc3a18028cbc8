"""The example of every node type runs: here, or where its family has what it needs."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.worker import Worker

from activities.catalogue import built_in
from examples.imap import PASSWORD, USER
from tests.mail import make_certificates, needs_imap_server, start_imap, start_smtp
from tests.server.support import ROOT, Answer, HttpService, Product, TemporalServer, until

CATALOGUE = built_in()

ELSEWHERE: Mapping[str, str] = {
    "agent": "test_agents.py",
    "agent.turn": "test_agents.py",
    "call": "test_node_examples.py",
    "container": "test_commands.py",
    "email.mark": "test_node_examples.py",
    "email.receive": "test_node_examples.py",
    "email.send": "test_node_examples.py",
    "llm.chat": "test_models.py",
    "llm.embed": "test_models.py",
    "mcp.call": "test_mcp.py",
    "mcp.tools": "test_mcp.py",
    "rag.delete": "test_rag.py",
    "rag.index": "test_rag.py",
    "rag.search": "test_rag.py",
    "script.js": "test_script.py",
    "shell": "test_commands.py",
    "sql.query": "test_store.py",
    "store.append": "test_store.py",
    "store.compare_and_set": "test_store.py",
    "store.delete": "test_store.py",
    "store.get": "test_store.py",
    "store.increment": "test_store.py",
    "store.list": "test_store.py",
    "store.query": "test_store.py",
    "store.set": "test_store.py",
}
"""The tests that run the examples of node types which need something of their own."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """How an example is started, and what comes of it; `SERVICE` stands for an HTTP service."""

    input: Mapping[str, Any] = field(default_factory=dict)
    output: Any = None
    status: str = "completed"
    instead: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    then: tuple[str, ...] = ()


def _zip(**files: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.csv", text)
    return packed.getvalue()


def _served(body: Any, **more: Any) -> dict[str, Any]:
    return {"input": {"url": "SERVICE/it"}, "answers": {"GET /it": Answer(body=body)}, **more}


PLAYED: Mapping[str, Played] = {
    "set": Played(output=1),
    "noop": Played(),
    "wait": Played(),
    "event": Played(then=("signal", "ID", "payment")),
    "approval": Played(then=("approve", "ID", "--data", '{"badge": "7"}')),
    "block": Played(input={"names": ["Ada", "Bob"]}, output=["Hello Ada", "Hello Bob"]),
    "flow": Played(output="Hello, Ada!"),
    "fail": Played(input={"amount": 101}, status="failed"),
    "return": Played(output="quick"),
    "http.request": Played(
        input={"city": "Linz"},
        output={"degrees": 21},
        instead={"https://weather.example": "SERVICE"},
        answers={"GET /now": Answer(body={"degrees": 21})},
    ),
    "webhook.send": Played(
        input={"order": "A1"},
        instead={"https://shop.example": "SERVICE"},
        answers={"POST /hooks": Answer(body="thanks")},
    ),
    "log": Played(input={"name": "Ada"}),
    "transform": Played(
        input={"people": [{"name": "Ada", "age": 36, "address": {"city": "Linz"}}, {"age": 3}]},
        output=[{"name": "Ada", "city": "Linz"}],
    ),
    "template": Played(
        input={"customer": {"name": "<Ada>"}, "items": [{"title": "Pen", "price": 2}]},
        output="<p>Dear &lt;Ada&gt;,</p>\n<ul>\n<li>Pen: 2 €</li>\n</ul>\n",
    ),
    "validate": Played(input={"order": {"id": "AB1", "items": [1]}}),
    "csv.read": Played(
        **_served(
            "Id;Name;Email\n1;Zoë;zoe@example.com\n".encode("windows-1252"),
            output=[{"Name": "Zoë", "Email": "zoe@example.com"}],
        )
    ),
    "csv.write": Played(
        input={"people": [{"name": "=Ada", "email": "a@example.com"}]},
        output="name,email\n'=Ada,a@example.com\n",
    ),
    "json.read": Played(**_served(b'{"n": 1}\n{"n": 2}\n', output=[{"n": 1}, {"n": 2}])),
    "json.write": Played(input={"events": [{"n": 1}, 2]}, output='{"n":1}\n2\n'),
    "xml.read": Played(
        input={"xml": '<order id="7"><item><title>Pen</title></item></order>'},
        output={"id": "7", "titles": ["Pen"]},
    ),
    "xml.write": Played(
        input={"id": "7", "titles": ["Pen"]},
        output=(
            '<?xml version="1.0" encoding="UTF-8"?>\n<order id="7">\n'
            "  <item>\n    <title>Pen</title>\n  </item>\n</order>"
        ),
    ),
    "archive.create": Played(input={"rows": [{"a": 1}]}, output=...),
    "archive.extract": Played(**_served(_zip(a="x\n1\n2\n", b="x\n3\n"), output=[2, 1])),
    "file.read": Played(output=[{"id": "1", "sum": "9"}]),
    "file.write": Played(input={"orders": [{"id": 1}]}),
    "file.list": Played(output=["id,sum\n1,9\n"]),
}


def test_every_example_is_run_somewhere() -> None:
    assert sorted([*PLAYED, *ELSEWHERE]) == sorted(CATALOGUE)
    for name in ELSEWHERE.values():
        assert "example" in (ROOT / "tests" / "server" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def runner(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    files = tmp_path_factory.mktemp("files")
    (files / "in").mkdir()
    (files / "in" / "orders.csv").write_text("id,sum\n1,9\n")
    product = Product(
        address=temporal_server.address,
        folder=tmp_path_factory.mktemp("node-examples"),
        settings={"FLOWRUNNER_SECRET_WEBHOOK_SECRET": "s3cret-s3cret-s3cret"}
        | {"FLOWRUNNER_FILES_DIRS": str(files)},
    )
    product.write_flow("hello", (ROOT / "examples" / "hello.yaml").read_text())
    try:
        product.start_worker()
        yield product
    finally:
        product.stop()


@pytest.mark.parametrize("name", PLAYED)
async def test_the_example_of_a_node_type_runs(
    name: str, runner: Product, http_service: HttpService
) -> None:
    played = PLAYED[name]
    text = CATALOGUE[name].example
    for old, new in played.instead.items():
        text = text.replace(old, new)
    for place, answer in played.answers.items():
        method, path = place.split(" ")
        http_service.on(method, path, answer)
    here = json.dumps({"flow": text, "input": played.input}).replace("SERVICE", http_service.url)
    client, run_id = await runner.client(), f"example-of-{name}"
    await client.start_workflow("flow", json.loads(here), id=run_id, task_queue=runner.task_queue)
    if played.then:
        verb, _, *rest = played.then
        await asyncio.to_thread(until, lambda: _waits(runner, run_id), what="the wait")
        assert runner.cli(verb, run_id, *rest).returncode == 0
    ended = runner.cli_json("result", run_id, "--json")
    assert ended["status"] == played.status, ended
    if played.output is not None:
        assert played.output is ... or ended["output"] == played.output


def _waits(runner: Product, run_id: str) -> bool:
    return bool(runner.cli_json("status", run_id, "--json").get("waiting"))


@activity.defn(name="ChargeCard")
async def charge_card(order: str, amount: dict[str, int]) -> dict[str, Any]:
    return {"order": order, "paid": amount["cents"]}


async def test_the_example_of_call_runs(runner: Product) -> None:
    client = await runner.plain_client()
    given = {"flow": CATALOGUE["call"].example, "input": {"order": "A1", "amount": 500}}
    async with Worker(client, task_queue="payments", activities=[charge_card]):
        paid = await client.execute_workflow(
            "flow", given, id="example-of-call", task_queue=runner.task_queue
        )
    assert paid == {"order": "A1", "paid": 500}


@needs_imap_server
async def test_the_examples_of_mail_run(runner: Product, tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    runner.start_worker(
        FLOWRUNNER_SECRET_MAIL_PASSWORD=PASSWORD,
        SSL_CERT_FILE=str(certificates.authority),
        FLOWRUNNER_TASK_QUEUE="mails",
    )
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "zoe@example.com", "Order 7"
    mail.set_content("Two pens")
    client = await runner.client()

    async def run(name: str, host: str, port: int, given: dict[str, Any]) -> Any:
        text = CATALOGUE[name].example
        for user in ("reports@example.com", "orders@example.com"):
            text = text.replace(f"username: {user}", f"username: {USER}")
        for place in ("smtp.example.com", "imap.example.com"):
            text = text.replace(
                f"host: {place}\n", f"host: {host}\n      port: {port}\n      security: tls\n"
            )
        argument = {"flow": text, "input": given}
        return await client.execute_workflow("flow", argument, id=name, task_queue="mails")

    async with start_smtp(certificates, tls=True, login=True) as room:
        given = {"to": "bob@example.com", "report": "a;b"}
        sent = await run("email.send", "localhost", room.port, given)
        assert room.message()["Message-ID"] == sent
    with start_imap(certificates) as imap:
        imap.put(mail.as_bytes())
        assert await run("email.receive", "localhost", imap.tls_port, {}) == 1
        assert "\\Seen" in " ".join(imap.flags())
        with imap.client() as box:
            box.create("Done")
            _, [status] = box.status("INBOX", "(UIDVALIDITY)")
        first = f"{status.rpartition(b' ')[2].decode().rstrip(')')}.1"
        await run("email.mark", "localhost", imap.tls_port, {"ids": [first]})
        assert len(imap.flags("Done")) == 1
