"""Sending a webhook: what is signed, and when it counts as delivered."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable
from contextlib import suppress

import httpx2

from activities.aside import aside
from activities.attempt import Attempt
from activities.blobs import blob_of
from activities.errors import NodeFailed
from activities.http.answer import check_status, excerpt
from activities.http.errors import CLIENT_ERROR
from activities.http.exchange import Answered, answered
from activities.http.fields import Timeouts
from activities.http.request import HttpParams
from activities.http.webhook import GONE, WebhookParams, WebhookResult, key_of

__all__ = ["deliver", "message_id", "signatures"]

_GONE = 410
_LONGEST_EXCERPT = 2.0
"""Seconds in which the beginning of an answer should be there; what it says changes nothing."""


async def deliver(params: WebhookParams, attempt: Attempt) -> WebhookResult:
    for secret in params.secrets:
        attempt.conceal(secret.removeprefix("whsec_"))
    payload = params.payload
    body = await aside(lambda: json.dumps(payload, ensure_ascii=False), over=payload)
    identity, now = message_id(attempt.key), int(time.time())
    keys = [key_of(secret) for secret in params.secrets]
    request = HttpParams(
        method="POST",
        url=params.url,
        headers={
            **params.headers,
            "Content-Type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": str(now),
            "webhook-signature": signatures(keys, identity, now, body.encode()),
        },
        body=blob_of(body),
        timeouts=Timeouts.all_of(params.timeout),
    )
    async with answered(request, attempt) as answer:
        await _check(answer, request, attempt)
        answer.ended()
        return {
            "id": identity,
            "timestamp": now,
            "attempt": attempt.number,
            "status": answer.response.status_code,
            "answer": await _said(answer.response, attempt),
        }


def message_id(key: str) -> str:
    """The same for the same key, and only for that."""
    return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def signatures(keys: Iterable[bytes], identity: str, timestamp: int, body: bytes) -> str:
    """One for each key, separated by spaces."""
    signed = f"{identity}.{timestamp}.".encode() + body
    made = (hmac.digest(key, signed, hashlib.sha256) for key in keys)
    return " ".join(f"v1,{base64.b64encode(each).decode()}" for each in made)


async def _check(answer: Answered, request: HttpParams, attempt: Attempt) -> None:
    try:
        await check_status(answer.response, request, answer.name, attempt)
    except NodeFailed as failed:
        if failed.error is CLIENT_ERROR and answer.response.status_code == _GONE:
            raise NodeFailed(GONE, failed.message, details=failed.details) from failed
        raise


async def _said(response: httpx2.Response, attempt: Attempt) -> str:
    """It was accepted by then: an answer that breaks off is no reason to send again."""
    with suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(_LONGEST_EXCERPT):
            return await excerpt(response, attempt)
    return ""
