"""Filling in what a JSON Schema gives a default for."""

from __future__ import annotations

from collections import deque
from copy import deepcopy

from flowspec.jsonschemas.places import is_local, looked_up, resolved
from flowspec.problems import Path
from flowspec.values import Json, JsonObject

__all__ = ["EndlessDefaults", "fill_defaults"]

_MOST = 10_000
_DEEPEST = 30


class EndlessDefaults(ValueError):
    """A default contains, by way of references, itself."""


def fill_defaults(schema: Json, value: Json, path: Path = ()) -> Json:
    """A copy of `value` in which every property that is absent and has a default is there.

    Goes into nested values, and into `$ref` and `allOf`; not into alternatives (`anyOf`,
    `oneOf`, `if`), of which it is not known which one counts. A nested mapping that is absent
    and has no default of its own stays absent. `path` leads to the part of the schema that
    describes the value, if that is not the whole. Raises `EndlessDefaults`.
    """
    return _Filler(schema).filled(looked_up(schema, path), value, 0)


class _Filler:
    def __init__(self, root: Json) -> None:
        self._root = root
        self._count = 0

    def filled(self, schema: Json, value: Json, made: int) -> Json:
        """`made` counts the defaults that this value is nested in."""
        if isinstance(value, dict):
            return self._object(schema, value, made)
        if isinstance(value, list):
            return [self._item(schema, index, item, made) for index, item in enumerate(value)]
        return value

    def _object(self, schema: Json, value: JsonObject, made: int) -> JsonObject:
        filled = dict(value)
        for part in self._parts(schema):
            properties = part.get("properties")
            declared = properties if isinstance(properties, dict) else {}
            for name, inner in declared.items():
                if name in filled:
                    filled[name] = self.filled(inner, filled[name], made)
                elif (default := self._default(inner)) is not None:
                    self._count_one(made)
                    filled[name] = self.filled(inner, deepcopy(default[0]), made + 1)
            others = part.get("additionalProperties")
            for name in filled:
                if name not in declared and isinstance(others, dict):
                    filled[name] = self.filled(others, filled[name], made)
        return filled

    def _item(self, schema: Json, index: int, item: Json, made: int) -> Json:
        for part in self._parts(schema):
            first = part.get("prefixItems")
            prefix = first if isinstance(first, list) else []
            inner = prefix[index] if index < len(prefix) else part.get("items")
            item = self.filled(inner, item, made)
        return item

    def _default(self, schema: Json) -> tuple[Json] | None:
        for part in self._parts(schema):
            if "default" in part:
                return (part["default"],)
        return None

    def _parts(self, schema: Json) -> list[JsonObject]:
        """The schema and what it includes whole: what surely counts for the value."""
        parts: dict[int, JsonObject] = {}
        waiting: deque[Json] = deque([schema])
        while waiting:
            part = waiting.popleft()
            if not isinstance(part, dict) or id(part) in parts:
                continue
            parts[id(part)] = part
            reference, every = part.get("$ref"), part.get("allOf")
            if isinstance(reference, str) and is_local(reference):
                waiting.append(resolved(self._root, reference))
            waiting += every if isinstance(every, list) else []
        return list(parts.values())

    def _count_one(self, made: int) -> None:
        self._count += 1
        if made >= _DEEPEST or self._count > _MOST:
            raise EndlessDefaults("the defaults of the schema go on without end")
