"""A store in a bucket of anything that speaks S3: AWS, Cloudflare R2, a server of one's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from claimcheck.errors import StoreUnavailable
from claimcheck.stores.checked import DEADLINE, REFRESH_AFTER, ThreadedStore
from claimcheck.stores.contract import CHUNK, StoredBlob
from claimcheck.stores.source import Source
from claimcheck.stores.threads import regardless_of_time

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

    from claimcheck.stores.s3_download import Download, Object

__all__ = ["S3Store"]

_MIB: Final = 1024 * 1024
_PART: Final = 16 * _MIB
"""Larger values are sent in parts of this size, or larger ones: R2 wants them to be equal."""
_MOST_PARTS: Final = 10_000
_PAGE: Final = 1_000
_LONGEST_PREFIX: Final = 585
"""Bytes: a key of S3 has at most 1,024, and one of ours at most 438."""


class S3Store(ThreadedStore):
    """For any number of machines. `prefix` is the folder within the bucket; without `endpoint` the
    bucket is at AWS, and without credentials they are looked for where the tools of AWS look.

    Objects are put, got, listed and deleted; ACLs, tags and versions are not used.
    """

    name = "s3"
    doubt = "is it an S3 API that BLOB_STORAGE_ENDPOINT leads to? "

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        endpoint: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        deadline: float = DEADLINE,
        refresh_after: timedelta = REFRESH_AFTER,
    ) -> None:
        place = f"the bucket {bucket!r} at {endpoint or 'AWS'}"
        super().__init__(place, deadline=deadline, refresh_after=refresh_after)
        if (access_key_id is None) != (secret_access_key is None):
            raise ValueError("an access key id and its secret are given together, or neither")
        self._bucket = bucket
        self._prefix = _folder(prefix)
        self._endpoint = endpoint
        self._region = region
        self._credentials = (access_key_id, secret_access_key)
        self._connecting = threading.Lock()
        self._connection: S3Client | None = None
        self._knows_conditions = True

    async def close(self) -> None:
        await super().close()
        with self._connecting:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _client(self) -> S3Client:
        # boto3 takes its time, to be imported as well.
        from claimcheck.stores.s3_client import connect

        with self._connecting:
            if self._connection is None:
                self._connection = connect(
                    endpoint=self._endpoint,
                    region=self._region,
                    credentials=self._credentials,
                    deadline=self._deadline,
                )
            return self._connection

    def _keep(self, key: str, source: Source) -> None:
        # What is small is sent at once: mostly it is new. What is large is never sent in vain.
        at_once = source.size <= CHUNK and self._knows_conditions
        found = None if at_once else self._stat(key)
        if self._fits(found, source) or self._send(key, source, only_new=found is None):
            return
        if not self._fits(self._stat(key), source):
            # Sent once more rather than copied onto itself: every store can do this, and what
            # had the right size but other bytes is mended by it.
            self._send(key, source)

    def _send(self, key: str, source: Source, *, only_new: bool = False) -> bool:
        """False if only something new was to be sent, and it is there."""
        if source.size > _PART:
            self._send_parts(key, source)
        elif only_new and self._knows_conditions:
            return self._send_new(key, source)
        else:
            self._client().put_object(**self._object(key), Body=source.whole())
        return True

    def _send_new(self, key: str, source: Source) -> bool:
        from claimcheck.stores.s3_errors import ClientError, status_of

        try:
            self._client().put_object(**self._object(key), Body=source.whole(), IfNoneMatch="*")
        except ClientError as error:
            if status_of(error) == 412:
                return False
            if status_of(error) != 501:
                raise
            self._knows_conditions = False
            return self._send(key, source)
        return True

    def _send_parts(self, key: str, source: Source) -> None:
        client, object = self._client(), self._object(key)
        upload = client.create_multipart_upload(**object)["UploadId"]
        try:
            parts: list[CompletedPartTypeDef] = []
            for number, piece in enumerate(source.pieces(_part_size(source.size)), 1):
                sent = client.upload_part(**object, UploadId=upload, PartNumber=number, Body=piece)
                parts.append({"PartNumber": number, "ETag": sent["ETag"]})
            client.complete_multipart_upload(
                **object, UploadId=upload, MultipartUpload={"Parts": parts}
            )
        except Exception:
            with suppress(Exception), regardless_of_time():
                client.abort_multipart_upload(**object, UploadId=upload)
            raise

    def _open(self, key: str) -> Download:
        from claimcheck.stores.s3_download import Download

        missing = self._missing(key)
        return Download(self._client(), self._object(key), missing=missing)

    def _stat(self, key: str) -> StoredBlob | None:
        from claimcheck.stores.s3_errors import ClientError, status_of

        client, object = self._client(), self._object(key)
        try:
            head = client.head_object(**object)
            return _stored(key, head["ContentLength"], head["LastModified"])
        except ClientError as error:
            if status_of(error) >= 500:
                raise
        # The answer to HEAD has no body: only GET says whether the object is missing, or the
        # bucket, or a permission.
        try:
            answer = client.get_object(**object)
        except client.exceptions.NoSuchKey:
            return None
        answer["Body"].close()
        return _stored(key, answer["ContentLength"], answer["LastModified"])

    def _remove(self, key: str) -> None:
        self._client().delete_object(**self._object(key))

    def _list(self, prefix: str, after: str) -> Iterator[Sequence[StoredBlob]]:
        wanted = prefix if prefix.startswith("v1/") else "v1/"
        if not wanted.startswith(prefix):
            return
        from claimcheck.stores.s3_errors import not_a_listing

        pages = self._client().get_paginator("list_objects_v2")
        for page in pages.paginate(
            Bucket=self._bucket,
            Prefix=self._prefix + wanted,
            StartAfter=self._prefix + max(after, "v1/"),
            PaginationConfig={"PageSize": _PAGE},
        ):
            if wrong := not_a_listing(page, self._place):
                raise wrong
            yield [
                _stored(
                    found["Key"].removeprefix(self._prefix), found["Size"], found["LastModified"]
                )
                for found in page.get("Contents", ())
            ]

    def _object(self, key: str) -> Object:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _explained(self, error: Exception) -> StoreUnavailable | None:
        from claimcheck.stores.s3_errors import explained

        return explained(error, self._place)


def _stored(key: str, size: int, modified: datetime) -> StoredBlob:
    return StoredBlob(key=key, size=size, modified=modified.astimezone(UTC))


def _folder(prefix: str) -> str:
    folder = prefix.strip("/")
    if len(folder.encode()) > _LONGEST_PREFIX:
        raise ValueError(f"a prefix has at most {_LONGEST_PREFIX} bytes")
    return f"{folder}/" if folder else ""


def _part_size(size: int) -> int:
    """As many parts as S3 takes, at most, each of whole MiB."""
    return max(_PART, -(-size // (_MOST_PARTS * _MIB)) * _MIB)
