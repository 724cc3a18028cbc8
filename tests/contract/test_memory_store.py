"""What tests may ask a store in memory, and that the stores cost nothing until they are used."""

from __future__ import annotations

import subprocess
import sys

from claimcheck.stores import MemoryStore
from tests.contract.test_stores import FOLDER, read


async def test_what_is_written_and_read_is_counted() -> None:
    store = MemoryStore()

    key = await store.put(b"value", under=FOLDER)
    await store.put(b"value", under=FOLDER)
    await store.get(key, limit=9)
    await read(store, key)
    await store.stat(key)

    assert (store.puts, store.writes, store.bytes_written) == (2, 1, 5)
    assert (store.gets, store.bytes_read) == (2, 10)
    assert store.blobs == {key: b"value"}


def test_boto3_is_not_loaded_before_it_is_needed() -> None:
    program = (
        "import sys; from claimcheck.stores import S3Store; S3Store('bucket'); "
        "print(*{'boto3', 'botocore', 'urllib3', 's3transfer'} & set(sys.modules))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == ""
