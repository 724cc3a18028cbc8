"""Resolving a flow for a run: its plan, and the input that the run itself cannot read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.catalogue import catalogue
from activities.claims import Claims
from activities.flows import FlowDirectory
from activities.resolve import FlowResolver
from claimcheck.claim import Claim
from claimcheck.payloads import Inline
from tests.attempts import AwayAtFirst, claims_in_memory, lasting

DEFAULTS = (
    "defaults: {retry: {attempts: 9, interval: 7s, factor: 3, max_interval: 9m, jitter: 0.5,\n"
    "  only: [Timeout, ExpressionError, InvalidParams, TooLarge, Cancelled]}}\n"
)
FLOW = """\
flow: greet
input:
  required: [name]
  properties: {name: {type: string}, times: {type: integer, default: 2}}
nodes: {a: {type: noop}}
"""
LARGE = "x" * 5000


async def resolve(folder: Path, request: Any, claims: Claims | None = None) -> dict[str, Any]:
    resolver = FlowResolver(
        FlowDirectory(folder), catalogue(), claims or claims_in_memory(), search_attributes=True
    )
    resolved = await lasting(60).run(resolver.resolve, request)
    assert isinstance(resolved, Inline), "a run must be able to read its plan"
    assert isinstance(resolved.value, dict)
    return resolved.value


async def refused(
    folder: Path, request: Any, claims: Claims | None = None, *, retried: bool = False
) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await resolve(folder, request, claims)
    assert caught.value.non_retryable is not retried
    return caught.value


async def kept(claims: Claims, value: Any) -> Claim:
    return await claims.cloakroom.deposit(json.dumps(value).encode(), workflow_id="test")


async def test_a_plan_too_large_for_temporal_is_refused_with_its_size(tmp_path: Path) -> None:
    nodes = "\n".join(f"  n{n}: {{type: log, params: {{message: x}}}}" for n in range(9_000))
    text = f"flow: huge\n{DEFAULTS}nodes:\n{nodes}\n"
    error = await refused(tmp_path, {"text": text})
    assert error.type == "FlowInvalid"
    assert "the flow is too large: its plan measures 2," in error.message


async def test_of_an_unknown_type_it_is_told_that_the_worker_may_be_older_than_its_plugin(
    tmp_path: Path,
) -> None:
    unknown = await refused(tmp_path, {"text": "flow: x\nnodes: {a: {type: acme.hello}}\n"})
    assert "FR501" in unknown.message
    assert "start it anew if one has been installed since" in unknown.message
    other = await refused(tmp_path, {"text": "flow: x\nnodes: {a: {type: noop, nex: b}}\n"})
    assert "start it anew" not in other.message


async def test_without_an_input_nothing_but_the_plan_comes_back(tmp_path: Path) -> None:
    resolved = await resolve(tmp_path, {"text": FLOW})
    assert resolved["plan"]["flow"] == "greet"
    assert resolved.keys() == {"plan", "search_attributes"}


async def test_an_input_that_was_put_away_is_checked_and_completed(tmp_path: Path) -> None:
    claims = claims_in_memory()
    given = await kept(claims, {"name": LARGE})
    resolved = await resolve(tmp_path, {"text": FLOW, "input": given}, claims)
    assert resolved["input"]["times"] == 2
    assert isinstance(resolved["input"]["name"], Claim)
    assert await claims.loaded(resolved["input"]) == {"name": LARGE, "times": 2}


async def test_an_input_that_fits_as_it_is_is_not_put_away_again(tmp_path: Path) -> None:
    claims = claims_in_memory()
    given = await kept(claims, {"name": LARGE, "times": 1})
    resolved = await resolve(tmp_path, {"text": FLOW, "input": given}, claims)
    assert resolved["input"] == {"name": given.inside("name"), "times": 1}


async def test_an_input_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    claims = claims_in_memory()
    given = await kept(claims, {"name": 1})
    error = await refused(tmp_path, {"text": FLOW, "input": given}, claims)
    assert error.type == "InputInvalid"
    assert "the input does not fit" in error.message


async def test_arguments_and_a_text_that_were_put_away_are_read(tmp_path: Path) -> None:
    claims = claims_in_memory()
    (tmp_path / "greet.yaml").write_text(FLOW)
    text, named = await kept(claims, FLOW), await kept(claims, {"flow": "greet"})
    for flow in ({"flow": text}, named):
        request = {"arguments": [flow, {"name": "Ada"}]}
        resolved = await resolve(tmp_path, request, claims)
        assert resolved["input"] == {"name": "Ada", "times": 2}
    whole = await kept(claims, {"text": FLOW})
    assert (await resolve(tmp_path, whole, claims))["plan"]["flow"] == "greet"


async def test_arguments_of_the_wrong_kind_are_refused(tmp_path: Path) -> None:
    error = await refused(tmp_path, {"arguments": [1]})
    assert error.type == "InputInvalid"


async def test_while_the_store_is_away_it_is_tried_again(tmp_path: Path) -> None:
    store = AwayAtFirst(0)
    claims = claims_in_memory(store)
    given = await kept(claims, {"name": LARGE})
    store.times = 1
    error = await refused(tmp_path, {"text": FLOW, "input": given}, claims, retried=True)
    assert error.type == "StoreUnavailable"
    assert (await resolve(tmp_path, {"text": FLOW, "input": given}, claims))["input"]
    store.blobs.clear()
    error = await refused(tmp_path, {"text": FLOW, "input": given}, claims)
    assert error.type == "BlobMissing"


async def test_a_text_that_was_put_away_is_not_taken_for_the_input(tmp_path: Path) -> None:
    claims = claims_in_memory(threshold=1)
    text = await kept(claims, "flow: bare\nnodes: {a: {type: noop}}\n")
    for arguments in ([text], [{"flow": text}]):
        resolved = await resolve(tmp_path, {"arguments": arguments}, claims)
        assert await claims.loaded(resolved["input"]) == {}


async def test_bytes_in_an_input_stay_bytes(tmp_path: Path) -> None:
    """Put away as JSON, they would be text in base64 to whoever takes them."""
    claims = claims_in_memory()
    data = bytes(range(256)) * 20
    room = claims.cloakroom
    raw = await room.deposit(data, workflow_id="parent", metadata={"encoding": "binary/plain"})
    flow = """\
flow: attach
input:
  properties:
    mail: {type: object, properties: {sent: {type: boolean, default: false}}}
    more: {type: integer, default: 1}
nodes: {a: {type: noop}}
"""
    given = {"mail": {"files": [{"name": "a", "content": raw}], "text": LARGE}}
    resolved = await resolve(tmp_path, {"text": flow, "input": given}, claims)
    assert resolved["input"]["mail"]["files"] == [{"name": "a", "content": raw}]
    assert resolved["input"]["mail"]["sent"] is False
    assert resolved["input"]["more"] == 1
    assert isinstance(resolved["input"]["mail"]["text"], Claim)
    loaded = await claims.loaded(resolved["input"])
    assert loaded["mail"]["text"] == LARGE
