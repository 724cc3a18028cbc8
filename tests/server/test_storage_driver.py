"""Our stores under the external storage of Temporal's own SDK."""

from __future__ import annotations

import json
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.converter import (
    DataConverter,
    ExternalStorage,
    StorageDriverActivityInfo,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverSelectContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)

from claimcheck import ClaimCheckPlugin, values
from claimcheck.cloakroom import Cloakroom
from claimcheck.driver import ClaimCheckDriver
from claimcheck.errors import BlobTooLarge, ClaimCheckError, ClaimInvalid
from claimcheck.keyring import Key, KeyRing
from claimcheck.stores import MemoryStore
from tests.server import reports
from tests.server.support import TemporalServer
from tests.server.test_claim_check_plugin import (
    expected,
    finished,
    history_bytes,
    made_report,
    new_id,
    working,
)

KEYS = KeyRing(keys=(Key(id="k1", secret=bytes(range(32))),))
SHA = "0123456789abcdef" * 4
MB = 1_000_000
RETRIEVE = StorageDriverRetrieveContext()


def driver(store: MemoryStore, **options: Any) -> ClaimCheckDriver:
    return ClaimCheckDriver(Cloakroom(store, **{"namespace": "default", **options}))


def workflow(**options: Any) -> StorageDriverStoreContext:
    info = StorageDriverWorkflowInfo(**{"namespace": "default", "id": "w", **options})
    return StorageDriverStoreContext(target=info)


def storing(used: ClaimCheckDriver) -> DataConverter:
    return DataConverter(
        external_storage=ExternalStorage(
            drivers=[used], driver_selector=used.select, payload_size_threshold=50_000
        )
    )


async def test_an_ordinary_program_moves_megabytes_with_the_storage_of_the_sdk(
    temporal_server: TemporalServer,
) -> None:
    store = MemoryStore()
    client = await Client.connect(
        temporal_server.address, data_converter=storing(driver(store, keys=KEYS))
    )
    async with working(client, workflows=reports.WORKFLOWS) as queue:
        handle = await made_report(client, queue, MB)
        assert await finished(handle) == expected(MB)
    assert await history_bytes(handle) < 20_000
    assert all(key.startswith(f"v1/default/{handle.id}/") for key in store.blobs)
    assert not any(b"xxxx" in blob for blob in store.blobs.values())


async def test_payloads_come_back_as_they_were_and_are_kept_once() -> None:
    store = MemoryStore()
    given = [
        Payload(metadata={"encoding": b"x", "odd": b"\xff\x00"}, data=b"\x00" * 100),
        Payload(),
        Payload(metadata={str(n): b"" for n in range(200)}, data=b"x"),
        Payload(metadata={str(n): b"" for n in reversed(range(200))}, data=b"x"),
    ]
    claims = await driver(store).store(workflow(), given)
    assert await driver(store).retrieve(RETRIEVE, claims) == given
    assert await driver(store).store(workflow(), list(reversed(given))) == claims[::-1]
    assert store.writes == 3


async def test_what_belongs_to_no_workflow_stays_inline() -> None:
    used = driver(MemoryStore())
    nobody = [
        None,
        StorageDriverActivityInfo(namespace="default", id="a"),
    ]
    for target in nobody:
        context = StorageDriverSelectContext(target=target)
        assert used.select(context, Payload()) is None
        with pytest.raises(ClaimInvalid, match="select"):
            await used.store(StorageDriverStoreContext(target=target), [Payload()])
    chosen = StorageDriverSelectContext(target=workflow().target)
    assert used.select(chosen, Payload()) is used


async def test_a_driver_is_for_one_namespace() -> None:
    with pytest.raises(ClaimInvalid, match="'default'"):
        await driver(MemoryStore()).store(workflow(namespace="other"), [Payload()])


GOOD = {"claim": 1, "key": f"v1/default/w/{SHA}", "size": 10}


@pytest.mark.parametrize(
    "claim",
    [
        {},
        {"claim": ""},
        {"claim": "["},
        {"claim": "[" * 100_000},
        {"claim": json.dumps({**GOOD, "key": "../../etc/passwd"})},
        {"claim": json.dumps({**GOOD, "key": f"v1/other/w/{SHA}"})},
        {"claim": json.dumps({**GOOD, "key": f"v1/default/w/held-by/x/{SHA}"})},
        {"claim": json.dumps({**GOOD, "size": 10**30})},
        {"claim": json.dumps({**GOOD, "size": 2**50})},
        {"claim": json.dumps(GOOD)},
    ],
)
async def test_a_forged_claim_reads_nothing(claim: dict[str, str]) -> None:
    store = MemoryStore()
    with pytest.raises(ClaimCheckError):
        await driver(store).retrieve(RETRIEVE, [StorageDriverClaim(claim)])
    assert store.bytes_read == 0


async def test_a_claim_for_what_is_no_payload_is_refused() -> None:
    store = MemoryStore()
    room = Cloakroom(store, namespace="default")
    claim = await room.deposit(b"\xff\xff", workflow_id="w")
    with pytest.raises(ClaimInvalid, match="no payload"):
        await driver(store).retrieve(
            RETRIEVE, [StorageDriverClaim({"claim": json.dumps(claim.as_json())})]
        )


async def test_a_large_value_is_not_given_any_number_of_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(values, "MOST_IN_MEMORY", 10 * MB)
    used = driver(MemoryStore())
    claims = await used.store(workflow(), [Payload(data=bytes(MB))])
    assert len(await used.retrieve(RETRIEVE, claims * 9)) == 9
    with pytest.raises(BlobTooLarge):
        await used.retrieve(RETRIEVE, claims * 10)


async def test_the_plugin_is_not_used_beside_it(temporal_server: TemporalServer) -> None:
    store = MemoryStore()
    with pytest.raises(ValueError, match="ExternalStorage"):
        await Client.connect(
            temporal_server.address,
            data_converter=storing(driver(store)),
            plugins=[ClaimCheckPlugin(store)],
        )


async def test_a_forged_claim_stops_no_other_workflow(temporal_server: TemporalServer) -> None:
    store = MemoryStore()
    plain = await Client.connect(temporal_server.address)
    client = await Client.connect(temporal_server.address, data_converter=storing(driver(store)))
    payload = Payload(
        metadata={
            "encoding": b"json/protobuf",
            "messageType": b"temporal.api.sdk.v1.ExternalStorageReference",
        },
        data=json.dumps(
            {"driverName": "claimcheck", "claimData": {"claim": json.dumps(GOOD)}}
        ).encode(),
    )
    async with working(client, workflows=reports.WORKFLOWS) as queue:
        stuck = await plain.start_workflow(
            "Child", RawValue(payload), id=new_id(), task_queue=queue
        )
        other = await client.start_workflow(reports.Child.run, "x", id=new_id(), task_queue=queue)
        result = await finished(other)
        await stuck.terminate()
    assert result == "xx"
    assert store.bytes_read == 0
