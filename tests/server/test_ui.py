"""Temporal's web UI beside `flowrunner dev`, in a real browser: values it does not hold."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser import PATIENCE, needs_browser, open_page
from tests.server.support import Product, free_port, until

KEYS = "k1:" + base64.b64encode(bytes(range(32))).decode()

pytestmark = [needs_browser, pytest.mark.timeout(240)]


HAND_ON = """\
flow: hand_on
input:
  required: [text]
  properties: {text: {type: string}, n: {type: integer}}
nodes:
  say: {type: log, params: {message: "${input.text}"}}
output: {text: "${input.text}"}
"""


@dataclass(frozen=True, kw_only=True)
class Dev:
    product: Product
    ui: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """`url` and the number of an event is its page."""

    url: str
    events: int
    history: bytes


@pytest.fixture(params=["plain", "encrypted"])
def dev(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Dev]:
    """`flowrunner dev` with its UI; it keeps values of more than 2 KB in a folder of the test's."""
    port, ui_port, codec_port = free_port(), free_port(), free_port()
    product = Product(
        address=f"127.0.0.1:{port}",
        folder=tmp_path / "product",
        settings={
            "BLOB_STORAGE_PATH": str(tmp_path / "blobs"),
            "CLAIM_CHECK_THRESHOLD": "2KB",
            "CLAIM_CHECK_KEYS": KEYS if request.param == "encrypted" else "",
        },
    )
    process = product.start_cli(
        "dev",
        *("--port", str(port), "--ui-port", str(ui_port), "--codec-port", str(codec_port)),
        *("--data-dir", "data"),
    )
    try:
        until(lambda: "Flowrunner is ready." in process.output(), what="flowrunner dev")
        assert f"Codec      http://127.0.0.1:{codec_port}" in process.output()
        assert "  Values     large ones in folder /" in process.output()
        yield Dev(product=product, ui=f"http://127.0.0.1:{ui_port}")
    finally:
        process.stop()


async def _run(dev: Dev, value: Any) -> Run:
    """A run of a flow that hands its input on, ended, with what its history needs to be found."""
    dev.product.write_flow("hand_on", HAND_ON)
    (dev.product.folder / "input.json").write_text(json.dumps(value), encoding="utf-8")
    done = dev.product.cli("run", "hand_on", "--input", "@input.json", "--id", "ui-1")
    assert done.returncode == 0, done.stderr
    history = await (await dev.product.client()).get_workflow_handle("ui-1").fetch_history()
    return Run(
        url=f"{dev.ui}/namespaces/default/workflows/ui-1/{history.run_id}/history/events",
        events=len(history.events),
        history=b"".join(event.SerializeToString() for event in history.events),
    )


async def _downloaded(page: Page) -> bytes:
    """What the button gives that has the size of a value on it."""
    async with page.expect_download(timeout=PATIENCE) as expected:
        await page.get_by_role("button", name=re.compile(r"^[\d.]+ KB$")).first.click()
    return (await (await expected.value).path()).read_bytes()


async def test_the_ui_shows_values_in_the_store_as_if_they_were_in_the_history(dev: Dev) -> None:
    run = await _run(dev, {"text": "shown-by-the-codec " * 300})
    assert b"shown-by-the-codec" not in run.history
    async with open_page() as page:
        await page.goto(f"{run.url}/{run.events}")  # where the run has completed
        shown = page.get_by_text("shown-by-the-codec").first
        await expect(shown).to_be_visible(timeout=PATIENCE)


async def test_the_ui_downloads_what_a_payload_stands_for(dev: Dev) -> None:
    value = {"text": "é" * 200_000, "n": 12345678901234567890}
    run = await _run(dev, value)
    async with open_page() as page:
        await page.goto(f"{run.url}/1")  # where the run was given its input
        assert json.loads(await _downloaded(page)) == value
