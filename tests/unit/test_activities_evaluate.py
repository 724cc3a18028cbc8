"""The local activity for expressions that workflow code must not evaluate."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.evaluate import evaluate


async def ask(source: Any, condition: bool, **scope: Any) -> Any:
    request = {"source": source, "condition": condition, "scope": scope}
    return await ActivityEnvironment().run(evaluate, request)


async def test_a_condition_and_a_template_are_evaluated_over_their_scope() -> None:
    assert await ask("input.n > 1", True, input={"n": 2}) is True
    assert await ask({"all": "${input.items}"}, False, input={"items": [1]}) == {"all": [1]}


async def test_a_mistake_fails_for_good_and_says_what_is_wrong() -> None:
    with pytest.raises(ApplicationError) as caught:
        await ask("${input.missing}", False, input={})
    assert (caught.value.type, caught.value.non_retryable) == ("ExpressionError", True)
    assert "missing" in caught.value.message
