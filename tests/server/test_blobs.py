"""The sweep beside a real server: what Temporal retains stays, what it has forgotten goes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    ScheduleState,
)

from claimcheck.keys import folder_of, holder_folder
from claimcheck.servers import note_server, noted_servers
from claimcheck.stores.contract import BlobStore
from claimcheck.stores.filesystem import FilesystemStore
from service.retained import RetainedByTemporal, namespace_id
from service.settings import load_claim_check_settings
from service.storage import open_store
from tests.s3 import S3Server
from tests.server.support import PATIENCE, Product, TemporalServer, start_temporal, until

WAITING = """\
flow: waiting
input: {required: [text], properties: {text: {type: string}}}
nodes:
  keep: {type: set, params: {kept: "${input.text}"}, next: hold}
  hold: {type: event}
vars: {kept: null}
output: ${vars.kept}
"""


class Scene:
    """A folder of blobs, and workflows on a server that others use too."""

    def __init__(self, product: Product, client: Client, store: BlobStore | None = None) -> None:
        self.product = product
        self.client = client
        self.store = store or FilesystemStore(product.blobs)
        self.retained = RetainedByTemporal(client)
        self.mark = uuid.uuid4().hex[:8]

    def id(self, name: str) -> str:
        """A workflow id that no other test has."""
        return f"{self.mark}-{name}"

    async def old(self, name: str, *held_by: str, namespace: str = "default") -> str:
        """A blob from long ago, and old notes that others hold it; returns its key."""
        folder = folder_of(namespace, self.id(name))
        key = await self.store.put(name.encode(), under=folder)
        notes = [holder_folder(folder, self.id(holder)) for holder in held_by]
        self.age(key, *[await self.store.put(b"", under=note) for note in notes])
        return key

    def age(self, *keys: str) -> None:
        """These become old, or everything there is."""
        chosen = [self.product.blobs / key for key in keys]
        for path in chosen or self.product.blobs.rglob("*"):
            if path.is_file():
                os.utime(path, (0, 0))

    async def start(self, name: str) -> None:
        """A run that nobody works on."""
        await self.client.start_workflow("any", id=self.id(name), task_queue="nobody")

    async def close(self, name: str) -> None:
        await self.client.get_workflow_handle(self.id(name)).terminate()

    async def forget(self, name: str) -> None:
        """What the end of the retention time does to a run."""
        deleted = self.product.temporal("workflow", "delete", "--yes", "-w", self.id(name))
        assert deleted.returncode == 0, deleted.stderr

        async def forgotten() -> bool:
            is_retained = await self.retained.is_retained(self.id(name))
            return not is_retained and self.id(name) not in await self.indexed()

        await _until(forgotten, what=f"{name} to be forgotten")

    async def indexed(self) -> set[str]:
        return {id async for id in self.retained.workflow_ids()}

    async def schedule(self, name: str) -> None:
        """A schedule that is paused, and would start a workflow of that id."""
        action = ScheduleActionStartWorkflow("any", id=self.id(name), task_queue="nobody")
        spec = ScheduleSpec(cron_expressions=["0 2 * * *"])
        schedule = Schedule(action=action, spec=spec, state=ScheduleState(paused=True))
        await self.client.create_schedule(f"{self.mark}-schedule-{name}", schedule)

        async def listed() -> bool:
            return self.id(name) in {id async for id in self.retained.scheduled_ids()}

        await _until(listed, what="the schedule")

    async def keys(self) -> set[str]:
        found = [blob.key async for blob in self.store.list_keys("v1/")]
        return {key for key in found if "/held-by/" not in key}

    def sweep(self, *arguments: str) -> Any:
        done = self.product.cli("blobs", "sweep", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *arguments: str, code: int) -> str:
        done = self.product.cli("blobs", "sweep", "--delete", *arguments)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr


async def _until(condition: Callable[[], Awaitable[bool]], *, what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not await condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    """One that does not wait half a minute before it deletes what it is told to delete."""
    folder = tmp_path_factory.mktemp("temporal")
    soon = 'history.transferProcessorUpdateAckInterval="100ms"'
    with start_temporal(folder, "--dynamic-config-value", soon) as server:
        yield server


@pytest.fixture
def product(server: TemporalServer, tmp_path: Path) -> Iterator[Product]:
    own = Product(address=server.address, folder=tmp_path / "product")
    yield own
    own.stop()


@pytest.fixture
async def scene(product: Product) -> AsyncIterator[Scene]:
    client = await product.plain_client()
    scene = Scene(product, client)
    async with scene.store as store:
        await note_server(store, "default", await namespace_id(client))
        yield scene


async def test_what_temporal_has_forgotten_goes_and_all_it_retains_stays(scene: Scene) -> None:
    long, long_gone = "long" + "é" * 60, "long-gone" + "é" * 60
    of_a_schedule = "weekly-2026-11-04T02:00:00Z"
    for name in ("open", "closed", "gone", "holder", "gone-holder", long, of_a_schedule):
        await scene.start(name)
    for name in ("closed", "gone", "gone-holder"):
        await scene.close(name)
    for name in ("gone", "gone-holder"):
        await scene.forget(name)
    await scene.schedule("nightly")
    kept = {
        await scene.old("open"),
        await scene.old("closed"),
        await scene.old("held", "gone-holder", "holder"),
        await scene.old("nightly"),
        await scene.old("weekly"),
        await scene.old(long),
        await scene.old("gone", namespace="other"),
    }
    gone = {await scene.old(name) for name in ("gone", "never", long_gone)}
    gone.add(await scene.old("was-held", "gone-holder"))
    young = await scene.store.put(b"young", under=folder_of("default", scene.id("young")))
    await _until(
        lambda: _among(scene, "open", "closed", "holder", long), what="the index to know the runs"
    )

    told = scene.sweep()
    assert told["dry_run"] is True
    assert told["unneeded"] == {"workflows": 4, "blobs": 4, "bytes": told["unneeded"]["bytes"]}
    assert told["deleted"]["blobs"] == 0
    assert await scene.keys() == kept | gone | {young}

    told = scene.sweep("--delete")
    assert await scene.keys() == kept | {young}
    assert told["deleted"]["workflows"] == 4
    assert {reason: count["workflows"] for reason, count in told["kept"].items()} == {
        "retained": 4,
        "scheduled": 1,
        "held": 1,
        "young": 1,
        "failed": 0,
    }
    assert told["failures"] == []
    left = [blob.key async for blob in scene.store.list_keys("v1/default/")]
    assert not [key for key in left if scene.id("was-held") in key]


async def _among(scene: Scene, *names: str) -> bool:
    return {scene.id(name) for name in names} <= await scene.indexed()


async def test_a_run_of_the_product_keeps_its_values_until_temporal_forgets_it(
    product: Product,
) -> None:
    scene = Scene(product, await product.plain_client())
    product.start_worker()
    product.write_flow("waiting", WAITING)
    (product.folder / "input.json").write_text(json.dumps({"text": "x" * 200_000}))
    id = scene.id("order")
    started = product.cli("start", "waiting", "--id", id, "--input", "@input.json")
    assert started.returncode == 0, started.stderr
    async with scene.store:
        until(lambda: "hold" in product.cli("status", id).stdout, what="the wait")
        scene.age()
        needed = await scene.keys()
        assert scene.sweep("--delete")["deleted"]["blobs"] == 0

        assert product.cli("signal", id, "hold").returncode == 0
        assert product.cli_json("result", id) == "x" * 200_000
        scene.age()
        assert scene.sweep("--delete")["deleted"]["blobs"] == 0
        assert needed
        assert product.cli_json("result", id) == "x" * 200_000

        await scene.forget("order")
        assert scene.sweep("--delete")["deleted"]["workflows"] == 1
        assert not [key for key in await scene.keys() if f"/{id}/" in key]


async def test_the_report_is_a_table_for_people(scene: Scene) -> None:
    await scene.old("gone")
    done = scene.product.cli("blobs", "sweep")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["WORKFLOWS", "BLOBS", "SIZE"],
        ["examined", "1", "1", "4", "B"],
        ["would", "be", "deleted", "1", "1", "4", "B"],
    ]
    assert done.stderr == "nothing has been deleted; do it with --delete\n"
    done = scene.product.cli("blobs", "sweep", "--delete")
    assert "deleted   1          1      4 B" in done.stdout
    assert done.stderr == ""


async def test_blobs_of_another_server_are_left_alone_until_somebody_says_it_is_gone(
    scene: Scene, tmp_path: Path
) -> None:
    """The same namespace, bucket or folder, and another server: it retains nothing of these."""
    key = await scene.old("gone")
    own = await namespace_id(scene.client)
    folder = tmp_path / "other"
    folder.mkdir()
    with start_temporal(folder) as other:
        scene.product.address = other.address
        assert own in scene.refused(code=2)
        done = scene.product.cli("blobs", "sweep")
        assert own in done.stderr
        assert "would be deleted  1" in done.stdout
        assert await scene.keys() == {key}
        assert scene.sweep("--delete", "--take-over")["deleted"]["blobs"] == 1
        noted = await noted_servers(scene.store, "default")
        assert noted == {await namespace_id(await Client.connect(other.address))}
    assert noted != {own}


async def test_blobs_that_nobody_has_said_whose_they_are_are_not_deleted(
    product: Product,
) -> None:
    scene = Scene(product, await product.plain_client())
    async with scene.store:
        key = await scene.old("gone")
        assert "--take-over" in scene.refused(code=2)
        assert await scene.keys() == {key}
        assert scene.sweep("--delete", "--take-over")["deleted"]["blobs"] == 1
        assert scene.sweep("--delete")["examined"]["blobs"] == 0


async def test_a_sweep_that_is_broken_off_says_where_to_go_on(scene: Scene) -> None:
    gone = [await scene.old(f"gone-{number:03}") for number in range(600)]
    sweep = scene.product.start_cli("blobs", "sweep", "--delete")
    folders = {key: scene.product.blobs / key for key in gone}
    until(lambda: not folders[gone[70]].exists(), what="the second batch")
    os.kill(sweep.pid, signal.SIGINT)
    until(lambda: sweep.exit_code is not None, what="its end")
    assert sweep.exit_code == 130
    told = re.search(r"go on with: --after '(\S+)'$", sweep.output(), re.MULTILINE)
    assert told is not None, sweep.output()
    assert "the sweep has been broken off; " in sweep.output()
    left = await scene.keys()
    assert left
    assert not {key for key in left if key <= told[1]}
    assert scene.sweep("--delete", "--after", told[1])["deleted"]["workflows"] == len(left)
    assert await scene.keys() == set()


async def test_a_bucket_is_swept_as_a_folder_is(product: Product, s3_server: S3Server) -> None:
    product.settings |= {
        "BLOB_STORAGE_TYPE": "s3",
        "BLOB_STORAGE_BUCKET": s3_server.make_bucket(),
        "BLOB_STORAGE_PREFIX": "team/hr",
        "BLOB_STORAGE_ENDPOINT": s3_server.endpoint,
        "BLOB_STORAGE_REGION": s3_server.region,
        "BLOB_STORAGE_ACCESS_KEY_ID": s3_server.credentials.access_key_id,
        "BLOB_STORAGE_SECRET_ACCESS_KEY": s3_server.credentials.secret_access_key,
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in product.environment().items():
            environment.setenv(name, value)
        store = open_store(load_claim_check_settings())
    scene = Scene(product, await product.plain_client(), store)
    async with scene.store:
        kept = {await scene.old("held", "open"), await scene.old("open")}
        gone = {await scene.old(f"gone-{number:02}", "gone too") for number in range(20)}
        await scene.start("open")
        assert product.cli("blobs", "health").returncode == 0
        assert scene.sweep("--delete", "--take-over")["kept"]["young"]["workflows"] == 20
        assert await scene.keys() == kept | gone
        now = ("--force", "--grace", "0s")  # nothing can be made to look old in a bucket
        assert scene.sweep("--delete", *now)["deleted"]["workflows"] == 20
        assert await scene.keys() == kept
        listed = product.cli("blobs", "ls").stdout.split()
        assert kept <= set(listed)
        assert not gone & set(listed)


async def test_blobs_of_a_namespace_that_is_not_there_are_left_alone(scene: Scene) -> None:
    key = await scene.old("gone", namespace="elsewhere")
    told = scene.refused("--namespace", "elsewhere", "--take-over", code=3)
    assert "has no namespace 'elsewhere'" in told
    assert await scene.keys() == {key}
