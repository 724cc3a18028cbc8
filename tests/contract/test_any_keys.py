"""Any keys, in any order: stores list what was put, and files are called as their keys say."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from claimcheck.keys import folder_of, holder_folder, segment
from claimcheck.stores import BlobStore, FilesystemStore, MemoryStore
from claimcheck.stores.folders import file_name, key_part

# Few letters, so that names are often alike, and those around the slash in the order of letters.
names = st.text("aA-./0%~_ b", max_size=4)
holders = st.none() | names
blobs = st.tuples(names, names, holders, st.binary(max_size=2))
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=130)


def folder(namespace: str, workflow: str, holder: str | None) -> str:
    owner = folder_of(namespace, workflow)
    return owner if holder is None else holder_folder(owner, holder)


async def fill(store: BlobStore, put: list[tuple[str, str, str | None, bytes]]) -> list[str]:
    return [
        await store.put(data, under=folder(namespace, workflow, holder))
        for namespace, workflow, holder, data in put
    ]


async def listed(store: BlobStore, prefix: str, after: str) -> list[str]:
    return [blob.key async for blob in store.list_keys(prefix, after=after)]


@settings(max_examples=25, deadline=None)
@given(
    put=st.lists(blobs, max_size=6),
    gone=st.sets(st.integers(0, 5)),
    length=st.integers(0, 100),
)
def test_folders_and_memory_list_what_is_there_in_the_same_order(
    put: list[tuple[str, str, str | None, bytes]],
    gone: set[int],
    length: int,
) -> None:
    async def check(store: BlobStore) -> None:
        keys = await fill(store, put)
        there = set(keys)
        for key in [keys[at] for at in gone if at < len(keys)]:
            await store.delete(key)
            there.discard(key)
        assert await listed(store, "", "") == sorted(there)
        for prefix in {key[:length] for key in keys}:
            for after in ("", *keys):
                assert await listed(store, prefix, after) == sorted(
                    key for key in there if key.startswith(prefix) and key > after
                )

    async def check_both() -> None:
        async with MemoryStore() as memory:
            await check(memory)
        with tempfile.TemporaryDirectory() as root:
            async with FilesystemStore(Path(root)) as files:
                await check(files)

    asyncio.run(check_both())


@given(name=anything)
def test_every_part_of_a_key_is_the_name_of_a_file(name: str) -> None:
    called = file_name(segment(name))

    assert key_part(called) == segment(name)
    assert called == called.lower()
    assert len(called) <= 255
    assert "/" not in called


@given(name=anything)
def test_only_what_is_called_as_a_part_of_a_key_is_taken_for_one(name: str) -> None:
    part = key_part(name)

    assert part is None or file_name(part) == name
