"""The local activity for what workflow code must not look into."""

from __future__ import annotations

import hashlib
from typing import Any, cast

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.evaluate import EVALUATE, Evaluator
from claimcheck.payloads import Inline
from flowspec.machine.wants import wanted
from flowspec.plan import canonical
from flowspec.values import Json

LARGE = 1_000


class _Values:
    async def opened(self, value: Any) -> Any:
        return value

    async def loaded(self, value: Any) -> Any:
        """Claims stand here for what they hold."""
        if isinstance(value, dict):
            if value.keys() == {"claim"}:
                return value["claim"]
            return {key: await self.loaded(entry) for key, entry in value.items()}
        return value

    async def stowed(self, value: Json) -> Any:
        return {"stowed": len(canonical(value))} if len(canonical(value)) > LARGE else value

    async def kept(self, value: Json) -> Any:
        return {"kept": len(canonical(value))}

    async def joined(self, parts: list[Any]) -> Any:
        return {"joined": parts}


async def _perform(request: dict[str, Any]) -> Any:
    answer = await ActivityEnvironment().run(Evaluator(_Values()).evaluate, request)
    assert isinstance(answer, Inline), "an answer that the interpreter reads must stay inline"
    return answer.value


async def ask(source: Any, want: str, loose: list[str] | None = None, **scope: Any) -> Any:
    return await _perform({"source": source, "want": want, "loose": loose, "scope": scope})


def test_its_name_is_in_histories() -> None:
    assert EVALUATE == "flowrunner.evaluate"


async def test_a_condition_is_a_plain_boolean() -> None:
    assert await ask("input.n > 1", "condition", input={"n": 2}) is True
    assert await ask("${input.b}", "condition", input={"b": False}) is False


async def test_a_value_is_put_away_if_it_is_large() -> None:
    assert await ask({"all": "${input.l}"}, "value", input={"l": [1]}) == {"all": [1]}
    assert await ask("${input.t}", "value", input={"t": "x" * LARGE}) == {"stowed": LARGE + 2}


async def test_of_members_only_those_are_put_away_that_may_be() -> None:
    source = {"a": "${input.t}", "b": "${input.t}", "c": 1}
    large = "x" * LARGE
    stowed = {"stowed": LARGE + 2}
    assert await ask(source, "members", ["b"], input={"t": large}) == {
        "a": large,
        "b": stowed,
        "c": 1,
    }
    assert await ask(source, "members", None, input={"t": large}) == {
        "a": stowed,
        "b": stowed,
        "c": 1,
    }
    assert (await ask(source, "members", [], input={"t": large}))["b"] == large


async def test_items_are_a_list_if_it_is_small() -> None:
    assert await ask("${input.l}", "items", input={"l": [1, 2]}) == [1, 2]
    assert await ask("${input.o}", "items", input={"o": {"a": 1}}) == [{"key": "a", "value": 1}]


async def test_items_that_are_put_away_are_counted() -> None:
    found = await ask("${input.l}", "items", input={"l": ["x"] * 300})
    assert found == {"items": {"kept": 1201}, "count": 300}


async def test_many_items_are_put_away_even_where_larger_values_travel() -> None:
    class Leaving(_Values):
        async def stowed(self, value: Json) -> Any:
            return value

    request = {"source": "${input.l}", "want": "items", "scope": {"input": {"l": ["x"] * 9_000}}}
    answer = await ActivityEnvironment().run(Evaluator(Leaving()).evaluate, request)
    assert answer.value == {"items": {"kept": 36_001}, "count": 9_000}


async def test_a_digest_is_that_of_the_canonical_json() -> None:
    value: Json = {"b": [1, "ü"], "a": None}
    text = '{"b":[1,"ü"],"a":null}'
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert await ask("${input}", "digest", input=cast(Any, value)) == digest
    assert wanted(value, "digest", None) == digest


async def test_what_an_earlier_release_asks_is_understood() -> None:
    scope = {"input": {"n": 2}}
    assert await _perform({"source": "input.n > 1", "condition": True, "scope": scope}) is True
    assert await _perform({"source": "${input.n}", "condition": False, "scope": scope}) == 2


@pytest.mark.parametrize(
    ("source", "want", "message"),
    [
        ("${input.missing}", "value", "missing"),
        ("input.n", "condition", "true or false"),
        ("${input.n}", "items", "foreach needs a list or a mapping, found a number"),
    ],
)
async def test_a_mistake_fails_for_good_and_says_what_is_wrong(
    source: str, want: str, message: str
) -> None:
    with pytest.raises(ApplicationError) as caught:
        await ask(source, want, input={"n": 1})
    assert (caught.value.type, caught.value.non_retryable) == ("ExpressionError", True)
    assert message in caught.value.message


async def test_what_is_handed_on_beside_a_deferred_text_is_not_read() -> None:
    request = {
        "source": {"a": "${input.n + 1}", "b": "${not evaluated}", "c": {"claim": [1]}},
        "want": "value",
        "loose": None,
        "deferred": ["/a"],
        "scope": {"input": {"claim": {"n": 1}}},
    }
    handed = {"b": "${not evaluated}", "c": {"claim": [1]}}
    assert await _perform(request) == {"a": 2, **handed}
    strict = {**request, "want": "members", "loose": ["b"]}
    assert await _perform(strict) == {"a": 2, "b": "${not evaluated}", "c": [1]}


async def test_parts_of_a_list_are_joined_where_they_are_kept() -> None:
    request = {
        "source": "${parts}",
        "want": "joined",
        "deferred": [""],
        "scope": {"parts": [[1, 2], {"claim": [3]}]},
    }
    assert await _perform(request) == {"joined": [[1, 2], {"claim": [3]}]}
