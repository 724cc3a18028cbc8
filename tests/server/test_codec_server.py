"""`flowrunner codec-server` as a process, asked by Temporal's own command line."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.client import Client

from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.codec import ClaimCodec
from claimcheck.payloads import data_converter
from claimcheck.stores.filesystem import FilesystemStore
from claimcheck.values import keep
from tests.server.support import Product, Running, free_port, until

KEYS = "k1:" + base64.b64encode(bytes(range(32))).decode()

LARGE = {"name": "Ada", "text": "large " * 20_000}
TOO_LARGE = "x" * (3 * 1024 * 1024)

Serving = Callable[..., AbstractContextManager[str]]


@pytest.fixture
def serving(own_product: Product, tmp_path: Path) -> Serving:
    """Start a codec server over the blobs in `tmp_path`: gives its URL."""
    own_product.settings["BLOB_STORAGE_PATH"] = str(tmp_path / "blobs")

    @contextmanager
    def serve(**settings: str) -> Iterator[str]:
        address = f"127.0.0.1:{free_port()}"
        process = own_product.start_cli(
            "codec-server", FLOWRUNNER_CODEC_ADDRESS=address, **settings
        )
        try:
            _until_listening(process)
            yield f"http://{address}"
        finally:
            process.stop()

    return serve


def _until_listening(process: Running) -> None:
    until(
        lambda: "listens on" in process.output() or process.exit_code is not None,
        what="the codec server",
    )
    assert process.exit_code is None, process.output()


def _cloakroom(tmp_path: Path) -> Cloakroom:
    return Cloakroom(FilesystemStore(tmp_path / "blobs"), namespace="default")


async def _started(product: Product, cloakroom: Cloakroom, value: Any) -> str:
    """The id of a run that nobody works on; its input is a value that went through our codec."""
    converter = data_converter(ClaimCodec(cloakroom, role="client"))
    client = await Client.connect(product.address, data_converter=converter)
    workflow_id = f"codec-{uuid.uuid4().hex[:8]}"
    await client.start_workflow("nothing", value, id=workflow_id, task_queue="nobody")
    return workflow_id


def _temporal(product: Product, *arguments: str, stdin: str | None = None) -> str:
    done = product.temporal(*arguments, "--address", product.address, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _input_shown(product: Product, workflow_id: str, *more: str) -> Any:
    """The input of a run, as the CLI shows it in the run's history."""
    shown = json.loads(
        _temporal(product, "workflow", "show", "-w", workflow_id, "-o", "json", *more)
    )
    (payload,) = shown["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"]
    return json.loads(base64.b64decode(payload["data"]))


async def test_the_cli_shows_the_values_behind_references(
    own_product: Product, serving: Serving, tmp_path: Path
) -> None:
    async with _cloakroom(tmp_path).store as store:
        cloakroom = Cloakroom(store, namespace="default")
        whole = await _started(own_product, cloakroom, LARGE)
        inside = await _started(own_product, cloakroom, {"in": await _kept(cloakroom, LARGE)})
    assert _input_shown(own_product, whole)["size"] > 100_000  # only a claim, without a codec
    with serving() as url:
        for endpoint in (url, f"{url}/{{namespace}}"):
            codec = ("--codec-endpoint", endpoint)
            assert _input_shown(own_product, whole, *codec) == LARGE
            assert _input_shown(own_product, inside, *codec) == {"in": LARGE}


async def _kept(cloakroom: Cloakroom, value: Any) -> Claim:
    return await keep(cloakroom, value, workflow_id="their-owner")


async def test_the_cli_is_told_of_values_that_are_too_large_or_gone(
    own_product: Product, serving: Serving, tmp_path: Path
) -> None:
    async with _cloakroom(tmp_path).store as store:
        cloakroom = Cloakroom(store, namespace="default")
        large = await _started(own_product, cloakroom, TOO_LARGE)
        gone = await _kept(cloakroom, LARGE)
        without = await _started(own_product, cloakroom, {"gone": gone, "here": 1})
        await store.delete(gone.key)
    with serving() as url:
        told = _input_shown(own_product, large, "--codec-endpoint", url)
        assert told["size"] == len(TOO_LARGE) + 2
        assert told["note"].endswith(f"flowrunner blobs get {told['key']}")
        beside = _input_shown(own_product, without, "--codec-endpoint", url)
        assert beside["here"] == 1
        assert "cannot be shown" in beside["gone"]["note"]


async def test_what_the_cli_sends_is_encrypted_and_kept_nowhere_else(
    own_product: Product, serving: Serving, tmp_path: Path
) -> None:
    with serving(CLAIM_CHECK_KEYS=KEYS) as url:
        workflow_id = f"codec-{uuid.uuid4().hex[:8]}"
        _temporal(
            own_product,
            *("workflow", "start", "--type", "nothing", "--task-queue", "nobody"),
            *("--workflow-id", workflow_id, "--codec-endpoint", url),
            *("--input", json.dumps(LARGE)),
        )
        assert _input_shown(own_product, workflow_id, "--codec-endpoint", url) == LARGE
    history = _temporal(own_product, "workflow", "show", "-w", workflow_id, "-o", "json")
    assert base64.b64encode(b"binary/encrypted").decode() in history
    assert [path for path in (tmp_path / "blobs").rglob("*") if len(path.name) == 64] == []


async def test_with_a_token_the_cli_has_to_send_it(
    own_product: Product, serving: Serving, tmp_path: Path
) -> None:
    async with _cloakroom(tmp_path).store as store:
        run = await _started(own_product, Cloakroom(store, namespace="default"), LARGE)
    with serving(FLOWRUNNER_CODEC_TOKEN="s3cret") as url:
        shown = _input_shown(
            own_product, run, "--codec-endpoint", url, "--codec-auth", "Bearer s3cret"
        )
        assert shown == LARGE
        refused = httpx2.post(f"{url}/decode", content=b"{}")
        assert refused.status_code == 401
        assert "send the token" in refused.json()["message"]


def test_only_the_namespace_of_the_settings_is_served(serving: Serving) -> None:
    with serving(TEMPORAL_NAMESPACE="orders") as url:
        refused = httpx2.post(f"{url}/decode", content=b"{}", headers={"X-Namespace": "default"})
        assert refused.status_code == 403
        assert "for namespace 'orders', not for 'default'" in refused.json()["message"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(own_product: Product, number: signal.Signals) -> None:
    address = f"127.0.0.1:{free_port()}"
    process = own_product.start_cli("codec-server", FLOWRUNNER_CODEC_ADDRESS=address)
    _until_listening(process)
    health = httpx2.get(f"http://{address}/health")
    assert health.json() == {"status": "ok", "namespace": "default"}
    # A connection that somebody keeps open is not waited for.
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))):
        os.kill(process.pid, number)
        until(lambda: process.exit_code is not None, what="the end of the codec server")
    assert process.exit_code == 0
    assert "Traceback" not in process.output()
    assert process.output().endswith("stopped\n")


def _refused(product: Product, address: str) -> subprocess.CompletedProcess[str]:
    return product.cli("codec-server", FLOWRUNNER_CODEC_ADDRESS=address)


def test_an_address_that_is_taken_is_told(own_product: Product) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = _refused(own_product, address)
    assert done.returncode == 2
    assert done.stderr == (
        f"flowrunner: FLOWRUNNER_CODEC_ADDRESS: {address} cannot be listened on: "
        "Address already in use\n"
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1", "codec.example"])
def test_it_is_not_open_to_a_network_without_a_token(own_product: Product, host: str) -> None:
    done = _refused(own_product, f"{host}:{free_port()}")
    assert done.returncode == 2
    assert done.stderr.startswith("flowrunner: FLOWRUNNER_CODEC_TOKEN: nothing is set, but ")
    assert "set a token, or listen on 127.0.0.1" in done.stderr


def test_dev_tells_that_the_port_of_its_codec_server_is_taken(own_product: Product) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = own_product.cli(
            "dev", "--port", str(free_port()), "--codec-port", port, "--data-dir", "data"
        )
    assert done.returncode == 3
    assert done.stderr == (
        f"flowrunner: port {port} cannot be used for the codec server: Address already in use.\n"
        "Choose another one with --codec-port.\n"
    )


def test_a_second_dev_is_told_of_temporals_port_and_not_of_the_codec_servers(
    own_product: Product,
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as temporal,
        socket.create_server(("127.0.0.1", 0)) as codec,
    ):
        port, codec_port = (str(one.getsockname()[1]) for one in (temporal, codec))
        done = own_product.cli("dev", "--port", port, "--codec-port", codec_port, "--headless")
    assert done.returncode == 3
    assert done.stderr.startswith(f"flowrunner: port {port} cannot be used: ")
