"""Opens what the settings of the claim check describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.settings import ClaimCheckSettings

if TYPE_CHECKING:
    from temporalio.common import MetricMeter

    from claimcheck.cloakroom import Cloakroom
    from claimcheck.stores.contract import BlobStore

__all__ = ["open_cloakroom", "open_store"]


def open_store(settings: ClaimCheckSettings) -> BlobStore:
    """The store; nothing is read or written yet. Raises `SettingsInvalid`."""
    if settings.type == "filesystem":
        from claimcheck.stores.filesystem import FilesystemStore

        return FilesystemStore(settings.folder)
    # Here, not above: boto3 takes its time, and who keeps files does not need it.
    from claimcheck.stores.s3 import S3Store

    assert settings.bucket is not None
    id, secret = settings.access_key_id, settings.secret_access_key
    return S3Store(
        settings.bucket,
        prefix=settings.prefix or "",
        endpoint=settings.store_endpoint,
        region=settings.store_region,
        access_key_id=id.get_secret_value() if id else None,
        secret_access_key=secret.get_secret_value() if secret else None,
    )


def open_cloakroom(
    settings: ClaimCheckSettings, namespace: str, *, meter: MetricMeter | None = None
) -> Cloakroom:
    """The store for the values of one namespace; whoever opens it closes its `store`.

    Raises `SettingsInvalid`.
    """
    from claimcheck.cloakroom import Cloakroom
    from claimcheck.metrics import Meters

    return Cloakroom(
        open_store(settings),
        namespace=namespace,
        threshold=settings.threshold,
        keys=settings.key_ring(),
        cache_bytes=settings.cache,
        meters=Meters(meter),
    )
