"""Performing a node as a Temporal activity: the seam every handler is called through."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.addresses import AddressPolicy
from activities.aside import aside
from activities.attempt import Attempt, Options, Resources
from activities.call import NodeCall, read_call
from activities.claims import Claims
from activities.declaration import AnyImplementation
from activities.deferred import settle_params
from activities.errors import INTERNAL_ERROR, NOT_STARTED, NodeFailed, of_claim_check
from activities.parameters import load_params
from activities.redaction import Redactor, current_redactor
from activities.results import ResultWriter
from activities.retrying import is_final, next_delay
from activities.secrets import Secrets
from claimcheck.errors import ClaimCheckError
from claimcheck.interceptor import takes_claims
from claimcheck.payloads import Inline
from flowspec.values import Json, JsonObject

__all__ = ["Services", "as_activity"]

_LONGEST_MESSAGE = 4000
_BEAT = 2.0
_BEATS_PER_TIMEOUT = 3

_logger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Services:
    """What every attempt on one worker shares."""

    secrets: Secrets
    resources: Resources
    claims: Claims
    folders: tuple[Path, ...] = ()
    """Those on this machine that flows may use."""
    addresses: AddressPolicy = field(default_factory=AddressPolicy)
    options: Options = field(default_factory=Options)


def as_activity(
    implementation: AnyImplementation, services: Services
) -> Callable[[dict[str, Any]], Awaitable[Any]]:
    """The activity that performs the node type, under its name.

    Its argument is a `NodeCall` as JSON, its result `{output, action}`, of which the output may
    be claims. Every failure leaves it as an `ApplicationError` whose type is the error's, with
    the node and the attempt in its details, and with no secret anywhere in it.
    """
    writer = ResultWriter(implementation)

    @activity.defn(name=implementation.node_type.name)
    @takes_claims
    async def perform(argument: Any) -> Any:
        call = await _whole(argument, services.claims)
        read = read_call(call)
        redactor = Redactor()
        current_redactor.set(redactor)
        number = activity.info().attempt
        with structlog.contextvars.bound_contextvars(
            flow=read.flow, run=read.run_id, node=read.node, attempt=number
        ):
            outcome = await _attempt(implementation, services, writer, read, redactor)
            if not isinstance(outcome, NodeFailed):
                return Inline(outcome)  # whatever is large in it has been put away
            failure = await _failure(outcome, read, number, redactor, services.claims)
        # raised here, outside any handler, so that no exception of the handler's, whose text may
        # hold a secret, goes along as its cause
        raise failure

    return perform


async def _attempt(
    implementation: AnyImplementation,
    services: Services,
    writer: ResultWriter,
    call: NodeCall,
    redactor: Redactor,
) -> JsonObject | NodeFailed:
    try:
        params = await _params(implementation, services, call, redactor)
        async with _beating(services.claims) as (beat, progress):
            attempt = Attempt(
                node=call.node,
                flow=call.flow,
                run_id=call.run_id,
                key=call.key,
                namespace=services.claims.cloakroom.namespace,
                number=activity.info().attempt,
                progress=progress,
                resources=services.resources,
                addresses=services.addresses,
                redactor=redactor,
                beat=beat,
                claims=services.claims,
                folders=services.folders,
                options=services.options,
            )
            returned = await implementation.handler(params, attempt)
            result = await aside(lambda: writer.write(returned, redactor=redactor), over=returned)
            return {**result, "output": await services.claims.stowed(result["output"])}
    except NodeFailed as failed:
        return failed
    except ClaimCheckError as error:
        return NodeFailed(of_claim_check(error), str(error))
    except Exception as error:
        _logger.exception("handler broke", node_type=implementation.node_type.name)
        return NodeFailed(INTERNAL_ERROR, f"{type(error).__name__}: {error}")


async def _whole(argument: Any, claims: Claims) -> Any:
    """The argument, if it was put away as a whole; what is claimed inside it stays a claim."""
    try:
        return await claims.opened(argument)
    except ClaimCheckError as error:
        failed = _not_started(error)
    attempt = Inline({"attempt": activity.info().attempt})
    raise ApplicationError(failed.message, attempt, type=failed.error.name, non_retryable=True)


async def _params(
    implementation: AnyImplementation, services: Services, call: NodeCall, redactor: Redactor
) -> Any:
    """The parameters as the handler takes them, everything computed, and loaded but for blobs.

    Nothing has been done yet if this fails: without the store the attempt has not begun.
    """
    try:
        scope = await services.claims.loaded(call.scope)
        settled = await settle_params(replace(call, scope=scope), services.secrets, redactor)
        return await load_params(implementation, settled, services.claims)
    except ClaimCheckError as error:
        raise _not_started(error) from error


def _not_started(error: ClaimCheckError) -> NodeFailed:
    kind = NOT_STARTED if error.passing else of_claim_check(error)
    return NodeFailed(kind, f"its parameters cannot be loaded: {error}")


async def _failure(
    failed: NodeFailed, call: NodeCall, number: int, redactor: Redactor, claims: Claims
) -> ApplicationError:
    message = redactor.text(failed.message)[:_LONGEST_MESSAGE]
    final = is_final(failed, call.retry)
    delay = None if final else next_delay(call.retry, number, failed.retry_after, random.random())
    details: JsonObject = {
        "node": call.node,
        "attempt": number,
        "type": failed.error.name,
        "details": await claims.detail(redactor.value(failed.details)),
    }
    _logger.warning(
        "attempt failed",
        error_type=failed.error.name,
        error=message,
        last=final or number == call.retry.attempts,
    )
    return ApplicationError(
        message,
        Inline(details),
        type=failed.error.name,
        non_retryable=final,
        next_retry_delay=None if delay is None else timedelta(seconds=delay),
    )


@asynccontextmanager
async def _beating(
    claims: Claims,
) -> AsyncGenerator[tuple[Callable[[Json], None], Json]]:
    """Heartbeats while the handler runs: they bring a cancellation to it, of whatever type it is,
    and show that this worker lives where the node has a `heartbeat`.

    Each repeats the last progress, for a heartbeat without it would erase it.
    """
    info = activity.info()
    told = info.heartbeat_details[0] if info.heartbeat_details else None
    last: Json = await claims.loaded(told)

    def beat(progress: Json) -> None:
        nonlocal last
        last = progress
        activity.heartbeat(progress)

    async def beat_on(every: float) -> None:
        while True:
            await asyncio.sleep(every)
            activity.heartbeat(last)

    if info.is_local:  # cancelled directly, and never lost without the run
        yield beat, last
        return
    timeout = info.heartbeat_timeout.total_seconds() if info.heartbeat_timeout else math.inf
    beating = asyncio.create_task(beat_on(min(_BEAT, timeout / _BEATS_PER_TIMEOUT)))
    try:
        yield beat, last
    finally:
        beating.cancel()
        await asyncio.wait([beating])
