"""Temporal's web UI beside `flowrunner dev`, in a real browser: values it does not hold."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect
from temporalio.client import Client

from claimcheck.cloakroom import Cloakroom
from claimcheck.codec import ClaimCodec
from claimcheck.keyring import KeyRing
from claimcheck.payloads import data_converter
from claimcheck.stores.filesystem import FilesystemStore
from claimcheck.values import keep
from tests.browser import PATIENCE, needs_browser, open_page
from tests.server.support import Product, free_port, until

KEYS = "k1:" + base64.b64encode(bytes(range(32))).decode()

pytestmark = [needs_browser, pytest.mark.timeout(240)]


@dataclass(frozen=True, kw_only=True)
class Dev:
    product: Product
    ui: str
    blobs: Path
    keys: str

    def event_page(self, workflow_id: str, run_id: str, event: int) -> str:
        run = f"{urllib.parse.quote(workflow_id, safe='')}/{run_id}"
        return f"{self.ui}/namespaces/default/workflows/{run}/history/events/{event}"


@pytest.fixture(params=["plain", "encrypted"])
def dev(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Dev]:
    """`flowrunner dev` with its UI, its blobs in a folder of the test's own."""
    port, ui_port, codec_port = free_port(), free_port(), free_port()
    blobs = tmp_path / "blobs"
    keys = KEYS if request.param == "encrypted" else ""
    product = Product(
        address=f"127.0.0.1:{port}",
        folder=tmp_path / "product",
        settings={"BLOB_STORAGE_PATH": str(blobs), "CLAIM_CHECK_KEYS": keys},
    )
    process = product.start_cli(
        "dev",
        *("--port", str(port), "--ui-port", str(ui_port), "--codec-port", str(codec_port)),
        *("--data-dir", "data"),
    )
    try:
        until(lambda: "Flowrunner is ready." in process.output(), what="flowrunner dev")
        assert f"Codec      http://127.0.0.1:{codec_port}" in process.output()
        yield Dev(product=product, ui=f"http://127.0.0.1:{ui_port}", blobs=blobs, keys=keys)
    finally:
        process.stop()


async def _started(dev: Dev, workflow_id: str, make: Any) -> str:
    """A run that nobody works on; its input is a value that went through our codec."""
    async with FilesystemStore(dev.blobs) as store:
        keys = KeyRing.parse(dev.keys) if dev.keys else None
        cloakroom = Cloakroom(store, namespace="default", keys=keys)
        converter = data_converter(ClaimCodec(cloakroom, role="client"))
        client = await Client.connect(dev.product.address, data_converter=converter)
        handle = await client.start_workflow(
            "nothing", await make(cloakroom), id=workflow_id, task_queue="nobody"
        )
    assert handle.first_execution_run_id is not None
    return handle.first_execution_run_id


async def _downloaded(page: Page) -> bytes:
    """What the button gives that has the size of a value on it."""
    async with page.expect_download(timeout=PATIENCE) as expected:
        await page.get_by_role("button", name=re.compile(r"^[\d.]+ KB$")).first.click()
    return (await (await expected.value).path()).read_bytes()


async def test_the_ui_shows_what_is_in_the_store_as_if_it_were_there(dev: Dev) -> None:
    async def nested(cloakroom: Cloakroom) -> Any:
        claim = await keep(cloakroom, {"marker": "shown-by-the-codec"}, workflow_id="shown")
        return {"beside": "as-it-came", "kept": claim}

    run_id = await _started(dev, "shown", nested)
    async with open_page() as page:
        await page.goto(dev.event_page("shown", run_id, 1))
        await expect(page.get_by_text("shown-by-the-codec").first).to_be_visible(timeout=PATIENCE)
        await expect(page.get_by_text("as-it-came").first).to_be_visible()


async def test_the_ui_downloads_what_is_too_large_to_be_shown(dev: Dev) -> None:
    value = {"name": "Ada", "n": 12345678901234567890, "lines": ["é" * 100] * 2000}

    async def large(_: Cloakroom) -> Any:
        return value

    run_id = await _started(dev, "large", large)
    async with open_page() as page:
        await page.goto(dev.event_page("large", run_id, 1))
        assert json.loads(await _downloaded(page)) == value
