"""Reads an object, and goes on where it was when the connection breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

from botocore.exceptions import HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from claimcheck.errors import BlobMissing, StoreUnavailable
from claimcheck.stores.contract import CHUNK
from claimcheck.stores.threads import check_time

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

__all__ = ["Download", "Object"]

_BROKEN: Final = (HTTPClientError, IncompleteReadError, HTTPError, OSError)
_MOST_BREAKS: Final = 3
"""So often the connection may break without a byte having come."""


class Object(TypedDict):
    """Which object, in the words of boto3."""

    Bucket: str
    Key: str


class Download:
    """An object that is being read. Raises what boto3 raises, and `missing` if there is none."""

    def __init__(self, client: S3Client, object: Object, *, missing: BlobMissing) -> None:
        self._client, self._object, self._missing = client, object, missing
        self._at = 0
        answer = self._get(self._at)
        self.size = answer["ContentLength"]
        self._body = answer["Body"]

    def read(self, most: int, /) -> bytes:
        for _ in range(_MOST_BREAKS):
            check_time()
            try:
                return self._read(most)
            except _BROKEN:
                self._resume()
        return self._read(most)

    def close(self) -> None:
        self._body.close()

    def _read(self, most: int) -> bytes:
        piece = self._body.read(min(most, CHUNK))
        self._at += len(piece)
        return piece

    def _resume(self) -> None:
        self._body.close()
        answer = self._get(self._at)
        self._body = answer["Body"]
        if self._at and not answer.get("ContentRange", "").startswith(f"bytes {self._at}-"):
            raise StoreUnavailable("the connection broke, and the store does not send the rest")

    def _get(self, start: int) -> GetObjectOutputTypeDef:
        try:
            if not start:  # an object without a byte has no range either
                return self._client.get_object(**self._object)
            return self._client.get_object(**self._object, Range=f"bytes={start}-")
        except self._client.exceptions.NoSuchKey:
            raise self._missing from None
