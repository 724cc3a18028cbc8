"""Attempts at the node types that shape data and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.claims import Claims
from activities.declaration import AnyImplementation
from tests import attempts

__all__ = ["act", "refused"]


async def act(
    node: AnyImplementation,
    claims: Claims | None = None,
    allowed: tuple[Path, ...] = (),
    env: ActivityEnvironment | None = None,
    **params: Any,
) -> Any:
    """The output, large parts of it as claims; flows may use the `allowed` folders."""
    call = {"node": "n", "flow": "f", "run_id": "r", "key": "k", "params": params}
    done = await attempts.perform(node, call, claims=claims, folders=allowed, env=env)
    return done["output"]


async def refused(error: str, node: AnyImplementation, **params: Any) -> str:
    """The message of the error of that type which these parameters end with."""
    with pytest.raises(ApplicationError) as caught:
        await act(node, **params)
    assert caught.value.type == error, caught.value
    return caught.value.message
