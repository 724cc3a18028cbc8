"""The codec: large payloads become references on their way out; clients get them back.

A worker never fetches anything here: its workflow code hands claims on, and its activities are
given what their claims stand for by the interceptor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Literal, Self

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.errors import ClaimInvalid, SealBroken
from claimcheck.sealing import seal, unseal
from claimcheck.payloads import (
    CLAIMS,
    HELD_BY,
    HINT,
    INLINE,
    REFERENCE,
    claim_of,
    claims_in,
    flawed_payload,
    json_of,
    metadata_of,
    payload_of,
    reference_payload,
    write_json,
)
from claimcheck.values import all_or_none, load, load_all

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
            return self
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
            metadata = metadata_of(payload)
            metadata.pop(HELD_BY, None)
            claim = await self.cloakroom.deposit(
                payload.data, workflow_id=self._workflow_id, metadata=metadata
            )
            payload = reference_payload(claim)
            claims = [*claims, claim]
        await self._note_holders(claims, holder)
        return self._sealed(payload)

    def _too_large(self, payload: Payload) -> bool:
        return (
            len(payload.data) > self.cloakroom.threshold
            and self._workflow_id is not None
            and payload.metadata.get(HINT) != INLINE
            and payload.metadata.get("encoding") not in (REFERENCE.encode(), ENCRYPTED.encode())
        )

    @staticmethod
    def _claims_of(payload: Payload) -> list[Claim]:
        if payload.metadata.get("encoding") == REFERENCE.encode():
            return [claim_of(payload)]
        if CLAIMS in payload.metadata:
            return [claim for _, claim in claims_in(json_of(payload))]
        return []

    async def _note_holders(self, claims: Iterable[Claim], holder: str | None) -> None:
        """What a payload claims is needed by the workflow it belongs to, and by `holder`."""
        holders = [each for each in (self._workflow_id, holder) if each is not None]
        good = {claim.key: claim for claim in claims if claim.flaw is None}
        await all_or_none(self._hold(claim, by=each) for claim in good.values() for each in holders)

    async def _hold(self, claim: Claim, *, by: str) -> None:
        with suppress(ClaimInvalid):  # of a forged one, whoever redeems it is told
            await self.cloakroom.hold(claim, by=by)

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
            return await all_or_none(self.resolved(self.unsealed(each)) for each in payloads)
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

    async def resolved(self, payload: Payload) -> Payload:
        """With everything it claims in its place."""
        if payload.metadata.get("encoding") == REFERENCE.encode():
            claim = claim_of(payload)
            if not claim.at:
                whole = payload_of(await self.cloakroom.redeem(claim), claim.metadata)
                return await self.resolved(whole)
            return _json_payload(await load(self.cloakroom, claim))
        if CLAIMS in payload.metadata:
            return _json_payload((await load_all(self.cloakroom, [json_of(payload)]))[0])
        return payload


def _json_payload(value: object) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=write_json(value)[0])
