"""What is true of blobs in a bucket alone: requests, races, and what networks and servers do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from claimcheck.errors import (
    BlobDamaged,
    BlobMissing,
    BlobTooLarge,
    StoreFull,
    StoreUnavailable,
)
from claimcheck.keys import folder_of, holder_folder
from claimcheck.stores import S3Store
from tests.contract.places import Bucket
from tests.contract.proxy import (
    Answer,
    Exchange,
    Fault,
    Proxy,
    cut_after,
    damage,
    hang,
    proxy_to,
    refuse,
    with_header,
)
from tests.contract.test_stores import FOLDER, NO_BLOB, keys, read, some_bytes
from tests.s3 import S3Server

MIB = 1024 * 1024
LONG_AGO = "Mon, 01 Jan 2024 00:00:00 GMT"


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[Proxy]:
    with proxy_to(s3_server.endpoint) as proxy:
        yield proxy


@pytest.fixture
async def store(bucket: Bucket, proxy: Proxy) -> AsyncIterator[S3Store]:
    """A store on the bucket, with the proxy between them."""
    async with bucket.open(endpoint=proxy.endpoint) as opened:
        yield opened


def objects(bucket: Bucket) -> list[str]:
    listed = bucket.server.client().list_objects_v2(Bucket=bucket.name)
    return [found["Key"] for found in listed.get("Contents", ())]


def uploads(bucket: Bucket) -> int:
    return len(bucket.server.client().list_multipart_uploads(Bucket=bucket.name).get("Uploads", []))


# --- Requests -----------------------------------------------------------------------------------


async def test_a_blob_is_an_object_under_the_prefix(bucket: Bucket) -> None:
    async with bucket.open(prefix="/one/two/") as store:
        key = await store.put(b"value", under=FOLDER)
        assert await keys(store) == [key]
    async with bucket.open(prefix="") as store:
        bare = await store.put(b"value", under=FOLDER)
        assert await keys(store) == [bare]

    assert sorted(objects(bucket)) == [f"one/two/{key}", bare]


def test_a_prefix_leaves_room_for_the_longest_key() -> None:
    longest = f"{holder_folder(folder_of('n' * 120, 'w' * 120), 'h' * 120)}/{'0' * 64}"

    S3Store("bucket", prefix="p" * (1023 - len(longest)))
    for prefix in ("p" * (1024 - len(longest)), "ä" * 300):
        with pytest.raises(ValueError, match="at most"):
            S3Store("bucket", prefix=prefix)


def test_half_of_the_credentials_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="together"):
        S3Store("bucket", access_key_id="id")


async def test_a_small_blob_costs_one_request(store: S3Store, proxy: Proxy) -> None:
    key = await store.put(b"value", under=FOLDER)
    assert proxy.requests == [f"PUT /{store._bucket}/some/folder/{key}"]

    proxy.forget()
    await store.get(key, limit=9)
    await read(store, key)
    assert [request.split()[0] for request in proxy.requests] == ["GET", "GET"]


@pytest.mark.parametrize("size", [2 * MIB, 20 * MIB])
async def test_a_large_blob_that_is_there_is_not_sent_again(
    store: S3Store, proxy: Proxy, size: int
) -> None:
    await store.put(some_bytes(size), under=FOLDER)
    proxy.forget()

    await store.put(some_bytes(size), under=FOLDER)

    assert [request.split()[0] for request in proxy.requests] == ["HEAD"]


async def test_a_small_blob_that_is_there_is_not_written_again(
    store: S3Store, bucket: Bucket
) -> None:
    key = await store.put(b"value", under=FOLDER)
    # Others of the same size: a second write would show.
    bucket.plant(key, b"VALUE")

    await store.put(b"value", under=FOLDER)

    with pytest.raises(BlobDamaged):
        await store.get(key, limit=9)


@pytest.mark.parametrize("size", [5, 2 * MIB, 20 * MIB])
async def test_a_blob_that_is_old_is_written_again(store: S3Store, proxy: Proxy, size: int) -> None:
    await store.put(some_bytes(size), under=FOLDER)
    proxy.forget()
    proxy.next(with_header("Last-Modified", LONG_AGO), method="HEAD")

    await store.put(some_bytes(size), under=FOLDER)

    sent = {5: 2, 2 * MIB: 1, 20 * MIB: 2}[size]  # tried first; at once; in two parts
    assert proxy.count("PUT") == sent
    proxy.forget()
    await store.put(some_bytes(size), under=FOLDER)
    assert proxy.count("PUT") == (1 if size == 5 else 0)


async def test_many_that_put_the_same_leave_it_to_the_server_who_writes(
    store: S3Store, bucket: Bucket, proxy: Proxy
) -> None:
    conditions: list[str | None] = []

    def seen(exchange: Exchange) -> Answer:
        conditions.append(exchange.headers.get("If-None-Match"))
        return exchange.forward()

    proxy.next(seen, method="PUT", times=16)
    async with bucket.open(endpoint=proxy.endpoint) as other:
        await asyncio.gather(
            *(each.put(b"value", under=FOLDER) for each in (store, other) for _ in range(8))
        )

    assert conditions == ["*"] * 16
    assert len(await keys(store)) == 1


async def test_a_server_without_conditional_writes_is_written_to_without(
    store: S3Store, proxy: Proxy
) -> None:
    proxy.next(refuse(501, "NotImplemented", "A header you provided"), method="PUT")

    key = await store.put(b"value", under=FOLDER)
    assert await store.get(key, limit=9) == b"value"

    proxy.forget()
    await store.put(b"value", under=FOLDER)
    await store.put(b"other", under=FOLDER)
    assert [request.split()[0] for request in proxy.requests] == ["HEAD", "HEAD", "GET", "PUT"]


async def test_more_objects_than_a_page_are_listed(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, proxy: Proxy
) -> None:
    monkeypatch.setattr("claimcheck.stores.s3._PAGE", 3)
    put = sorted([await store.put(b"%d" % n, under=FOLDER) for n in range(10)])
    proxy.forget()

    assert await keys(store) == put
    assert proxy.count("GET") == 4
    assert await keys(store, after=put[4]) == put[5:]


# --- Large values -------------------------------------------------------------------------------


async def test_the_parts_of_a_large_blob_are_equal_but_for_the_last(
    store: S3Store, bucket: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    file = tmp_path / "value"
    file.write_bytes(some_bytes(40 * MIB))

    key = await store.put(file, under=FOLDER)

    parts = [request for request in proxy.requests if "partNumber" in request]
    assert len(parts) == 3
    client = bucket.server.client()
    name = f"{bucket.prefix}/{key}"
    sizes = [
        client.head_object(Bucket=bucket.name, Key=name, PartNumber=n)["ContentLength"]
        for n in (1, 2, 3)
    ]
    assert sizes == [16 * MIB, 16 * MIB, 8 * MIB]


async def test_a_large_blob_that_cannot_be_sent_leaves_nothing(
    store: S3Store, bucket: Bucket, proxy: Proxy
) -> None:
    def second_part(exchange: Exchange) -> Answer:
        proxy.next(refuse(403, "AccessDenied"), method="PUT")
        return exchange.forward()

    proxy.next(second_part, method="PUT")
    with pytest.raises(StoreUnavailable):
        await store.put(some_bytes(20 * MIB), under=FOLDER)

    assert objects(bucket) == []
    assert uploads(bucket) == 0


async def test_a_large_file_that_changes_meanwhile_is_not_stored(
    store: S3Store, bucket: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    file = tmp_path / "value"
    file.write_bytes(some_bytes(20 * MIB))

    def change(exchange: Exchange) -> Answer:
        file.write_bytes(some_bytes(20 * MIB, seed=2))
        return exchange.forward()

    proxy.next(change, method="POST")
    with pytest.raises(ValueError, match="was changed while it was being put"):
        await store.put(file, under=FOLDER)

    assert objects(bucket) == []
    assert uploads(bucket) == 0


async def test_a_blob_too_large_is_not_downloaded(store: S3Store, proxy: Proxy) -> None:
    key = await store.put(some_bytes(8 * MIB), under=FOLDER)
    proxy.forget()

    with pytest.raises(BlobTooLarge):
        await store.get(key, limit=MIB)

    assert proxy.count("GET") == 1


# --- Networks and servers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        refuse(503, "SlowDown"),
        refuse(503),
        refuse(500, "InternalError"),
        refuse(429, "TooManyRequests"),
        refuse(429),
        refuse(409, "ConditionalRequestConflict"),
        refuse(409, "OperationAborted"),
    ],
    ids=["slow-down", "503", "500", "too-many", "429", "conflict", "aborted"],
)
async def test_what_passes_is_tried_again(store: S3Store, proxy: Proxy, fault: Fault) -> None:
    proxy.next(fault, times=2)

    key = await store.put(b"value", under=FOLDER)

    assert await store.get(key, limit=9) == b"value"
    assert proxy.count("PUT") == 3


async def test_a_connection_that_breaks_before_the_answer_is_made_again(
    store: S3Store, proxy: Proxy
) -> None:
    key = await store.put(some_bytes(50_000), under=FOLDER)

    proxy.next(cut_after(0), method="GET")
    assert await store.get(key, limit=50_000) == some_bytes(50_000)


@pytest.mark.parametrize("size", [3 * MIB, 20 * MIB])
async def test_a_download_that_breaks_goes_on_where_it_was(
    store: S3Store, proxy: Proxy, size: int
) -> None:
    key = await store.put(some_bytes(size), under=FOLDER)
    ranges: list[str | None] = []

    def cut(exchange: Exchange) -> Answer:
        ranges.append(exchange.headers.get("Range"))
        return cut_after(MIB + 1000)(exchange)

    for receive in (store.get(key, limit=size), read(store, key)):
        proxy.next(cut, method="GET", times=2)
        got = await receive
        assert (got if isinstance(got, bytes) else b"".join(got)) == some_bytes(size)
        proxy.forget()

    assert ranges[0] is None
    assert all(each is not None and each.startswith("bytes=") for each in (ranges[1], ranges[3]))


async def test_a_download_that_breaks_again_and_again_ends(store: S3Store, proxy: Proxy) -> None:
    key = await store.put(some_bytes(50_000), under=FOLDER)
    proxy.next(cut_after(0), method="GET", times=50)

    with pytest.raises(StoreUnavailable, match="did not answer to the end"):
        await store.get(key, limit=50_000)


async def test_a_blob_that_vanishes_while_it_is_read_is_missing(
    store: S3Store, proxy: Proxy
) -> None:
    key = await store.put(some_bytes(3 * MIB), under=FOLDER)
    proxy.next(cut_after(MIB + 1000), method="GET")
    proxy.next(refuse(404, "NoSuchKey"), method="GET")

    with pytest.raises(BlobMissing, match=key):
        await read(store, key)


async def test_what_is_damaged_on_its_way_is_asked_for_again(store: S3Store, proxy: Proxy) -> None:
    key = await store.put(b"value", under=FOLDER)
    proxy.next(damage, method="GET")

    assert await store.get(key, limit=9) == b"value"

    proxy.next(damage, method="GET", times=2)
    with pytest.raises(BlobDamaged, match=key):
        await store.get(key, limit=9)


async def test_a_server_that_recovers_is_used_again(store: S3Store, proxy: Proxy) -> None:
    proxy.next(refuse(500, "InternalError"), times=50)
    with pytest.raises(StoreUnavailable, match="500"):
        await store.put(b"value", under=FOLDER)

    proxy.forget()
    key = await store.put(b"value", under=FOLDER)
    assert await store.get(key, limit=9) == b"value"


@pytest.mark.parametrize("fault", [refuse(507), refuse(403, "QuotaExceeded")], ids=["507", "code"])
async def test_a_bucket_without_room_is_told(store: S3Store, proxy: Proxy, fault: Fault) -> None:
    proxy.next(fault, times=50)

    with pytest.raises(StoreFull, match="has no room left"):
        await store.put(b"value", under=FOLDER)


async def test_a_server_that_does_not_answer_is_not_waited_for(
    bucket: Bucket, proxy: Proxy
) -> None:
    async with bucket.open(endpoint=proxy.endpoint, deadline=0.6) as store:
        for attempt in (
            store.put(b"value", under=FOLDER),
            store.get(NO_BLOB, limit=9),
            read(store, NO_BLOB),
            store.stat(NO_BLOB),
            store.delete(NO_BLOB),
            keys(store),
            store.health(),
        ):
            proxy.next(hang, times=20)
            began = monotonic()
            with pytest.raises(StoreUnavailable, match="did not answer"):
                await attempt
            assert monotonic() - began < 3
            proxy.forget()


async def test_work_that_nobody_waits_for_sends_nothing_more(bucket: Bucket, proxy: Proxy) -> None:
    asked = threading.Event()

    def slowly(exchange: Exchange) -> Answer:
        asked.set()
        assert go.wait(30)
        return exchange.forward()

    go = threading.Event()
    async with bucket.open(endpoint=proxy.endpoint) as store:
        proxy.next(slowly, method="PUT")
        putting = asyncio.create_task(store.put(some_bytes(40 * MIB), under=FOLDER))
        await asyncio.to_thread(asked.wait, 30)
        began = monotonic()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        assert monotonic() - began < 1
        go.set()

        # The thread comes to the next part, sees that nobody waits, and takes the upload back.
        deadline = monotonic() + 20
        while uploads(bucket):
            assert monotonic() < deadline
            await asyncio.sleep(0.02)
    assert sum("partNumber" in request for request in proxy.requests) == 1
    assert objects(bucket) == []


async def test_what_nobody_waits_for_is_not_tried_again(store: S3Store, proxy: Proxy) -> None:
    asked, go = threading.Event(), threading.Event()

    def fail_slowly(exchange: Exchange) -> Answer:
        asked.set()
        assert go.wait(30)
        return refuse(500)(exchange)

    proxy.next(fail_slowly, times=50)
    getting = asyncio.create_task(store.get(NO_BLOB, limit=9))
    await asyncio.to_thread(asked.wait, 30)
    getting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await getting
    go.set()

    threads = store._threads._pool
    assert threads is not None
    await asyncio.to_thread(threads.shutdown)
    assert proxy.count("GET") == 1


async def test_a_reader_that_is_cancelled_gives_its_connection_back(
    store: S3Store, proxy: Proxy
) -> None:
    key = await store.put(some_bytes(3 * MIB), under=FOLDER)
    proxy.forget()
    proxy.next(hang, method="GET")

    reading = asyncio.create_task(read(store, key))
    while proxy.count("GET") == 0:
        await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    assert b"".join(await read(store, key)) == some_bytes(3 * MIB)


async def test_a_health_check_that_fails_leaves_nothing(
    store: S3Store, bucket: Bucket, proxy: Proxy
) -> None:
    proxy.next(damage, method="GET", times=2)

    with pytest.raises(StoreUnavailable, match="does not give back what was put"):
        await store.health()

    assert objects(bucket) == []


async def test_refreshing_can_be_had_at_another_age(bucket: Bucket, proxy: Proxy) -> None:
    async with bucket.open(endpoint=proxy.endpoint, refresh_after=timedelta(days=9999)) as store:
        await store.put(b"value", under=FOLDER)
        proxy.forget()
        proxy.next(with_header("Last-Modified", LONG_AGO), method="HEAD")

        await store.put(b"value", under=FOLDER)

        assert proxy.count("PUT") == 1
