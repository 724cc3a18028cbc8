"""What the payloads of a history hold, as far as it can be told without fetching anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client

from claimcheck.claim import Claim
from claimcheck.codec import ClaimCodec
from claimcheck.errors import ClaimCheckError
from claimcheck.payloads import CLAIMS, REFERENCE, claim_of, claims_in, json_of, write_json
from flowspec.values import Json
from service.settings.sizes import format_size

__all__ = ["PLAIN", "PayloadReader", "reader_for", "shown"]


class PayloadReader:
    """Reads payloads as they stand in events; nothing in one of them makes it fail.

    `unsealed` takes the encryption off one; it raises `ClaimCheckError` where it cannot.
    """

    def __init__(self, unsealed: Callable[[Payload], Payload] = lambda payload: payload) -> None:
        self._unsealed = unsealed

    def value(self, payload: Payload) -> Json:
        """What it holds, where that is plain to see; else a word about what it is."""
        try:
            return _value(self._unsealed(payload))
        except ClaimCheckError as error:
            return f"<{error}>"

    def text(self, payload: Payload) -> str | None:
        """The text it holds; None if it holds anything else, or that is not to be seen."""
        try:
            value = _value(self._unsealed(payload))
        except ClaimCheckError:
            return None
        return value if isinstance(value, str) else None

    def first(self, payloads: Payloads) -> Json:
        return self.value(payloads.payloads[0]) if payloads.payloads else None

    def size(self, payloads: Payloads) -> int | None:
        """How much the values measure, wherever they are; None if that is not to be known."""
        sizes = [self._size(payload) for payload in payloads.payloads]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    def _size(self, payload: Payload) -> int | None:
        try:
            return _measured(self._unsealed(payload))
        except ClaimCheckError:
            return None

    def error(self, failure: Failure) -> str:
        """`Type: message`, from wherever in the failure they stand."""
        message = self._message(failure)
        if failure.HasField("application_failure_info") and failure.application_failure_info.type:
            return f"{failure.application_failure_info.type}: {message}"
        wraps = failure.HasField("activity_failure_info") or failure.HasField(
            "child_workflow_execution_failure_info"
        )
        if wraps and failure.HasField("cause"):
            return self.error(failure.cause)
        return f"Timeout: {message}" if failure.HasField("timeout_failure_info") else message

    def _message(self, failure: Failure) -> str:
        """With encoded attributes, what the failure says in plain sight is no more than that."""
        if not failure.HasField("encoded_attributes"):
            return failure.message
        told = self.value(failure.encoded_attributes)
        message = told.get("message") if isinstance(told, dict) else told
        return message if isinstance(message, str) else failure.message


PLAIN: Final = PayloadReader()
"""For payloads that nobody has encrypted."""


def reader_for(client: Client) -> PayloadReader:
    """One with the keys of the client."""
    codec = client.data_converter.payload_codec
    return PayloadReader(codec.unsealed) if isinstance(codec, ClaimCodec) else PLAIN


def shown(value: Any) -> Json:
    """The JSON value with a word in the place of whatever it claims."""
    if isinstance(value, Claim):
        return _word(value)
    if isinstance(value, dict):
        return {key: shown(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [shown(entry) for entry in value]
    plain: Json = value
    return plain


def _word(claim: Claim) -> str:
    if claim.flaw is not None:
        return f"<a reference that leads nowhere: {claim.flaw}>"
    return f"<{'part of ' if claim.at else ''}{format_size(claim.size)} in the store>"


def _value(payload: Payload) -> Json:
    encoding = payload.metadata.get("encoding", b"").decode("ascii", "replace")
    if encoding == "binary/null":
        return None
    if encoding == REFERENCE:
        return _word(claim_of(payload))
    if encoding == "json/plain":
        try:
            value: Json = json_of(payload)
            return shown(value) if CLAIMS in payload.metadata else value
        except ValueError:
            return f"<what is no JSON, though it says so: {format_size(len(payload.data))}>"
    if encoding == "text/yaml":
        return payload.data.decode("utf-8", "replace")
    return f"<{encoding or 'unknown encoding'}, {len(payload.data)} bytes>"


def _measured(payload: Payload) -> int | None:
    if payload.metadata.get("encoding") == REFERENCE.encode():
        claim = claim_of(payload)
        return claim.size if claim.flaw is None else None
    if CLAIMS not in payload.metadata:
        return len(payload.data)
    try:
        claims = [claim for _, claim in claims_in(json_of(payload))]
    except ValueError:
        return len(payload.data)
    written = sum(len(write_json(claim)[0]) for claim in claims)
    # Claims for parts of one blob stand for no more than the blob.
    blobs = {claim.key: claim.size for claim in claims}
    return len(payload.data) - written + sum(blobs.values())
