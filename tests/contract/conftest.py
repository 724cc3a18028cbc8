"""Fixtures of the tests that are the same for every store, and of those of one alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claimcheck.stores import BlobStore
from tests.contract.places import Bucket, Folder, Memory, Place
from tests.s3 import S3Server

KINDS = ("memory", "filesystem", "s3")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "made" / "blobs")


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    return Bucket(s3_server, s3_server.make_bucket())


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Place:
    """Each place in turn; nothing that the others need is started."""
    if request.param == "memory":
        return Memory()
    found: Place = request.getfixturevalue({"filesystem": "folder", "s3": "bucket"}[request.param])
    return found


@pytest.fixture
async def store(place: Place) -> AsyncIterator[BlobStore]:
    """Each store in turn."""
    async with place.open() as opened:
        yield opened
