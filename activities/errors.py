"""How an attempt at a node fails: by a declared error type, which says whether to try again."""

from __future__ import annotations

from flowspec.catalogue import ErrorType
from flowspec.values import Json

__all__ = [
    "COMMON_ERRORS",
    "EXPRESSION_ERROR",
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_RESULT",
    "SECRET_MISSING",
    "SECRET_REFUSED",
    "TOO_LARGE",
    "NodeFailed",
]

INVALID_PARAMS = ErrorType(
    name="InvalidParams",
    permanent=True,
    meaning="The parameters, once computed, are not what the node type takes",
)
EXPRESSION_ERROR = ErrorType(
    name="ExpressionError", permanent=True, meaning="A `${…}` could not be computed"
)
SECRET_MISSING = ErrorType(
    name="SecretMissing", permanent=True, meaning="A secret the node needs is not set on the worker"
)
SECRET_REFUSED = ErrorType(
    name="SecretRefused",
    permanent=True,
    meaning="A secret the node needs is not declared, not allowed, or too short to be kept secret",
)
TOO_LARGE = ErrorType(
    name="TooLarge", permanent=True, meaning="The result is larger than Temporal takes"
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
    TOO_LARGE,
    INVALID_RESULT,
    INTERNAL_ERROR,
)
"""What any node performed by a worker can fail with."""


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
