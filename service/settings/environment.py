"""How a setting is read from the environment, and what is said when it cannot be."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import InputWrong

__all__ = [
    "SECRET_PREFIX",
    "EnvironmentSettings",
    "SettingsInvalid",
    "load",
    "setting",
    "unknown_variables",
]

PREFIX = "FLOWRUNNER_"
SECRET_PREFIX = "FLOWRUNNER_SECRET_"

_SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_BARE_NUMBER = re.compile(r"\d+(\.\d+)?")


class SettingsInvalid(InputWrong):
    """The environment cannot be used; `problems` has one line for each variable at fault."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class EnvironmentSettings(BaseSettings):
    """Read from the environment, or given by field name; never from a file."""

    model_config = SettingsConfigDict(
        frozen=True,
        case_sensitive=True,
        env_ignore_empty=True,
        populate_by_name=True,
        extra="forbid",
    )


def setting(variable: str, description: str, expected: str, **field: Any) -> Any:
    """A field read from `variable`.

    `expected` ends the sentence «expected …» of an error; `shown` is the default as the
    reference prints it, where the value itself would not do.
    """
    return Field(
        validation_alias=variable,
        description=description,
        json_schema_extra={"expected": expected, "shown": field.pop("shown", None)},
        **field,
    )


_Settings = TypeVar("_Settings", bound=EnvironmentSettings)


def load(settings: type[_Settings], known: Collection[str]) -> _Settings:
    """Read one class of settings; raises `SettingsInvalid` with everything that is wrong."""
    problems = unknown_variables(known)
    try:
        loaded = settings()
    except ValidationError as error:
        fields = {field.validation_alias: field for field in settings.model_fields.values()}
        names = dict.fromkeys(str(found["loc"][0]) for found in error.errors())
        bad = tuple(_bad(name, fields[name]) for name in names)
        raise SettingsInvalid(bad + problems) from error
    if problems:
        raise SettingsInvalid(problems)
    return loaded


def unknown_variables(known: Collection[str]) -> tuple[str, ...]:
    """A line for each variable that looks like one of ours and is not.

    Its value is left out: it may be a secret under a misspelt name.
    """
    names = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    return tuple(problem for name in names if (problem := _unknown(name, list(known))))


def _unknown(name: str, known: list[str]) -> str | None:
    if name.startswith(SECRET_PREFIX):
        if _SECRET_NAME.fullmatch(name.removeprefix(SECRET_PREFIX)):
            return None
        return (
            f"{name}: no flow can name this secret; expected {SECRET_PREFIX} and then capital "
            f"letters, digits and underscores, for example {SECRET_PREFIX}HR_TOKEN"
        )
    near = _nearest(name.removeprefix(PREFIX), known)
    hint = f"did you mean {near}?" if near else f"the names known are {', '.join(known)}"
    return f"{name}: there is no such setting; {hint}"


def _nearest(bare: str, known: list[str]) -> str | None:
    """Compared without the prefix, which would make all of them alike."""
    names = {one.removeprefix(PREFIX): one for one in [*known, f"{SECRET_PREFIX}NAME"]}
    found = get_close_matches(bare, list(names), n=1, cutoff=0.75)
    if found:
        return names[found[0]]
    return bare if bare.startswith("TEMPORAL_") else None


def _bad(name: str, field: FieldInfo) -> str:
    found = os.environ.get(name, "")
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    expected = str(extra["expected"])
    return f"{name}: found {found!r}, expected {expected}{_suggestion(found, expected)}"


def _suggestion(found: str, expected: str) -> str:
    if "duration" in expected and _BARE_NUMBER.fullmatch(found):
        return f"; did you mean {found}s?"
    choices = re.findall(r"`([a-z]+)`", expected)
    near = get_close_matches(found.lower(), choices, n=1)
    return f"; did you mean {near[0]}?" if near else ""
