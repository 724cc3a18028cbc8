"""How asking a model fails."""

from __future__ import annotations

from activities.addresses import ADDRESS_REFUSED
from activities.http.errors import (
    INVALID_RESPONSE,
    INVALID_URL,
    NETWORK_ERROR,
    REDIRECT,
    RESPONSE_TOO_LARGE,
    SERVER_ERROR,
    TIMEOUT,
    TLS_ERROR,
)
from flowspec.catalogue import ErrorType

__all__ = [
    "AUTHENTICATION_FAILED",
    "CONTENT_REFUSED",
    "CONTEXT_TOO_LONG",
    "ENDPOINT_ERRORS",
    "INVALID_OUTPUT",
    "INVALID_REQUEST",
    "QUOTA_EXCEEDED",
    "RATE_LIMITED",
]

RATE_LIMITED = ErrorType(
    name="RateLimited",
    permanent=False,
    meaning="Too much was asked for, or the endpoint is overloaded: 408, 409, 425, 429 or 529",
)
QUOTA_EXCEEDED = ErrorType(
    name="QuotaExceeded",
    permanent=True,
    meaning="The account has no credit left, or its budget is spent",
)
AUTHENTICATION_FAILED = ErrorType(
    name="AuthenticationFailed",
    permanent=True,
    meaning="The endpoint does not take `api_key`, or the key may not do this: 401 or 403",
)
INVALID_REQUEST = ErrorType(
    name="InvalidRequest",
    permanent=True,
    meaning="The endpoint cannot do this: no such model, or a parameter it does not take",
)
CONTEXT_TOO_LONG = ErrorType(
    name="ContextTooLong",
    permanent=True,
    meaning="What is asked is longer than the model takes",
)
CONTENT_REFUSED = ErrorType(
    name="ContentRefused",
    permanent=True,
    meaning="The endpoint refuses the request for what it says; with `schema`, the model does",
)
INVALID_OUTPUT = ErrorType(
    name="InvalidOutput",
    permanent=True,
    meaning="The answer does not fit `schema`, also after `repair` more; the details hold "
    "`problems`, `text`, `usage` and `cost`",
)

ENDPOINT_ERRORS = (
    RATE_LIMITED,
    QUOTA_EXCEEDED,
    AUTHENTICATION_FAILED,
    INVALID_REQUEST,
    CONTEXT_TOO_LONG,
    CONTENT_REFUSED,
    SERVER_ERROR,
    NETWORK_ERROR,
    TIMEOUT,
    TLS_ERROR,
    REDIRECT,
    INVALID_URL,
    INVALID_RESPONSE,
    RESPONSE_TOO_LARGE,
    ADDRESS_REFUSED,
)
"""What any question to an endpoint can fail with."""
