"""The claim check in programs of others, with a real server."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import urllib.request
import uuid
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RawValue
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import Replayer, SharedStateManager, Worker

from claimcheck import BlobMissing, ClaimCheckPlugin, MemoryStore, StoreUnavailable
from claimcheck.keyring import Key, KeyRing
from service.patience import be_patient
from tests.server import archive, reports
from tests.server.support import TemporalServer, asked, free_port

MB = 1_000_000
KEYS = KeyRing(keys=(Key(id="k1", secret=bytes(range(32))),))
SHA = "0123456789abcdef" * 4
WORKFLOWS = [*reports.WORKFLOWS, *archive.WORKFLOWS]
ACTIVITIES: list[Any] = [*reports.ACTIVITIES, *archive.ACTIVITIES]


def new_id() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


@asynccontextmanager
async def working(client: Client, **options: Any) -> AsyncIterator[str]:
    """A worker for the programs; gives its task queue."""
    queue = new_id()
    with ThreadPoolExecutor(4) as threads:
        worker = Worker(
            client,
            task_queue=queue,
            **{
                "workflows": WORKFLOWS,
                "activities": ACTIVITIES,
                "activity_executor": threads,
                **options,
            },
        )
        async with be_patient(worker):
            yield queue


async def finished(handle: WorkflowHandle[Any, Any]) -> Any:
    return await asyncio.wait_for(handle.result(), 60)


async def history_bytes(handle: WorkflowHandle[Any, Any]) -> int:
    described = await handle.describe()
    size: int = described.raw_description.workflow_execution_info.history_size_bytes
    return size


async def made_report(client: Client, queue: str, size: int) -> WorkflowHandle[Any, Any]:
    """Run the ordinary program with values of that size everywhere."""
    handle = await client.start_workflow(
        reports.MakeReport.run,
        args=["Quarter", size, "n" * size],
        id=new_id(),
        task_queue=queue,
    )
    await handle.signal(reports.MakeReport.hear, "s" * size)
    assert await handle.execute_update(reports.MakeReport.reply, "u" * size) == "u" * size
    assert await asked(handle, "last") in ("u" * size, "s" * size)
    return handle


def expected(size: int) -> reports.Digest:
    lines = size // 100
    return reports.Digest(
        summary=reports.Summary("Quarter", lines, reports.Line(0, "x" * 80), "n" * size),
        size=lines * 81 - 1,
        title_from_object="Quarter",
        heard=3 * size,
    )


# -- an ordinary program ---------------------------------------------------------------------------


@pytest.mark.parametrize("given", [DataConverter.default, pydantic_data_converter])
@pytest.mark.parametrize("keys", [None, KEYS], ids=["plain", "encrypted"])
async def test_an_ordinary_program_moves_megabytes_by_one_more_line(
    temporal_server: TemporalServer, given: DataConverter, keys: KeyRing | None
) -> None:
    store = MemoryStore()
    client = await Client.connect(
        temporal_server.address,
        data_converter=given,
        plugins=[ClaimCheckPlugin(store, keys=keys)],
    )
    async with working(client) as queue:
        handle = await made_report(client, queue, 5 * MB)
        assert await finished(handle) == expected(5 * MB)
    assert await history_bytes(handle) < 20_000
    if keys is not None:
        history = json.dumps((await handle.fetch_history()).to_json_dict())
        assert "v1/default" not in history
        assert not any(b"xxxx" in blob for blob in store.blobs.values())


async def test_small_values_go_as_they_did_before(temporal_server: TemporalServer) -> None:
    store = MemoryStore()
    plain = await Client.connect(temporal_server.address)
    plugged = await Client.connect(temporal_server.address, plugins=[ClaimCheckPlugin(store)])
    async with working(plugged) as queue:
        # The client without the plugin reads it, for nothing of it is any different.
        handle = await made_report(plain, queue, 1000)
        assert await finished(handle) == expected(1000)
    assert (store.puts, store.gets) == (0, 0)


async def test_workflow_code_and_replays_read_nothing(temporal_server: TemporalServer) -> None:
    store = MemoryStore()
    client = await Client.connect(temporal_server.address, plugins=[ClaimCheckPlugin(store)])
    async with working(client, max_cached_workflows=0) as queue:
        handle = await made_report(client, queue, MB)
        assert await finished(handle) == expected(MB)
    history = await handle.fetch_history()
    before = (store.puts, store.gets)
    await Replayer(
        workflows=WORKFLOWS, plugins=[ClaimCheckPlugin(store)], namespace="default"
    ).replay_workflow(history)
    assert (store.puts, store.gets) == before


async def test_what_is_encrypted_is_replayed(temporal_server: TemporalServer) -> None:
    store = MemoryStore()
    plugin = ClaimCheckPlugin(store, keys=KEYS)
    client = await Client.connect(temporal_server.address, plugins=[plugin])
    async with working(client) as queue:
        handle = await client.start_workflow(
            archive.Archive.run, 100_000, id=new_id(), task_queue=queue
        )
        await finished(handle)
    before = (store.puts, store.gets)
    await Replayer(workflows=WORKFLOWS, plugins=[plugin], namespace="default").replay_workflow(
        await handle.fetch_history()
    )
    assert (store.puts, store.gets) == before


@pytest.mark.parametrize("again", [False, True])
async def test_children_and_following_runs_get_large_values(
    temporal_server: TemporalServer, again: bool
) -> None:
    store = MemoryStore()
    client = await Client.connect(temporal_server.address, plugins=[ClaimCheckPlugin(store)])
    async with working(client) as queue:
        handle = await client.start_workflow(
            reports.Parent.run, args=["x" * MB, again], id=new_id(), task_queue=queue
        )
        assert await finished(handle) == "x" * 2 * MB
    # What the parent has given stays while the child needs it, and the other way round.
    notes = sorted(key.rpartition("/")[0] for key in store.blobs if "held-by" in key)
    parent, child = handle.id, f"{handle.id}-child"
    assert notes == [
        f"v1/default/{child}/held-by/{parent}",
        f"v1/default/{parent}/held-by/{child}",
    ]


async def test_what_an_attempt_has_told_comes_back_to_the_next_one(
    temporal_server: TemporalServer,
) -> None:
    client = await Client.connect(
        temporal_server.address, plugins=[ClaimCheckPlugin(MemoryStore())]
    )
    async with working(client) as queue:
        result = await client.execute_workflow(
            reports.Troubled.run, "resume", id=new_id(), task_queue=queue
        )
    assert result == [200_000, 7]


async def test_the_details_of_a_failure_reach_the_client(temporal_server: TemporalServer) -> None:
    client = await Client.connect(
        temporal_server.address, plugins=[ClaimCheckPlugin(MemoryStore())]
    )
    async with working(client) as queue:
        handle = await client.start_workflow(
            reports.Troubled.run, "fail", id=new_id(), task_queue=queue
        )
        failure = await failure_of(handle)
    assert failure.type == "Refused"
    assert failure.details == ({"reason": "x" * 300_000},)
    assert await history_bytes(handle) < 20_000


async def failure_of(handle: WorkflowHandle[Any, Any]) -> ApplicationError:
    """What the activity failed with that the run failed of."""
    with pytest.raises(WorkflowFailureError) as failed:
        await finished(handle)
    assert isinstance(failed.value.cause, ActivityError)
    cause = failed.value.cause.cause
    assert isinstance(cause, ApplicationError)
    return cause


async def test_activities_in_other_processes_get_large_values(
    temporal_server: TemporalServer,
) -> None:
    client = await Client.connect(
        temporal_server.address, plugins=[ClaimCheckPlugin(MemoryStore())]
    )
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(1, mp_context=spawn) as processes:
        async with working(
            client,
            activity_executor=processes,
            shared_state_manager=SharedStateManager.create_from_multiprocessing(manager),
            max_concurrent_activities=1,
        ) as queue:
            size = await client.execute_activity(
                reports.measure,
                b"x" * MB,
                id=new_id(),
                task_queue=queue,
                start_to_close_timeout=reports.LIMITS["start_to_close_timeout"],
            )
            handle = await made_report(client, queue, MB)
            assert await finished(handle) == expected(MB)
    assert size == MB


async def test_the_plugin_can_be_given_to_a_worker_alone(temporal_server: TemporalServer) -> None:
    store = MemoryStore()
    plain = await Client.connect(temporal_server.address)
    async with working(plain, plugins=[ClaimCheckPlugin(store)]) as queue:
        handle = await plain.start_workflow(
            reports.MakeReport.run, args=["Quarter", MB, "short"], id=new_id(), task_queue=queue
        )
        for _ in range(2):
            await handle.signal(reports.MakeReport.hear, "short")
        digest = await finished(handle)
    assert digest.size == MB // 100 * 81 - 1
    assert store.puts > 0


# -- a program that makes use of claims ------------------------------------------------------------


async def test_activities_get_claims_where_they_ask_for_them(
    temporal_server: TemporalServer,
) -> None:
    client = await Client.connect(
        temporal_server.address, plugins=[ClaimCheckPlugin(MemoryStore())]
    )
    async with working(client) as queue:
        handle = await client.start_workflow(
            archive.Archive.run, 100_000, id=new_id(), task_queue=queue
        )
        result = await finished(handle)
    text = "x" * 100_000
    assert result == {
        "seen": ["Claim", 100_002],
        "claim itself": ["Claim", 100_002],
        "large": "Claim",
        "small": "str",
        "within": [0, "Claim", "Claim"],
        "within a large list": [100_000, *["Claim"] * 2000],
        "marked": ["Claim", "str"],
        "dataclass": 100_000,
        "raw": 100_002,
        "dynamic": [100_000, 3],
        "method": 2,
        "inline": 100_000,
        "text": text,
        "entry": {"name": "b", "text": text},
    }


async def test_an_activity_that_runs_again_does_not_see_what_the_first_one_did_to_a_value(
    temporal_server: TemporalServer,
) -> None:
    client = await Client.connect(
        temporal_server.address, plugins=[ClaimCheckPlugin(MemoryStore())]
    )
    seen: list[int] = []

    @activity.defn(name="write_down")
    async def spoil(given: Any) -> int:
        seen.append(len(given["rows"]))
        given["rows"].clear()
        if len(seen) % 2:
            raise ApplicationError("again")
        return 0

    activities = [each for each in ACTIVITIES if each is not archive.write_down]
    async with working(client, activities=[*activities, spoil]) as queue:
        value = {"rows": ["x" * 100] * 1000}
        handle = await client.start_workflow(
            archive.HandOn.run, value, id=new_id(), task_queue=queue
        )
        await handle.signal(archive.HandOn.take, value)
        await finished(handle)
    assert seen == [1000] * 4


# -- what others have made up ----------------------------------------------------------------------

CLAIM = {"claim": 1, "key": f"v1/default/somebody/{SHA}", "size": 10}
FORGED = {
    "missing": (CLAIM, "BlobMissing"),
    "another namespace": ({**CLAIM, "key": f"v1/other/somebody/{SHA}"}, "ClaimInvalid"),
    "a path": ({**CLAIM, "key": "../../etc/passwd"}, "ClaimInvalid"),
    "huge": ({**CLAIM, "size": 10**30}, "ClaimInvalid"),
    "no claim": ("x", "ClaimInvalid"),
}


@pytest.mark.parametrize(("written", "kind"), FORGED.values(), ids=FORGED.keys())
async def test_a_forged_claim_fails_the_activity_that_needs_it_and_stops_nothing_else(
    temporal_server: TemporalServer, written: Any, kind: str
) -> None:
    store = MemoryStore()
    plain = await Client.connect(temporal_server.address)
    plugged = await Client.connect(temporal_server.address, plugins=[ClaimCheckPlugin(store)])
    payload = Payload(metadata={"encoding": b"json/claim"}, data=json.dumps(written).encode())
    async with working(plugged) as queue:
        for first, second in ((RawValue(payload), "good"), ("good", RawValue(payload))):
            handle = await plain.start_workflow("HandOn", first, id=new_id(), task_queue=queue)
            await handle.signal("take", second)
            failure = await failure_of(handle)
            assert (failure.type, failure.non_retryable) == (kind, True)
    assert store.bytes_read == 0


async def test_garbage_that_says_it_is_encrypted_stops_no_workflow(
    temporal_server: TemporalServer,
) -> None:
    plain = await Client.connect(temporal_server.address)
    plugin = ClaimCheckPlugin(MemoryStore(), keys=KEYS)
    plugged = await Client.connect(temporal_server.address, plugins=[plugin])
    garbage = Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\x01garbage")
    async with working(plugged) as queue:
        handle = await plugged.start_workflow(
            archive.HandOn.run, "good", id=new_id(), task_queue=queue
        )
        await plain.get_workflow_handle(handle.id).signal("take", RawValue(garbage))
        assert (await failure_of(handle)).type == "ClaimInvalid"


async def test_while_the_store_is_away_activities_are_tried_again(
    temporal_server: TemporalServer,
) -> None:
    class Away(MemoryStore):
        failures = 3

        async def get(self, key: str, *, limit: int) -> bytes:
            self.failures -= 1
            if self.failures >= 0:
                raise StoreUnavailable("away")
            return await super().get(key, limit=limit)

    store = Away()
    client = await Client.connect(
        temporal_server.address, plugins=[ClaimCheckPlugin(store, cache_bytes=0)]
    )
    async with working(client) as queue:
        handle = await client.start_workflow(
            reports.Parent.run, args=["x" * MB, False], id=new_id(), task_queue=queue
        )
        assert await finished(handle) == "x" * 2 * MB
    assert store.failures < 0


async def test_a_value_that_was_lost_is_an_error_for_the_client(
    temporal_server: TemporalServer,
) -> None:
    store = MemoryStore()
    plugin = ClaimCheckPlugin(store, cache_bytes=0)
    client = await Client.connect(temporal_server.address, plugins=[plugin])
    async with working(client) as queue:
        handle = await client.start_workflow(
            reports.Child.run, "x" * MB, id=new_id(), task_queue=queue
        )
        await finished(handle)
    store.blobs.clear()
    with pytest.raises(BlobMissing):
        await finished(handle)


# -- beside other things ---------------------------------------------------------------------------


class Codec(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


async def test_a_codec_of_somebody_elses_is_not_dropped_in_silence(
    temporal_server: TemporalServer,
) -> None:
    with pytest.raises(ValueError, match="has a Codec"):
        await Client.connect(
            temporal_server.address,
            data_converter=DataConverter(payload_codec=Codec()),
            plugins=[ClaimCheckPlugin(MemoryStore())],
        )


async def test_the_converters_of_the_client_stay_its_own(temporal_server: TemporalServer) -> None:
    client = await Client.connect(
        temporal_server.address,
        data_converter=DataConverter(
            failure_converter_class=DefaultFailureConverterWithEncodedAttributes
        ),
        plugins=[ClaimCheckPlugin(MemoryStore())],
    )
    (payload,) = await client.data_converter.encode([{"b": 1, "a": 2}])
    assert payload.data == b'{"a":2,"b":1}', "the SDK sorts them"
    async with working(client) as queue:
        handle = await client.start_workflow(
            reports.Troubled.run, "fail", id=new_id(), task_queue=queue
        )
        assert (await failure_of(handle)).message == "no"
    history = json.dumps((await handle.fetch_history()).to_json_dict())
    assert "Encoded failure" in history


async def test_what_the_claim_check_does_is_among_the_metrics_of_the_worker(
    temporal_server: TemporalServer,
) -> None:
    address = f"127.0.0.1:{free_port()}"
    runtime = Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=address)))
    store = MemoryStore()
    plugin, elsewhere = ClaimCheckPlugin(store), ClaimCheckPlugin(store).cloakroom("default")
    client = await Client.connect(temporal_server.address, runtime=runtime, plugins=[plugin])
    await plugin.cloakroom("default").deposit(b"without a worker", workflow_id="w")
    async with working(client) as queue:
        handle = await client.start_workflow(
            reports.Parent.run, args=["x" * MB, False], id=new_id(), task_queue=queue
        )
        await finished(handle)
    kept, lost = [await elsewhere.deposit(data, workflow_id="w") for data in (b"kept", b"lost")]
    await plugin.cloakroom("default").redeem(kept)
    await store.delete(lost.key)
    with pytest.raises(BlobMissing):
        await plugin.cloakroom("default").redeem(lost)
    found = await asyncio.to_thread(_metrics, address)
    assert found['claimcheck_values{operation="put"}'] == 3
    assert found['claimcheck_bytes{operation="put"}'] == 3 * MB + 4 + len("without a worker")
    assert 0 < found["claimcheck_stored_bytes"] < MB / 10
    assert found['claimcheck_values{operation="get"}'] == 1
    assert found['claimcheck_bytes{operation="get"}'] == 4
    assert found["claimcheck_cache_hits"] >= 3
    assert found['claimcheck_failures{error="BlobMissing",operation="get"}'] == 1
    assert found['claimcheck_latency_count{operation="put"}'] >= 2
    assert found['claimcheck_latency_count{operation="get"}'] == 1


def _metrics(address: str) -> dict[str, float]:
    """By name and labels, without those that every metric has."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    found = {}
    for line in lines:
        if line.startswith("claimcheck"):
            name, _, number = line.replace('service_name="temporal-core-sdk"', "").rpartition(" ")
            found[name.replace(",}", "}").replace("{,", "{").replace("{}", "")] = float(number)
    return found
