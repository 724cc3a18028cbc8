"""Objects on their way through what takes only JSON."""

from __future__ import annotations

import secrets
from typing import Any

from flowspec.values import Json

__all__ = ["StandIns"]


class StandIns:
    """Texts that stand for objects. They hold a number drawn for this one journey, so that nobody
    can have written one before."""

    def __init__(self) -> None:
        self._name = secrets.token_hex(16)
        self._objects: dict[str, Any] = {}

    def text_for(self, it: object) -> str:
        text = f"{self._name}:{len(self._objects)}"
        self._objects[text] = it
        return text

    def behind(self, text: str) -> Any | None:
        """The object a text stands for; None for any other text."""
        return self._objects.get(text)

    def put_back(self, value: Json) -> Any:
        """The JSON with the objects in the places of their texts."""
        return self._put_back(value) if self._objects else value

    def _put_back(self, value: Json) -> Any:
        if isinstance(value, str):
            return self._objects.get(value, value)
        if isinstance(value, dict):
            return {key: self._put_back(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self._put_back(entry) for entry in value]
        return value
