"""Blotting secrets out of everything that leaves an attempt."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import overload
from urllib.parse import quote, quote_plus

from flowspec.values import Json

__all__ = ["BLOT", "Redactor", "current_redactor"]

BLOT = "***"

_LEAST_BASE64 = 8
"""Fewer characters than this turn up in unrelated base64 by chance."""


class Redactor:
    """Replaces every secret it knows, in any spelling it is likely to come back in.

    Spellings: as it is, JSON-escaped, as Python shows it, HTML-escaped, URL-encoded, and in
    base64 at any offset, so that `user:password` is covered by knowing the password.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Know one more; an empty text is no secret."""
        if not secret or secret in self._secrets:
            return
        self._secrets.add(secret)
        spellings = {spelling for known in self._secrets for spelling in _spellings(known)}
        longest_first = sorted(spellings, key=lambda text: (-len(text), text))
        self._pattern = re.compile("|".join(re.escape(text) for text in longest_first))

    def text(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(BLOT, text)

    @overload
    def value(self, value: dict[str, Json]) -> dict[str, Json]: ...
    @overload
    def value(self, value: Json) -> Json: ...
    def value(self, value: Json) -> Json:
        """The same JSON without secrets: in texts, in keys, and in numbers that spell one."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, bool | None):
            return value
        return BLOT if self._pattern.search(str(value)) else value


def _spellings(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    # many a server reads UTF-8 as Latin-1, above all in headers
    for text in {secret, raw.decode("latin-1")}:
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        yield html.escape(text)
    for encoded in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield encoded
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)
    yield from _base64_spellings(raw)


def _base64_spellings(raw: bytes) -> Iterator[str]:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw).decode()
        yield whole
        yield whole.rstrip("=")
        for offset in range(3):
            inside = _determined(encode(bytes(offset) + raw).decode(), offset, len(raw))
            if len(inside) >= _LEAST_BASE64:
                yield inside


def _determined(encoded: str, offset: int, length: int) -> str:
    """The characters whose six bits all come from the secret, whatever stands around it."""
    return encoded[-(-8 * offset // 6) : 8 * (offset + length) // 6]


current_redactor: ContextVar[Redactor | None] = ContextVar("current_redactor", default=None)
"""The redactor of the attempt being performed: the log uses it."""
