"""How a setting is read from the environment, and what is said when it cannot be."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from service.errors import InputWrong
from service.settings.sizes import nearest_size

__all__ = [
    "PREFIXES",
    "SECRET_PREFIX",
    "EnvironmentSettings",
    "Gathering",
    "SettingsInvalid",
    "ValueRefused",
    "load",
    "refusing",
    "setting",
    "unknown_variables",
]

PREFIXES = ("FLOWRUNNER_", "BLOB_STORAGE_", "CLAIM_CHECK_")
"""What begins with one of these is ours: if we do not know it, it is misspelt."""
SECRET_PREFIX = "FLOWRUNNER_SECRET_"

_SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_BARE_NUMBER = re.compile(r"\d+(\.\d+)?")


class SettingsInvalid(InputWrong):
    """The environment cannot be used; `problems` has one line for each variable at fault."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


_Read = TypeVar("_Read")


class Gathering:
    """What several readers object to, so that it is told together."""

    def __init__(self) -> None:
        self._problems: dict[str, None] = {}  # one variable may be wrong for two readers

    def read(self, reader: Callable[[], _Read]) -> _Read | None:
        """What it gives; None if it raises `SettingsInvalid`, which is kept."""
        try:
            return reader()
        except SettingsInvalid as error:
            self._problems.update(dict.fromkeys(error.problems))
            return None

    def tell(self) -> None:
        """Raises `SettingsInvalid` if anything was objected to."""
        if self._problems:
            raise SettingsInvalid(tuple(self._problems))


@contextmanager
def refusing(variable: str) -> Iterator[None]:
    """A `ValueError` in the block is what is wrong with that variable: `SettingsInvalid`."""
    try:
        yield
    except ValueError as error:
        raise SettingsInvalid((f"{variable}: {error}",)) from error


class ValueRefused(ValueError):
    """Raised by a field's validator: the text is told instead of the value that was found."""


class EnvironmentSettings(BaseModel):
    """What `load` reads from the environment, or somebody gives by field name."""

    model_config = ConfigDict(
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        validate_default=True,
        extra="forbid",
        hide_input_in_errors=True,  # it may be a secret
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, object]) -> Iterable[str]:
        """A line for each variable that does not fit the others; `given` holds those set, by
        name, as text or as it was read."""
        del given
        return ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        fields = type(self).model_fields
        set_ = {
            str(fields[one].validation_alias): getattr(self, one) for one in self.model_fields_set
        }
        given = {name: value for name, value in set_.items() if value is not None}
        if problems := tuple(self.contradictions(given)):
            raise ValueError("\n".join(problems))
        return self


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
        loaded = settings.model_validate(_given(settings))
    except ValidationError as error:
        raise SettingsInvalid((*_bad_fields(settings, error), *problems)) from error
    if problems:
        raise SettingsInvalid(problems)
    return loaded


def _bad_fields(settings: type[EnvironmentSettings], error: ValidationError) -> list[str]:
    """The variables that are wrong by themselves, then those that do not fit the others."""
    fields = {str(field.validation_alias): field for field in settings.model_fields.values()}
    # What the model says as a whole has no place; it is asked again, for it says nothing while
    # a field is bad.
    found = {str(one["loc"][0]): one.get("ctx", {}) for one in error.errors() if one["loc"]}
    bad = [_bad(name, fields[name], ctx.get("error")) for name, ctx in found.items()]
    return [*bad, *settings.contradictions(_given(settings))]


def _given(settings: type[EnvironmentSettings]) -> dict[str, str]:
    """What is set, by variable; an empty one is not."""
    names = [str(field.validation_alias) for field in settings.model_fields.values()]
    return {name: value for name in names if (value := os.environ.get(name))}


def unknown_variables(known: Collection[str]) -> tuple[str, ...]:
    """A line for each variable that looks like one of ours and is not.

    Its value is left out: it may be a secret under a misspelt name.
    """
    names = sorted(name for name in os.environ if name.startswith(PREFIXES) and name not in known)
    return tuple(problem for name in names if (problem := _unknown(name, list(known))))


def _unknown(name: str, known: list[str]) -> str | None:
    if name.startswith(SECRET_PREFIX):
        if _SECRET_NAME.fullmatch(name.removeprefix(SECRET_PREFIX)):
            return None
        return (
            f"{name}: no flow can name this secret; expected {SECRET_PREFIX} and then capital "
            f"letters, digits and underscores, for example {SECRET_PREFIX}HR_TOKEN"
        )
    prefix = next(one for one in PREFIXES if name.startswith(one))
    near = _nearest(name.removeprefix(prefix), prefix, known)
    names = ", ".join(one for one in known if one.startswith(prefix))
    hint = f"did you mean {near}?" if near else f"the names known are {names}"
    return f"{name}: there is no such setting; {hint}"


def _nearest(bare: str, prefix: str, known: list[str]) -> str | None:
    """Compared without the prefix, which would make all of them alike."""
    if bare.startswith("TEMPORAL_"):
        return bare
    names = {one.removeprefix(prefix): one for one in [*known, f"{SECRET_PREFIX}NAME"]}
    found = get_close_matches(bare, list(names), n=1, cutoff=0.7)
    return names[found[0]] if found else None


def _bad(name: str, field: FieldInfo, error: object) -> str:
    if isinstance(error, ValueRefused):
        return f"{name}: {error}"
    found = os.environ.get(name, "")
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    expected = str(extra["expected"])
    return f"{name}: found {found!r}, expected {expected}{_suggestion(found, expected)}"


def _suggestion(found: str, expected: str) -> str:
    if "duration" in expected and _BARE_NUMBER.fullmatch(found):
        return f"; did you mean {found}s?"
    if "size" in expected and (size := nearest_size(found)):
        return f"; did you mean {size}?"
    choices = re.findall(r"`([a-z][a-z0-9]*)`", expected)
    near = get_close_matches(found.lower(), choices, n=1)
    return f"; did you mean {near[0]}?" if near else ""
