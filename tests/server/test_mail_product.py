"""Mail through the product: the flow of the documentation, on a real worker and real servers."""

from __future__ import annotations

import asyncio
import json
import os
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from examples.imap import PASSWORD, USER
from tests.mail import (
    make_certificates,
    needs_imap_server,
    start_imap,
    start_smtp,
)
from tests.project.markdown import ROOT, blocks
from tests.server.conftest import MakeProduct
from tests.server.support import Product

PAGE = ROOT / "docs" / "howto" / "mail.md"


def documented_flow() -> str:
    [flow] = [block.text for block in blocks("yaml") if block.page == PAGE]
    return flow


async def run(product: Product, name: str, given: dict[str, Any]) -> dict[str, Any]:
    (product.folder / "input.json").write_text(json.dumps(given))
    arguments = ("run", name, "--json", "--input", "@input.json")
    ended = await asyncio.to_thread(product.cli_json, *arguments)
    assert isinstance(ended, dict)
    return ended


def product_with(make_product: MakeProduct, authority: Path) -> Product:
    product: Product = make_product(
        FLOWRUNNER_SECRET_MAIL_PASSWORD=PASSWORD,
        FLOWRUNNER_HTTP_PRIVATE="allow",
        SSL_CERT_FILE=str(authority),
    )
    product.start_worker()
    return product


@needs_imap_server
async def test_the_flow_of_the_page_forwards_mails_with_their_attachments(
    make_product: MakeProduct, tmp_path: Path
) -> None:
    certificates = make_certificates(tmp_path)
    picture = os.urandom(300_000)
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "zoe@example.com", "Grüße"
    mail.set_content("Hällo")
    mail.add_attachment(picture, maintype="image", subtype="png", filename="ö.png")
    product = product_with(make_product, certificates.authority)
    product.write_flow("forward-mail", documented_flow())
    with start_imap(certificates) as imap:
        imap.put(mail.as_bytes())
        async with start_smtp(certificates, login=True) as room:
            given = {
                "to": "bob@example.com",
                "imap": {"host": "localhost", "port": imap.port},
                "smtp": {"host": "localhost", "port": room.port},
            }
            ended = await run(product, "forward-mail", given)
            assert ended["status"] == "completed", ended
            assert ended["output"] == 1
            [flags] = imap.flags()
            assert "\\Seen" in flags
            again = await run(product, "forward-mail", given)
            assert again["output"] == 0
        [sent] = room.mails
        assert sent.rcpt_tos == ["bob@example.com"]
        message = room.message()
        [attached] = message.iter_attachments()
        assert message["Subject"] == "Fwd: Grüße"
        assert attached.get_filename() == "ö.png"
        assert attached.get_content_type() == "image/png"
        assert attached.get_payload(decode=True) == picture
        assert room.logins == [(USER, PASSWORD)]


REPORT = """\
flow: report
input: {required: [port, rows], properties: {port: {type: integer}, rows: {type: array}}}
secrets: [MAIL_PASSWORD]
nodes:
  send:
    type: email.send
    retry: {attempts: 3, interval: 100ms}
    params:
      host: localhost
      port: ${input.port}
      username: ann@example.com
      password: ${secrets.MAIL_PASSWORD}
      from: ann@example.com
      to: [bob@example.com, carl@example.com]
      subject: ${len(input.rows)} rows
      html: <p>Attached</p>
      attachments: [{name: rows.json, content: "${input.rows}"}]
output: ${nodes.send.output}
"""


async def test_a_mail_that_is_deferred_is_sent_by_a_later_attempt(
    make_product: MakeProduct, tmp_path: Path
) -> None:
    certificates = make_certificates(tmp_path)
    product = product_with(make_product, certificates.authority)
    product.write_flow("report", REPORT)
    rows = [{"number": number, "text": "x" * 100} for number in range(1_000)]
    async with start_smtp(certificates, login=True) as room:
        room.of_data_once = ["451 come back later"]
        ended = await run(product, "report", {"port": room.port, "rows": rows})
        assert ended["status"] == "completed", ended
        assert ended["output"]["accepted"] == ["bob@example.com", "carl@example.com"]
        first, second = (room.message(number) for number in range(2))
        assert first["Message-ID"] == second["Message-ID"] == ended["output"]["message_id"]
        [attached] = second.iter_attachments()
        data = attached.get_payload(decode=True)
        assert isinstance(data, bytes)
        assert json.loads(data) == rows
        room.rejected = {"carl@example.com": "550 no such user"}
        failed = await run(product, "report", {"port": room.port, "rows": []})
        assert failed["status"] == "failed"
        assert failed["error"]["type"] == "MailRefused"
        assert len(room.mails) == 2
    assert PASSWORD not in "".join(worker.output() for worker in product.workers)
