"""How an HTTP exchange fails."""

from __future__ import annotations

from flowspec.catalogue import ErrorType

__all__ = [
    "CLIENT_ERROR",
    "INVALID_RESPONSE",
    "INVALID_URL",
    "NETWORK_ERROR",
    "REDIRECT",
    "RESPONSE_TOO_LARGE",
    "SERVER_ERROR",
    "TIMEOUT",
    "TLS_ERROR",
    "TOKEN_REFUSED",
    "TOKEN_UNAVAILABLE",
    "TRY_LATER",
    "UNEXPECTED_STATUS",
]

CLIENT_ERROR = ErrorType(
    name="HttpClientError",
    permanent=True,
    meaning="The server answered 4xx, other than 408, 425 and 429",
)
TRY_LATER = ErrorType(
    name="HttpTryLater",
    permanent=False,
    meaning="The server answered 408, 425 or 429: the same request may succeed later",
)
SERVER_ERROR = ErrorType(name="HttpServerError", permanent=False, meaning="The server answered 5xx")
UNEXPECTED_STATUS = ErrorType(
    name="HttpUnexpectedStatus",
    permanent=True,
    meaning="The status is no error of its own, but `expect` does not list it",
)
REDIRECT = ErrorType(
    name="HttpRedirect",
    permanent=True,
    meaning="A redirect that is not followed: not asked for, too many, or not safe",
)
NETWORK_ERROR = ErrorType(
    name="HttpNetworkError",
    permanent=False,
    meaning="No name, no connection, or the connection broke",
)
TIMEOUT = ErrorType(name="HttpTimeout", permanent=False, meaning="One of `timeouts` ran out")
TLS_ERROR = ErrorType(
    name="HttpTlsError", permanent=True, meaning="The server's certificate is not trusted"
)
INVALID_URL = ErrorType(
    name="HttpInvalidUrl", permanent=True, meaning="`url` is not an http or https URL"
)
INVALID_RESPONSE = ErrorType(
    name="HttpInvalidResponse",
    permanent=True,
    meaning="The body is not what its content type or encoding says",
)
RESPONSE_TOO_LARGE = ErrorType(
    name="ResponseTooLarge",
    permanent=True,
    meaning="The body is larger than `max_bytes`; `save` takes larger ones",
)
TOKEN_REFUSED = ErrorType(
    name="HttpTokenRefused",
    permanent=True,
    meaning="With `oauth2`: the token server gives no token for these parameters",
)
TOKEN_UNAVAILABLE = ErrorType(
    name="HttpTokenUnavailable",
    permanent=False,
    meaning="With `oauth2`: the token server cannot be reached, or says to try later",
)
