"""The README of the claim check says what is so: its programs run, its names exist."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Replayer, Worker

import claimcheck
from claimcheck import Claim, ClaimCheckPlugin, Cloakroom, MemoryStore
from claimcheck.cloakroom import DEFAULT_CACHE, DEFAULT_THRESHOLD, MOST_IN_MEMORY, MOST_THRESHOLD
from claimcheck.keyring import new_key
from claimcheck.values import _DEEPEST
from service.patience import be_patient
from tests.server.support import ROOT, TemporalServer

README = ROOT / "claimcheck" / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def program(
    temporal_server: TemporalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """All that is shown, as one module, with this server and a folder of this test."""
    name = f"readme_{uuid.uuid4().hex[:8]}"
    shown = "\n\n".join(text for language, text in BLOCKS if language == "python")
    shown = shown.replace("localhost:7233", temporal_server.address)
    shown = shown.replace("/srv/blobs", str(tmp_path / "blobs")).replace("report-1", name)
    (tmp_path / f"{name}.py").write_text(shown, encoding="utf-8")
    monkeypatch.setenv("BLOB_KEYS", new_key("first"))
    monkeypatch.syspath_prepend(str(tmp_path))
    return importlib.import_module(name)


async def test_the_program_runs(program: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    await program.main()
    assert capsys.readouterr().out == "500000 lines\n"


@workflow.defn
class WriteLines:
    @workflow.run
    async def run(self, count: int) -> list[Any]:
        limit = timedelta(minutes=1)
        rules: Any = await workflow.execute_activity("settings", start_to_close_timeout=limit)
        lines: Any = await workflow.execute_activity("write", count, start_to_close_timeout=limit)
        size: Any = await workflow.execute_activity("total", lines, start_to_close_timeout=limit)
        return [len(rules["rules"]), size, lines]


async def test_streams_inline_values_and_keys_are_what_they_are_said_to_be(
    program: ModuleType, temporal_server: TemporalServer
) -> None:
    plugin = program.encrypted
    client = await Client.connect(temporal_server.address, plugins=[plugin])
    lines = program.Lines(plugin.cloakroom("default"))
    queue = f"test-{uuid.uuid4().hex[:12]}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[WriteLines],
        activities=[program.settings, lines.write, lines.total],
    )
    async with be_patient(worker):
        handle = await client.start_workflow(
            WriteLines.run, 100_000, id=f"test-{uuid.uuid4().hex[:12]}", task_queue=queue
        )
        rules, size, text = await handle.result()
    assert rules == 10_000
    assert size == sum(len(f"{number}\n") for number in range(100_000))
    assert isinstance(text, str), "bytes inside a list come as base64"
    await Replayer(workflows=[WriteLines], namespace="default", plugins=[plugin]).replay_workflow(
        await handle.fetch_history()
    )


async def test_the_parts_of_the_plugin_fit_together(program: ModuleType) -> None:
    room = Cloakroom(MemoryStore(), namespace="default")
    client, worker, _ = program.converters(room)
    (payload,) = await client.encode([{"a": 1}])
    assert await worker.decode([payload]) == [{"a": 1}]
    assert program.sdks_own(room).external_storage is not None


def test_the_claim_shown_is_one() -> None:
    (shown,) = [json.loads(text) for language, text in BLOCKS if language == "json"]
    claim = Claim.from_json(shown)
    assert claim.at == ("rows", 3, (0, 100))
    assert claim.as_json() == {key: shown[key] for key in shown if key != "metadata"}


def test_every_name_of_the_package_that_is_shown_exists() -> None:
    elsewhere = {"Replayer", "SandboxRestrictions", "True"}
    shown = set(re.findall(r"`@?([A-Za-z_][A-Za-z_0-9]*)[`(]", TEXT))
    ours = {name for name in shown if name[0].isupper() and not name.isupper()} - elsewhere
    assert {"Claim", "S3Store", "BlobMissing", "ClaimInvalid", "ClaimCheckPlugin"} <= ours
    assert [name for name in sorted(ours) if not hasattr(claimcheck, name)] == []


def test_the_command_shown_exists_with_its_options() -> None:
    flowrunner = Path(sys.executable).with_name("flowrunner")
    done = subprocess.run(
        [str(flowrunner), "blobs", "sweep", "--help"], capture_output=True, text=True, check=True
    )
    (shown,) = [text for language, text in BLOCKS if language == "sh"]
    options = set(re.findall(r"--[a-z-]+", shown))
    assert options == {"--delete", "--take-over"}
    assert all(option in done.stdout for option in options)


def test_the_limits_are_those_of_the_code() -> None:
    said = {
        "50 KB": DEFAULT_THRESHOLD,
        "at most 1 MB": MOST_THRESHOLD,
        "1 GB together": MOST_IN_MEMORY,
        "128 MB": DEFAULT_CACHE,
        "20 deep": _DEEPEST,
    }
    kilobytes = {"50 KB": 50, "at most 1 MB": 1024, "1 GB together": 1024**2, "128 MB": 128 * 1024}
    assert said == {**{words: size * 1024 for words, size in kilobytes.items()}, "20 deep": 20}
    assert [words for words in said if words not in TEXT] == []


def test_the_plugin_has_the_options_that_are_shown() -> None:
    plugin = ClaimCheckPlugin(MemoryStore(), threshold=1000, cache_bytes=1000)
    assert plugin.cloakroom("default").threshold == 1000
