"""How an attempt at a node fails: by a declared error type, which says whether to try again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from claimcheck.errors import (
    BlobDamaged,
    BlobMissing,
    BlobTooLarge,
    ClaimCheckError,
    ClaimInvalid,
)
from flowspec.catalogue import ErrorType
from flowspec.values import Json

__all__ = [
    "BLOB_DAMAGED",
    "BLOB_MISSING",
    "CLAIM_INVALID",
    "COMMON_ERRORS",
    "EXPRESSION_ERROR",
    "EXTRA_MISSING",
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_RESULT",
    "NODE_TYPE_MISSING",
    "NOT_STARTED",
    "SECRET_MISSING",
    "SECRET_REFUSED",
    "SECRET_UNREADABLE",
    "STORE_UNAVAILABLE",
    "TOO_LARGE",
    "NodeFailed",
    "needing_extra",
    "of_claim_check",
]

INVALID_PARAMS = ErrorType(
    name="InvalidParams",
    permanent=True,
    meaning="The parameters, once computed, are not what the node type takes",
)
EXPRESSION_ERROR = ErrorType(
    name="ExpressionError", permanent=True, meaning="A `${…}` could not be computed"
)
EXTRA_MISSING = ErrorType(
    name="ExtraMissing",
    permanent=True,
    meaning="The worker was installed without what this node type needs; the message says what",
)
NODE_TYPE_MISSING = ErrorType(
    name="NodeTypeMissing",
    permanent=False,
    meaning="The worker that took it up has no such node type: a plug-in is not installed there, "
    "or does not work",
)
SECRET_MISSING = ErrorType(
    name="SecretMissing", permanent=True, meaning="A secret the node needs is not set on the worker"
)
SECRET_REFUSED = ErrorType(
    name="SecretRefused",
    permanent=True,
    meaning="A secret the node needs is not declared, not allowed, or too short to be kept secret",
)
SECRET_UNREADABLE = ErrorType(
    name="SecretUnreadable",
    permanent=False,
    meaning="A secret the node needs is in a file that cannot be read, or in a vault without its "
    "key",
)
TOO_LARGE = ErrorType(
    name="TooLarge",
    permanent=True,
    meaning="A value is larger than a worker takes into its memory",
)
NOT_STARTED = ErrorType(
    name="NotStarted",
    permanent=True,
    meaning="The object store is away, so the parameters could not be loaded; nothing was done, "
    "and the run tries again by itself, without counting it as an attempt",
)
STORE_UNAVAILABLE = ErrorType(
    name="StoreUnavailable",
    permanent=False,
    meaning="The object store was away for too long to keep the result",
)
BLOB_MISSING = ErrorType(
    name="BlobMissing",
    permanent=True,
    meaning="A large value is no longer in the object store",
)
BLOB_DAMAGED = ErrorType(
    name="BlobDamaged",
    permanent=True,
    meaning="A large value in the object store is not what was put there",
)
CLAIM_INVALID = ErrorType(
    name="ClaimInvalid",
    permanent=True,
    meaning="A reference to a large value was forged, or is not for this namespace",
)
INVALID_RESULT = ErrorType(
    name="InvalidResult", permanent=True, meaning="The result cannot be written as JSON"
)
INTERNAL_ERROR = ErrorType(
    name="InternalError",
    permanent=False,
    meaning="The node's code broke in a way it did not expect",
)

COMMON_ERRORS: tuple[ErrorType, ...] = (
    INVALID_PARAMS,
    EXPRESSION_ERROR,
    SECRET_MISSING,
    SECRET_REFUSED,
    SECRET_UNREADABLE,
    TOO_LARGE,
    NOT_STARTED,
    STORE_UNAVAILABLE,
    BLOB_MISSING,
    BLOB_DAMAGED,
    CLAIM_INVALID,
    INVALID_RESULT,
    INTERNAL_ERROR,
)
"""What any node performed by a worker can fail with."""


_OF_CLAIM_CHECK: tuple[tuple[type[ClaimCheckError], ErrorType], ...] = (
    (BlobMissing, BLOB_MISSING),
    (BlobDamaged, BLOB_DAMAGED),
    (BlobTooLarge, TOO_LARGE),
    (ClaimInvalid, CLAIM_INVALID),
)


def of_claim_check(error: ClaimCheckError) -> ErrorType:
    """What a node fails with when the claim check does."""
    kinds = (kind for known, kind in _OF_CLAIM_CHECK if isinstance(error, known))
    return next(kinds, STORE_UNAVAILABLE)


class NodeFailed(Exception):
    """The attempt failed; `error` decides whether another one makes sense.

    `retry_after` asks for at least that many seconds before the next attempt. Secrets in the
    message and the details are blotted out before they leave the worker.
    """

    def __init__(
        self,
        error: ErrorType,
        message: str,
        *,
        details: Json = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.error = error
        self.message = message
        self.details = details
        self.retry_after = retry_after


@contextmanager
def needing_extra(extra: str) -> Iterator[None]:
    """Around imports of what only an extra brings along: fails with `ExtraMissing` without it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise NodeFailed(
            EXTRA_MISSING,
            f"this worker lacks the package {error.name!r}: install it with "
            f"pip install 'flowrunner[{extra}]'",
        ) from error
