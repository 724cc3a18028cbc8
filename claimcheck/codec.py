"""The codec: large payloads become references on their way out; clients get them back.

A worker never fetches anything here: its workflow code hands claims on, and its activities are
given what their claims stand for by the interceptor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from claimcheck.claim import MOST_METADATA, Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.errors import ClaimInvalid, SealBroken
from claimcheck.payloads import (
    HELD_BY,
    HINT,
    INLINE,
    REFERENCE,
    claim_of,
    claims_in,
    flawed_payload,
    json_of,
    metadata_of,
    reference_payload,
    says_claims,
)
from claimcheck.sealing import seal, unseal
from claimcheck.values import Loading, all_or_none, hold_all

__all__ = ["ENCRYPTED", "ClaimCodec", "Role"]

Role = Literal["worker", "client", "replay"]

ENCRYPTED = "binary/encrypted"


class ClaimCodec(PayloadCodec, WithSerializationContext):
    """A `client` offloads and resolves, a `worker` offloads and hands on, a `replay` hands on.

    Without the id of a workflow nothing is offloaded, for nobody would know how long to keep it.
    """

    def __init__(self, cloakroom: Cloakroom, *, role: Role, workflow_id: str | None = None) -> None:
        self.cloakroom = cloakroom
        self.role: Role = role
        self._workflow_id = workflow_id

    def with_context(self, context: SerializationContext) -> Self:
        if not isinstance(context, WorkflowSerializationContext | ActivitySerializationContext):
            # Of an operation of Nexus, say, which may be handled where nobody has our store.
            return type(self)(self.cloakroom, role=self.role)
        if context.namespace != self.cloakroom.namespace:
            raise ClaimInvalid(
                f"this claim check is for namespace {self.cloakroom.namespace!r}, not for "
                f"{context.namespace!r}"
            )
        return type(self)(self.cloakroom, role=self.role, workflow_id=context.workflow_id)

    # -- out -----------------------------------------------------------------------------------

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return await all_or_none(self._encode(payload) for payload in payloads)

    async def _encode(self, payload: Payload) -> Payload:
        if self.role == "replay":
            return self._sealed(payload)
        claims = self._claims_of(payload)
        holder = payload.metadata.get(HELD_BY, b"").decode("utf-8", "replace") or None
        if self._too_large(payload):
            assert self._workflow_id is not None
            plain = _without_notes(payload)
            claim = await self.cloakroom.deposit(
                plain.data, workflow_id=self._workflow_id, metadata=metadata_of(plain)
            )
            payload = reference_payload(claim)
            claims = [*claims, claim]
        holders = [each for each in (self._workflow_id, holder) if each is not None]
        await hold_all(self.cloakroom, claims, by=holders)
        return self._sealed(_without_notes(payload))

    def _too_large(self, payload: Payload) -> bool:
        return (
            len(payload.data) > self.cloakroom.threshold
            and self._workflow_id is not None
            and payload.metadata.get(HINT) != INLINE
            and payload.metadata.get("encoding") not in (REFERENCE.encode(), ENCRYPTED.encode())
            and len(payload.metadata) <= MOST_METADATA
        )

    @staticmethod
    def _claims_of(payload: Payload) -> list[Claim]:
        if payload.metadata.get("encoding") == REFERENCE.encode():
            return [claim_of(payload)]
        if not says_claims(payload):
            return []
        try:
            return [claim for _, claim in claims_in(json_of(payload))]
        except (ValueError, RecursionError):  # handed on as it came, from whoever has written it
            return []

    def _sealed(self, payload: Payload) -> Payload:
        keys = self.cloakroom.keys
        if keys is None or not keys.encrypting:
            return payload
        if payload.metadata.get("encoding") == ENCRYPTED.encode():
            return payload
        data = seal(payload.SerializeToString(), context=self.cloakroom.namespace, keys=keys)
        return Payload(metadata={"encoding": ENCRYPTED.encode()}, data=data)

    # -- in ------------------------------------------------------------------------------------

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if self.role == "client":
            loading = Loading(self.cloakroom)
            return await all_or_none(loading.payload(self.unsealed(each)) for each in payloads)
        return [self._handed_on(payload) for payload in payloads]

    def unsealed(self, payload: Payload) -> Payload:
        """Without the encryption; references stay references."""
        if payload.metadata.get("encoding") != ENCRYPTED.encode():
            return payload
        data = unseal(payload.data, context=self.cloakroom.namespace, keys=self.cloakroom.keys)
        return Payload.FromString(data)

    def _handed_on(self, payload: Payload) -> Payload:
        """Anybody can send a payload: one that does not open becomes a claim that is refused when
        it is redeemed, for an error here would keep the run from ever going on."""
        try:
            return self.unsealed(payload)
        except SealBroken as error:
            return flawed_payload(str(error))


def _without_notes(payload: Payload) -> Payload:
    """Without what was only meant for the codec: Temporal's CLI prints payloads as they are if
    there is more in their metadata than it knows."""
    if HINT not in payload.metadata and HELD_BY not in payload.metadata:
        return payload
    plain = Payload()
    plain.CopyFrom(payload)
    for note in (HINT, HELD_BY):
        plain.metadata.pop(note, None)
    return plain
