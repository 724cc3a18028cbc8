"""What the node types of mail have in common: the server, how it is reached, what goes wrong."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from activities.declaration import Params
from activities.durations import Seconds
from flowspec.catalogue import ErrorType

__all__ = [
    "CONNECTION_ERRORS",
    "MAIL_AUTH_FAILED",
    "MAIL_DEFERRED",
    "MAIL_REFUSED",
    "MAIL_TLS_ERROR",
    "MAIL_UNREACHABLE",
    "Line",
    "MailServer",
    "Security",
]

MAIL_REFUSED = ErrorType(
    name="MailRefused",
    permanent=True,
    meaning="The server refuses it for good: 5xx, or NO; the details say whom or what",
)
MAIL_DEFERRED = ErrorType(
    name="MailDeferred",
    permanent=False,
    meaning="The server refuses it for now: 4xx, greylisting, a mailbox in use",
)
MAIL_AUTH_FAILED = ErrorType(
    name="MailAuthFailed",
    permanent=True,
    meaning="The server does not take the user name and password, or none of its ways to log in "
    "is known here",
)
MAIL_UNREACHABLE = ErrorType(
    name="MailUnreachable",
    permanent=False,
    meaning="No name, no connection, the connection broke, or no answer within `timeout`",
)
MAIL_TLS_ERROR = ErrorType(
    name="MailTlsError",
    permanent=True,
    meaning="The server's certificate is not trusted, or it does not speak TLS as `security` says",
)

CONNECTION_ERRORS = (
    MAIL_REFUSED,
    MAIL_DEFERRED,
    MAIL_AUTH_FAILED,
    MAIL_UNREACHABLE,
    MAIL_TLS_ERROR,
)

Security = Literal["starttls", "tls", "none"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _check_line(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("expected one line, found a line break or another control character")
    return text


Line = Annotated[str, AfterValidator(_check_line)]
"""Text that cannot break out of the line it is written into."""


class MailServer(Params):
    """Which server, and how to speak to it."""

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,253}$")]
    """The server's name."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Its port; left out, the usual one for `security`."""
    security: Security | None = None
    """`tls` from the first byte, `starttls` before anything is said, or `none`. Left out, what the
    port stands for. Certificates are always verified."""
    allow_plaintext: bool = False
    """Let `security: none` send everything, the password too, readable to anyone on the way. To
    this machine itself (`localhost`) it always may."""
    timeout: Seconds = Field(default="60s", validate_default=True)
    """How long one answer of the server may take."""

    @model_validator(mode="after")
    def _not_readable_to_anyone(self) -> Self:
        if self.security == "none" and not (self.allow_plaintext or is_loopback(self.host)):
            raise ValueError(
                "security: none sends everything readable to anyone on the way to another machine; "
                "if that is meant, add allow_plaintext: true"
            )
        return self

    def reached(self, *, tls: int, starttls: int, none: int) -> tuple[int, Security]:
        """The port and the security, given the usual ports for each."""
        security = self.security or ("tls" if self.port in (tls, None) else "starttls")
        return self.port or {"tls": tls, "starttls": starttls, "none": none}[security], security


def is_loopback(host: str) -> bool:
    """Whether it is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
