"""What the users of the S3 store are allowed is what they need, on a server that checks it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from claimcheck.errors import StoreRefused
from claimcheck.keys import digest_of, folder_of, holder_folder
from claimcheck.servers import note_server, noted_servers, strike_server
from claimcheck.stores import S3Store
from claimcheck.stores.checked import DEADLINE
from tests.project.markdown import ROOT, Block, blocks
from tests.s3 import Credentials, S3Server

POLICIES = ROOT / "docker" / "s3"
PAGE = ROOT / "docs" / "howto" / "store-on-r2-or-s3.md"
SHARED = "arn:aws:s3:::flowrunner"
LARGE = 17 * 1024 * 1024
"""Bytes that are sent in parts."""

FOLDER = folder_of("default", "onboard/ada")


class Rights:
    """A bucket, and stores that come to it as one of the users."""

    def __init__(self, server: S3Server) -> None:
        self.server = server
        self.bucket = server.make_bucket()

    def store(self, user: str) -> S3Store:
        return self._store(self._user(user))

    def owner(self) -> S3Store:
        return self._store(self.server.credentials)

    def _store(self, who: Credentials) -> S3Store:
        return S3Store(
            self.bucket,
            endpoint=self.server.endpoint,
            access_key_id=who.access_key_id,
            secret_access_key=who.secret_access_key,
        )

    def _user(self, user: str) -> Credentials:
        policy = (POLICIES / f"{user}.json").read_text(encoding="utf-8")
        iam, name = self._iam(), f"{user}-{uuid.uuid4().hex}"
        iam.create_user(UserName=name)
        iam.put_user_policy(
            UserName=name,
            PolicyName="may",
            PolicyDocument=policy.replace(SHARED, f"arn:aws:s3:::{self.bucket}"),
        )
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return Credentials(
            access_key_id=made["AccessKeyId"], secret_access_key=made["SecretAccessKey"]
        )

    def _iam(self) -> Any:  # its types are a package more
        import boto3

        return boto3.client(
            "iam",
            endpoint_url=self.server.endpoint,
            region_name=self.server.region,
            aws_access_key_id=self.server.credentials.access_key_id,
            aws_secret_access_key=self.server.credentials.secret_access_key,
        )


@pytest.fixture
def rights(s3_server: S3Server) -> Rights:
    return Rights(s3_server)


@pytest.fixture
async def there(rights: Rights) -> AsyncIterator[str]:
    """The key of a blob that is there."""
    async with rights.owner() as store:
        yield await store.put(b"there", under=FOLDER)


async def test_a_worker_puts_values_and_notes_of_any_size_and_reads_them(rights: Rights) -> None:
    async with rights.store("worker") as store:
        for data, under in ((b"small", FOLDER), (b"", holder_folder(FOLDER, "other"))):
            key = await store.put(data, under=under)
            assert await store.put(data, under=under) == key
            assert await store.get(key, limit=10) == data
        large = await store.put(bytes(LARGE), under=FOLDER)
        found = await store.stat(large)
        assert found is not None
        assert found.size == LARGE
        await store.health()


async def test_a_worker_deletes_no_values(rights: Rights, there: str) -> None:
    async with rights.store("worker") as store:
        with pytest.raises(StoreRefused):
            await store.delete(there)
        assert await store.stat(there) is not None


async def test_a_reader_reads_and_is_told_what_is_missing(rights: Rights, there: str) -> None:
    async with rights.store("reader") as store:
        assert await store.get(there, limit=10) == b"there"
        assert await store.stat(f"{FOLDER}/{digest_of(b'missing')}") is None
        assert [blob.key async for blob in store.list_keys()] == [there]


async def test_a_reader_changes_nothing(rights: Rights, there: str) -> None:
    async with rights.store("reader") as store:
        with pytest.raises(StoreRefused):
            await store.put(b"new", under=FOLDER)
        with pytest.raises(StoreRefused):
            await store.delete(there)


async def test_the_sweep_finds_and_deletes_values_and_puts_none(rights: Rights, there: str) -> None:
    async with rights.store("sweep") as store:
        assert [blob.key async for blob in store.list_keys()] == [there]
        assert await store.stat(there) is not None
        await store.delete(there)
        assert await store.stat(there) is None
        with pytest.raises(StoreRefused):
            await store.put(b"new", under=FOLDER)


async def test_the_sweep_takes_blobs_over_from_another_server(rights: Rights) -> None:
    async with rights.store("worker") as store:
        await note_server(store, "default", "theirs")
    async with rights.store("sweep") as store:
        await note_server(store, "default", "ours")
        await strike_server(store, "default", "theirs")
        assert await noted_servers(store, "default") == {"ours"}


def _shown() -> list[Block]:
    return [block for block in blocks("json") if block.page == PAGE]


@pytest.mark.parametrize("user", ["worker", "reader", "sweep"])
def test_the_page_shows_the_policies_that_are_tried_here(user: str) -> None:
    tried = json.loads((POLICIES / f"{user}.json").read_text(encoding="utf-8"))
    assert tried in [json.loads(block.text) for block in _shown()]


def test_the_messages_that_the_page_explains_are_those_that_are_told() -> None:
    stores = ROOT / "claimcheck" / "stores"
    told = "".join((stores / name).read_text("utf-8") for name in ("s3_errors.py", "checked.py"))
    told = told.replace("{self._deadline:g}", f"{DEADLINE:g}")
    table = PAGE.read_text(encoding="utf-8").partition("| message |")[2]
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(messages) > 5
    assert [message for message in messages if message not in told] == []
