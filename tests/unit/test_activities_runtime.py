"""A handler called as Temporal calls it: every end of an attempt, and what may leave it."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import math
import traceback
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultPayloadConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.attempt import Attempt, Resources
from activities.claims import Claims, FlowClaim
from activities.declaration import Acted, Params, declare
from activities.errors import NodeFailed
from claimcheck.claim import Claim
from claimcheck.payloads import Inline, data_converter
from claimcheck.stores import MemoryStore
from flowspec.catalogue import ErrorType
from flowspec.values import Json
from tests import attempts

BUSY = ErrorType(name="Busy", permanent=False, meaning="")
GONE = ErrorType(name="Gone", permanent=True, meaning="")

Behaviour = Callable[["Any", Attempt], Awaitable[Any]]


class Anything(Params):
    """One parameter of any kind."""

    value: Json = None


def call(value: Any = None, **more: Any) -> dict[str, Any]:
    base = {"node": "n#2", "flow": "f", "run_id": "r", "key": "w/r/n#2", "params": {"value": value}}
    return {**base, **more}


async def perform(
    behave: Behaviour,
    argument: Any,
    env: ActivityEnvironment | None = None,
    claims: Claims | None = None,
) -> Any:
    node = declare(
        name="sample",
        summary="",
        description="",
        example="",
        params=Anything,
        result=Any,
        handler=behave,
        actions=("found",),
        errors=(BUSY, GONE),
    )
    environment = {"FLOWRUNNER_SECRET_TOKEN": "hunter22", "FLOWRUNNER_SECRET_OTHER": "unrelated"}
    return await attempts.perform(node, argument, claims=claims, environment=environment, env=env)


async def failure(
    behave: Behaviour,
    argument: Any,
    env: ActivityEnvironment | None = None,
    claims: Claims | None = None,
) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await perform(behave, argument, env, claims)
    return caught.value


async def echo(params: Anything, _attempt: Attempt) -> Json:
    return params.value


def raising(error: Exception) -> Behaviour:
    async def handle(_params: Anything, _attempt: Attempt) -> Json:
        raise error

    return handle


def deferred(template: str, **scope: Any) -> dict[str, Any]:
    return call(template, deferred=["/value"], scope=scope, secrets=["TOKEN"])


async def test_a_success_is_wrapped_with_its_action() -> None:
    async def find(_params: Anything, attempt: Attempt) -> Acted[Json]:
        return Acted(output={"node": attempt.node, "key": attempt.key}, action="found")

    assert await perform(echo, call([1])) == {"output": [1], "action": None}
    assert await perform(find, call()) == {
        "output": {"node": "n#2", "key": "w/r/n#2"},
        "action": "found",
    }


async def test_what_was_deferred_is_computed_here() -> None:
    seen: list[Json] = []

    async def look(params: Anything, _attempt: Attempt) -> None:
        seen.append(params.value)

    argument = deferred("Bearer ${secrets.TOKEN} for ${input.name}", input={"name": "Ada"})
    await perform(look, argument)
    assert seen == ["Bearer hunter22 for Ada"]


async def test_parameters_that_need_no_computing_are_taken_as_they_are() -> None:
    assert (await perform(echo, call("${not.a.template}")))["output"] == "${not.a.template}"


async def test_a_secret_handed_back_by_a_handler_is_blotted_out() -> None:
    result = await perform(echo, deferred("${secrets.TOKEN}"))
    assert result == {"output": "***", "action": None}


async def test_what_is_made_of_a_secret_is_blotted_out_as_well() -> None:
    result = await perform(echo, deferred("${upper(secrets.TOKEN) + '!'}"))
    assert "HUNTER22" not in json.dumps(result)


async def test_only_the_secrets_a_node_uses_are_needed() -> None:
    argument = {**deferred("${secrets.TOKEN}"), "secrets": ["TOKEN", "NOT_SET"]}
    assert (await perform(echo, argument))["output"] == "***"


@pytest.mark.parametrize(
    ("template", "error", "message"),
    [
        ("${secrets.NOT_SET}", "SecretMissing", "FLOWRUNNER_SECRET_NOT_SET"),
        ("${secrets.OTHER}", "SecretRefused", "does not declare"),
        ("${input.nothing}", "ExpressionError", 'params.value: input has no "nothing"'),
    ],
)
async def test_parameters_that_cannot_be_computed_fail_for_good(
    template: str, error: str, message: str
) -> None:
    argument = {**deferred(template, input={}), "secrets": ["TOKEN", "NOT_SET"]}
    failed = await failure(echo, argument)
    assert (failed.type, failed.non_retryable) == (error, True)
    assert message in failed.message
    assert "unrelated" not in failed.message


async def test_parameters_of_the_wrong_shape_fail_for_good() -> None:
    failed = await failure(echo, call(params={"valeu": 1}))
    assert (failed.type, failed.non_retryable) == ("InvalidParams", True)


async def test_a_declared_error_keeps_its_type_kind_message_and_details() -> None:
    env = attempts.lasting(60)
    env.info = dataclasses.replace(env.info, attempt=3)
    failed = await failure(raising(NodeFailed(BUSY, "try later", details={"a": 1})), call(), env)
    assert (failed.type, failed.message, failed.non_retryable) == ("Busy", "try later", False)
    assert failed.next_retry_delay is None
    told = {"node": "n#2", "attempt": 3, "type": "Busy", "details": {"a": 1}}
    assert failed.details == (Inline(told),)
    assert (await failure(raising(NodeFailed(GONE, "no")), call(), env)).non_retryable


async def test_retry_settings_are_kept() -> None:
    busy = raising(NodeFailed(BUSY, "x", retry_after=30))
    assert (await failure(busy, call())).next_retry_delay == timedelta(seconds=30)
    assert (await failure(busy, call(retry={"never": ["Busy"]}))).non_retryable
    assert (await failure(busy, call(retry={"never": ["Busy"]}))).next_retry_delay is None
    assert not (
        await failure(raising(NodeFailed(GONE, "x")), call(retry={"only": ["Gone"]}))
    ).non_retryable
    jittered = await failure(raising(NodeFailed(BUSY, "x")), call(retry={"jitter": 0.5}))
    assert jittered.next_retry_delay is not None
    assert 0.5 <= jittered.next_retry_delay.total_seconds() <= 1.5


async def test_an_unforeseen_exception_is_tried_again_and_named() -> None:
    failed = await failure(raising(KeyError("colour")), call())
    assert (failed.type, failed.non_retryable) == ("InternalError", False)
    assert failed.message == "KeyError: 'colour'"


async def test_no_secret_leaves_with_a_failure_in_any_part_of_it() -> None:
    async def leak(params: Anything, _attempt: Attempt) -> None:
        try:
            raise OSError(f"cause with {params.value}")
        except OSError as error:
            token = base64.b64encode(f"user:{params.value}".encode()).decode()
            details: Json = {f"key {params.value}": [params.value, token]}
            raise NodeFailed(BUSY, f"could not use {params.value}", details=details) from error

    async def crash(params: Anything, _attempt: Attempt) -> None:
        try:
            raise OSError(f"cause with {params.value}")
        except OSError:
            raise ValueError(f"broke on {params.value}") from None

    for behave in (leak, crash):
        failed = await failure(behave, deferred("${secrets.TOKEN}"))
        recorded = Failure()
        await data_converter().encode_failure(failed, recorded)
        told = str(recorded) + "".join(traceback.format_exception(failed))
        assert "***" in told
        assert "hunter22" not in told
        assert base64.b64encode(b"user:hunter22").decode()[4:] not in told
        assert not recorded.HasField("cause")


async def test_a_long_message_is_cut_so_that_temporal_takes_it() -> None:
    failed = await failure(raising(NodeFailed(BUSY, "x" * 100_000)), call())
    assert len(failed.message) == 4000


async def test_a_handler_that_is_cancelled_stays_cancelled() -> None:
    env = attempts.lasting(60)
    started = asyncio.Event()

    async def wait(_params: Anything, _attempt: Attempt) -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(perform(wait, call(), env))
    await asyncio.wait_for(started.wait(), 5)
    env.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_node_with_a_heartbeat_beats_by_itself_and_keeps_its_progress() -> None:
    env = attempts.lasting(60)
    env.info = dataclasses.replace(
        env.info, heartbeat_timeout=timedelta(seconds=0.03), heartbeat_details=[{"page": 1}]
    )
    beats: list[Any] = []
    two, six = asyncio.Event(), asyncio.Event()

    def on_heartbeat(*details: Any) -> None:
        beats.append(details[0])
        if len(beats) >= 2:
            two.set()
        if len(beats) >= 6:
            six.set()

    env.on_heartbeat = on_heartbeat

    async def work(_params: Anything, attempt: Attempt) -> Json:
        await asyncio.wait_for(two.wait(), 5)
        attempt.heartbeat({"page": 2})
        await asyncio.wait_for(six.wait(), 5)
        return attempt.progress

    assert (await perform(work, call(), env))["output"] == {"page": 1}
    assert beats[:2] == [{"page": 1}, {"page": 1}]
    assert beats[-3:] == [{"page": 2}] * 3


async def test_progress_in_a_heartbeat_holds_no_secret() -> None:
    env = attempts.lasting(60)
    beats: list[Any] = []
    env.on_heartbeat = lambda *details: beats.append(details)

    async def work(params: Anything, attempt: Attempt) -> None:
        attempt.heartbeat({"at": params.value})

    await perform(work, deferred("${secrets.TOKEN}"), env)
    assert beats == [({"at": "***"},)]


async def test_a_resource_is_opened_once_for_all_attempts_and_closed_at_the_end() -> None:
    log: list[str] = []

    class Door:
        async def __aenter__(self) -> str:
            log.append("open")
            return "door"

        async def __aexit__(self, *_: object) -> None:
            log.append("close")

    async with Resources() as resources:
        doors = await asyncio.gather(*(resources.get(Door) for _ in range(5)))
        assert (doors, log) == (["door"] * 5, ["open"])
    assert log == ["open", "close"]


def test_the_arguments_a_call_is_made_with_are_json() -> None:
    [payload] = DefaultPayloadConverter().to_payloads([deferred("x")])
    assert json.loads(payload.data)["deferred"] == ["/value"]


# What is in the object store


LARGE = "x" * 5000


async def kept(claims: Claims, value: Any) -> FlowClaim:
    claim = await claims.cloakroom.deposit(
        json.dumps(value).encode(), workflow_id="test", metadata={"encoding": "json/plain"}
    )
    return FlowClaim(key=claim.key, size=claim.size)


async def test_the_large_parts_of_a_result_leave_as_claims_and_the_rest_as_it_is() -> None:
    claims = attempts.claims_in_memory()
    result = await perform(echo, call({"status": 200, "text": LARGE}), claims=claims)
    claim = result["output"]["text"]
    assert isinstance(claim, Claim)
    assert result == {"output": {"status": 200, "text": claim}, "action": None}
    assert await claims.loaded(claim) == LARGE


async def test_claims_in_parameters_scope_and_the_whole_call_are_loaded() -> None:
    claims = attempts.claims_in_memory(threshold=1024 * 1024)
    claim = await kept(claims, {"name": "Ada"})
    assert (await perform(echo, call([claim]), claims=claims))["output"] == [{"name": "Ada"}]
    argument = deferred("${input.name}", input=claim)
    assert (await perform(echo, argument, claims=claims))["output"] == "Ada"
    whole = await kept(claims, call("from a claim"))
    assert (await perform(echo, whole, claims=claims))["output"] == "from a claim"


async def test_without_the_store_nothing_is_begun_and_the_run_is_told() -> None:
    store = attempts.AwayAtFirst(0)
    claims = attempts.claims_in_memory(store)
    claim = await kept(claims, 1)
    store.times = math.inf
    for argument in (call(claim), deferred("${input}", input=claim), claim):
        failed = await failure(raising(AssertionError("it was begun")), argument, claims=claims)
        assert (failed.type, failed.non_retryable) == ("NotStarted", True)
        assert "the store is away" in failed.message


async def test_a_value_that_is_gone_or_forged_fails_for_good() -> None:
    store = MemoryStore()
    claims = attempts.claims_in_memory(store)
    claim = await kept(claims, 1)
    foreign = FlowClaim(key=claim.key.replace("default", "other"), size=claim.size)
    failed = await failure(echo, call(foreign), claims=claims)
    assert (failed.type, failed.non_retryable) == ("ClaimInvalid", True)
    store.blobs.clear()
    failed = await failure(echo, call(claim), claims=claims)
    assert (failed.type, failed.non_retryable) == ("BlobMissing", True)


async def test_a_result_waits_for_the_store_as_long_as_the_attempt_may_last() -> None:
    done = 0

    async def once(_params: Anything, _attempt: Attempt) -> Json:
        nonlocal done
        done += 1
        return LARGE

    claims = attempts.claims_in_memory(attempts.AwayAtFirst(1))
    result = await perform(once, call(), attempts.lasting(60), claims)
    assert await claims.loaded(result["output"]) == LARGE
    assert done == 1
    away = attempts.claims_in_memory(attempts.AwayAtFirst(math.inf))
    failed = await failure(once, call(), attempts.lasting(2.5), away)
    assert (failed.type, failed.non_retryable) == ("StoreUnavailable", False)


async def test_very_large_details_of_a_failure_are_put_away_or_left_out() -> None:
    huge = raising(NodeFailed(GONE, "no", details={"body": "x" * 100_000}))
    claims = attempts.claims_in_memory()
    [told] = (await failure(huge, call(), claims=claims)).details
    assert await claims.loaded(told.value["details"]) == {"body": "x" * 100_000}
    away = attempts.claims_in_memory(attempts.AwayAtFirst(math.inf))
    failed = await failure(huge, call(), attempts.lasting(2), away)
    assert failed.type == "Gone"
    assert "left out" in failed.details[0].value["details"]


async def test_progress_that_was_put_away_reaches_the_next_attempt() -> None:
    claims = attempts.claims_in_memory()
    env = attempts.lasting(60)
    claim = await kept(claims, {"page": 7})
    env.info = dataclasses.replace(env.info, heartbeat_details=[claim])

    async def resume(_params: Anything, attempt: Attempt) -> Json:
        return attempt.progress

    assert (await perform(resume, call(), env, claims))["output"] == {"page": 7}
