"""Node type `webhook.send`: its parameters, its result and its errors.

The sending itself is in `activities.http.webhook_sending`, which is loaded by the first one.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from activities.addresses import ADDRESS_REFUSED
from activities.attempt import Attempt
from activities.declaration import AnyImplementation, Params, declare
from activities.durations import Seconds
from activities.http.errors import (
    CLIENT_ERROR,
    INVALID_URL,
    NETWORK_ERROR,
    REDIRECT,
    SERVER_ERROR,
    TIMEOUT,
    TLS_ERROR,
    TRY_LATER,
    UNEXPECTED_STATUS,
)
from activities.http.fields import HttpUrl, Scalar, check_headers
from flowspec.catalogue import ErrorType, RetryDefaults
from flowspec.values import Json

__all__ = ["GONE", "NODE_TYPES", "SIGNING_HEADERS", "WebhookParams", "WebhookResult", "key_of"]

SIGNING_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")

_PREFIX = "whsec_"
_MOST_SECRETS = 5

GONE = ErrorType(
    name="WebhookGone",
    permanent=True,
    meaning="The receiver answered 410: it wants no more webhooks at this URL",
)


def key_of(secret: str) -> bytes:
    """The bytes that sign: what is written in base64 after `whsec_`, else the text itself."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError(f"what follows {_PREFIX} is not the base64 of a key")
    return key


def _check_secret(secret: str) -> str:
    key_of(secret)
    return secret


def _check_headers(headers: dict[str, Scalar]) -> dict[str, Scalar]:
    taken = [name for name in headers if name.lower() in (*SIGNING_HEADERS, "content-type")]
    if taken:
        raise ValueError(f"{taken[0]!r} is set by the node itself")
    return check_headers(headers)


Secret = Annotated[str, Field(min_length=1), AfterValidator(_check_secret)]


class WebhookParams(Params):
    """One message."""

    url: HttpUrl
    """Where to, beginning with `http://` or `https://`."""
    payload: Json
    """The body, sent as JSON. The specification suggests `{type, timestamp, data}`."""
    secret: Secret | Annotated[list[Secret], Field(min_length=1, max_length=_MOST_SECRETS)]
    """What it is signed with: `whsec_` and the base64 of a key, or any other text, which is the
    key itself. Of a list each signs, so that the receiver may change to a new one at any time."""
    headers: Annotated[dict[str, Scalar], AfterValidator(_check_headers)] = Field(
        default_factory=dict
    )
    """More headers by name."""
    timeout: Seconds = Field(default="15s", validate_default=True)
    """How long the receiver may take to answer."""

    @property
    def secrets(self) -> list[str]:
        return [self.secret] if isinstance(self.secret, str) else self.secret


class WebhookResult(TypedDict):
    """What the receiver made of it."""

    id: Annotated[str, Field(description="`webhook-id`, the same for every attempt")]
    timestamp: Annotated[
        int, Field(description="`webhook-timestamp` of the attempt that was accepted")
    ]
    attempt: Annotated[int, Field(description="Which attempt was accepted")]
    status: Annotated[int, Field(description="The status of the answer, 200 to 299")]
    answer: Annotated[str, Field(description="The beginning of the answer as text")]


async def send(params: WebhookParams, attempt: Attempt) -> WebhookResult:
    from activities.http.webhook_sending import deliver

    return await deliver(params, attempt)


WEBHOOK_SEND = declare(
    name="webhook.send",
    summary="Send a signed webhook",
    description=(
        "A POST with `webhook-id`, `webhook-timestamp` and `webhook-signature` as "
        "[Standard Webhooks](https://www.standardwebhooks.com) has them: receivers verify it by "
        "any of its libraries. The id is the same for every attempt at the node, so that a "
        "receiver can pass over what it has had; the time and the signature are those of the "
        "attempt. The node succeeds once the receiver has answered 2xx. 408, 425, 429, 5xx and "
        "network trouble are tried again, not before what `Retry-After` says; other statuses are "
        "not, nor are redirects followed."
    ),
    example="""\
flow: order-shipped
input: {required: [order], properties: {order: {type: string}}}
secrets: [WEBHOOK_SECRET]
nodes:
  tell:
    type: webhook.send
    params:
      url: https://shop.example/hooks
      payload: {type: order.shipped, data: {order: "${input.order}"}}
      secret: ${secrets.WEBHOOK_SECRET}
""",
    params=WebhookParams,
    result=WebhookResult,
    handler=send,
    errors=(
        CLIENT_ERROR,
        GONE,
        TRY_LATER,
        SERVER_ERROR,
        UNEXPECTED_STATUS,
        REDIRECT,
        NETWORK_ERROR,
        TIMEOUT,
        TLS_ERROR,
        INVALID_URL,
        ADDRESS_REFUSED,
    ),
    secret_params=("*",),
    retry=RetryDefaults(attempts=5, interval=2, factor=4, max_interval=300, jitter=0.2),
    attempt_timeout=60,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (WEBHOOK_SEND,)
