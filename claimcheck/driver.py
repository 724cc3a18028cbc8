"""The same stores for the external storage that Temporal's SDK has of its own.

The SDK decides then what is put away, and its workers fetch all that workflow code is given.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverSelectContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)

from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.errors import ClaimInvalid
from claimcheck.payloads import claim_of, reference_payload
from claimcheck.values import Loading, all_or_none

__all__ = ["ClaimCheckDriver"]

_METADATA = {"encoding": "binary/protobuf", "messageType": "temporal.api.common.v1.Payload"}


class ClaimCheckDriver(StorageDriver):
    """`ExternalStorage(drivers=[driver], driver_selector=driver.select)`."""

    def __init__(self, cloakroom: Cloakroom) -> None:
        self._cloakroom = cloakroom

    def name(self) -> str:
        return "claimcheck"

    def select(self, context: StorageDriverSelectContext, _: Payload) -> StorageDriver | None:
        """What belongs to no workflow stays inline: nobody would know how long to keep it."""
        return self if isinstance(context.target, StorageDriverWorkflowInfo) else None

    async def store(
        self, context: StorageDriverStoreContext, payloads: Sequence[Payload]
    ) -> list[StorageDriverClaim]:
        target = context.target
        if not isinstance(target, StorageDriverWorkflowInfo) or not target.id:
            raise ClaimInvalid("a payload of no workflow: use driver_selector=driver.select")
        if target.namespace != self._cloakroom.namespace:
            raise ClaimInvalid(f"this driver is for namespace {self._cloakroom.namespace!r}")
        written = (payload.SerializeToString(deterministic=True) for payload in payloads)
        claims = await all_or_none(
            self._cloakroom.deposit(data, workflow_id=target.id, metadata=_METADATA)
            for data in written
        )
        texts = [reference_payload(claim).data.decode() for claim in claims]
        return [StorageDriverClaim({"claim": text}) for text in texts]

    async def retrieve(
        self,
        context: StorageDriverRetrieveContext,  # noqa: ARG002 - there is nothing in it
        claims: Sequence[StorageDriverClaim],
    ) -> list[Payload]:
        loading = Loading(self._cloakroom)
        wholes = await all_or_none(loading.whole(_claim(claim)) for claim in claims)
        return [_payload(data) for data in wholes]


def _claim(claim: StorageDriverClaim) -> Claim:
    return claim_of(Payload(data=claim.claim_data.get("claim", "").encode()))


def _payload(data: bytes) -> Payload:
    try:
        return Payload.FromString(data)
    except DecodeError:
        raise ClaimInvalid("the value of the claim is no payload") from None
