"""Vectors as a store takes them, of what an endpoint or a flow gives."""

from __future__ import annotations

from collections.abc import Sequence

from activities.errors import NodeFailed
from activities.http.errors import INVALID_RESPONSE
from activities.llm.embed import EmbeddingModel
from activities.rag.contract import MOST_DIMENSIONS, Vector, direction_of

__all__ = ["direction"]


def direction(numbers: Sequence[float], model: EmbeddingModel) -> Vector:
    """The vector of what the model has answered."""
    if not 0 < len(numbers) <= MOST_DIMENSIONS:
        raise NodeFailed(
            INVALID_RESPONSE,
            f"{model.model!r} makes vectors of {len(numbers):,} numbers: expected 1 to "
            f"{MOST_DIMENSIONS:,}",
        )
    try:
        return direction_of(numbers)
    except ValueError as error:
        raise NodeFailed(INVALID_RESPONSE, f"a vector of {model.model!r}: {error}") from error
