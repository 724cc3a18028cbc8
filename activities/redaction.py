"""Blotting secrets out of everything that leaves an attempt."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import Protocol, overload
from urllib.parse import quote, quote_plus

import re2  # type: ignore[import-untyped]

from claimcheck.claim import Claim
from flowspec.values import Json

__all__ = ["BLOT", "Redactor", "current_redactor"]

BLOT = "***"

_LEAST_BASE64 = 8
"""Fewer characters than this turn up in unrelated base64 by chance."""

_UNQUOTED = (
    "",
    "/",
    "*",  # in a form
    "!'()*",  # JavaScript's encodeURIComponent
    "!#$&'()*+,/:;=?@",  # JavaScript's encodeURI
    "!$&'()*+,/:;=?@",  # RFC 3986
    # As browsers and httpx write what stands in a URL already:
    "!$%&'()*+,",  # user and password
    "!$%&'()*+,/:;=@[\\]^|",  # the path
    "!$%&'()*+,/:;=?@[\\]^`{|}",  # the query
    "!#$%&'()*+,/:;=?@[\\]^{|}",  # the fragment
)
"""What is left as it is besides letters, digits and `_.-~` where a URL quotes the rest."""

_ENCODINGS = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")

_MOST_FOR_AUTOMATON = 32 * 1024
"""Up to so many bytes of spellings re2 is ten times as fast, within the memory it is given."""

_MOST_AUTOMATON = 64 * 1024 * 1024


class Redactor:
    """Replaces every secret it knows, in any spelling it is likely to come back in.

    Spellings: as it is, in lower case, JSON-escaped, as Python shows it, HTML-escaped,
    URL-encoded, and in base64 at any offset, so that `user:password` is covered by knowing the
    password.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._search: _Search | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Know one more; an empty text is no secret."""
        if not secret or secret in self._secrets:
            return
        self._secrets.add(secret)
        self._search = None
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
        """The same JSON without secrets: in texts, in keys, and in numbers that spell one.

        What a claim stands for was done when it was put away.
        """
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, bool | Claim | None):
            return value
        return BLOT if self._pattern.search(str(value)) else value

    async def stream(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The bytes without secrets, also where one is cut apart by the end of a piece."""
        held = bytearray()
        async for piece in pieces:
            held += piece
            search = self._searched()
            if search is None:
                yield bytes(held)
                held.clear()
            elif len(held) >= search.worth_while:
                blotted, end = search.blotted(held, last=False)
                yield blotted
                del held[:end]
        search = self._searched()
        yield search.blotted(held, last=True)[0] if search is not None else bytes(held)

    def _searched(self) -> _Search | None:
        if self._search is None and self._secrets:
            self._search = _Search(self._secrets)
        return self._search


class _Found(Protocol):
    def start(self) -> int: ...
    def end(self) -> int: ...
    def group(self) -> bytes: ...


class _Search:
    """Finds secrets in bytes, in every spelling and encoding they are likely to have."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._blots: dict[bytes, bytes] = {}
        for spelling in (spelling for secret in secrets for spelling in _spellings(secret)):
            for encoding in _ENCODINGS:
                with suppress(UnicodeEncodeError):
                    self._blots.setdefault(spelling.encode(encoding), BLOT.encode(encoding))
        longest_first = sorted(self._blots, key=lambda spelled: (-len(spelled), spelled))
        self._longest = len(longest_first[0])
        self.worth_while = 2 * self._longest
        self._matches = _matcher(longest_first)

    def blotted(self, data: bytearray, *, last: bool) -> tuple[bytes, int]:
        """The beginning of the data, blotted, and how far it goes: to the end if nothing follows,
        else not into what may be the beginning of a secret."""
        text = bytes(data)
        sure = len(text) if last else max(len(text) - self._longest + 1, 0)
        parts: list[bytes] = []
        done = 0
        for found in self._matches(text):
            if found.start() >= sure:
                break
            parts += (text[done : found.start()], self._blots[found.group()])
            done = found.end()
        end = max(done, sure)
        return b"".join((*parts, text[done:end])), end


def _matcher(spellings: list[bytes]) -> Callable[[bytes], Iterator[_Found]]:
    """Finds them, one that is earlier in the list before others at the same place."""
    if sum(map(len, spellings)) > _MOST_FOR_AUTOMATON:
        return re.compile(b"|".join(map(re.escape, spellings))).finditer
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MOST_AUTOMATON
    matches: Callable[[bytes], Iterator[_Found]] = re2.compile(
        b"|".join(map(re2.escape, spellings)), options
    ).finditer
    return matches


def _spellings(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    # many a server reads UTF-8 as Latin-1, above all in headers; names of hosts are in lower case
    for text in {secret, raw.decode("latin-1"), secret.lower()}:
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        yield html.escape(text)
    for kept in _UNQUOTED:
        for encoded in (quote(raw, safe=kept), quote_plus(raw, safe=kept)):
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
