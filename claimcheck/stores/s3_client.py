"""The client of boto3: how it connects, retries, and when it gives up."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from claimcheck.stores.threads import check_time

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["connect"]

_ATTEMPTS: Final = 5
_CONNECTIONS: Final = 64
_ALSO_PASSING: Final = ("ConditionalRequestConflict", "OperationAborted")


def connect(
    *,
    endpoint: str | None,
    region: str | None,
    credentials: tuple[str | None, str | None],
    deadline: float,
) -> S3Client:
    """A client whose requests end when the work that makes them is out of time."""
    session = boto3.session.Session()
    client: S3Client = session.client(
        "s3",
        endpoint_url=endpoint,
        # Servers of one's own mostly want one, whichever.
        region_name=region or session.region_name or "us-east-1",
        aws_access_key_id=credentials[0],
        aws_secret_access_key=credentials[1],
        config=_config(path_style=endpoint is not None, deadline=deadline),
    )
    client.meta.events.register("before-send.s3", _before_send)
    client.meta.events.register("before-call.s3.HeadBucket", _no_further)
    client.meta.events.register("needs-retry.s3", _retry_delay)  # type: ignore[arg-type]  # answers
    return client


def _config(*, path_style: bool, deadline: float) -> Config:
    return Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if path_style else "auto"},
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=min(5.0, deadline / 3),
        read_timeout=min(10.0, deadline / 3),
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
        # R2 and others do not know the checksums that are sent by default.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def _before_send(**_: Any) -> None:
    check_time()


def _no_further(context: dict[str, Any], **_: Any) -> None:
    """botocore asks a bucket that is redirected where it is, and if that is redirected as well,
    asks again: without end where all of a host is, from http to https for example."""
    context.get("s3_redirect", {})["redirected"] = True


def _retry_delay(response: Any, attempts: int, **_: Any) -> float | None:
    """Seconds until the next attempt for what botocore does not take for passing: two at once
    want the same key."""
    if response is None or attempts >= _ATTEMPTS:
        return None
    status, code = response[0].status_code, response[1].get("Error", {}).get("Code")
    if status != 429 and code not in _ALSO_PASSING:
        return None
    return random.uniform(0, min(8.0, 0.5 * 2**attempts))
