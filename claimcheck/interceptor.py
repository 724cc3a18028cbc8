"""Activities are given what their claims stand for, before they begin."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from temporalio.converter import PayloadConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.errors import ClaimCheckError
from claimcheck.payloads import ValueConverter, payload_of, write_json
from claimcheck.values import load_all

__all__ = ["ClaimInterceptor", "takes_claims"]

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__takes_claims__"
_PLAIN = (None, Any, dict, list, object, inspect.Parameter.empty)


def takes_claims(function: F) -> F:
    """Mark an activity that wants the claims in its arguments as they are."""
    setattr(function, _MARK, True)
    return function


class ClaimInterceptor(Interceptor):
    """For workers. An activity parameter of type `Claim` gets the claim itself."""

    def __init__(self, cloakroom: Cloakroom) -> None:
        self._cloakroom = cloakroom
        self._converter = ValueConverter()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Resolving(next, self._cloakroom, self._converter)


class _Resolving(ActivityInboundInterceptor):
    def __init__(
        self,
        next: ActivityInboundInterceptor,
        cloakroom: Cloakroom,
        converter: PayloadConverter,
    ) -> None:
        super().__init__(next)
        self._cloakroom = cloakroom
        self._converter = converter

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        if not getattr(input.fn, _MARK, False):
            try:
                input.args = await self._resolved(input)
            except ClaimCheckError as error:
                raise ApplicationError(
                    str(error), type=type(error).__name__, non_retryable=not error.passing
                ) from error
        return await super().execute_activity(input)

    async def _resolved(self, input: ExecuteActivityInput) -> list[Any]:
        """Whole claims are read as the type of their parameter, claims inside values as JSON."""
        hints = _hints(input.fn, len(input.args))
        wanted = [
            None if hint is Claim and isinstance(value, Claim) else value
            for value, hint in zip(input.args, hints, strict=True)
        ]
        loaded = await load_all(self._cloakroom, wanted)
        return [
            given
            if kept is None
            else self._typed(value, hint)
            if isinstance(given, Claim)
            else value
            for given, kept, value, hint in zip(input.args, wanted, loaded, hints, strict=True)
        ]

    def _typed(self, value: Any, hint: Any) -> Any:
        if hint in _PLAIN:
            return value
        payload = payload_of(write_json(value)[0], {"encoding": "json/plain"})
        return self._converter.from_payloads([payload], [hint])[0]


def _hints(function: Callable[..., Any], count: int) -> list[Any]:
    """The types of the first parameters, as far as they are known."""
    try:
        known = get_type_hints(function)
    except (NameError, TypeError):
        known = {}
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    hints = [known.get(name) for name in names[:count]]
    return hints + [None] * (count - len(hints))
