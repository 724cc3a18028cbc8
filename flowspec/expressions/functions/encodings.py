"""Functions between values and the texts they travel as."""

from __future__ import annotations

import base64 as base64_module
import hashlib
import uuid
from functools import partial
from urllib.parse import quote, unquote_to_bytes

from pydantic_core import from_json

from flowspec.expressions.budget import Budget
from flowspec.expressions.errors import ExpressionError, did_you_mean
from flowspec.expressions.function import Function, function
from flowspec.expressions.values import json_text, measure
from flowspec.values import Json

__all__ = ["ENCODINGS"]

_encodings = partial(function, "Encodings")

_ALGORITHMS = ("sha256", "sha512", "sha1", "md5")
_IDS = uuid.UUID("9db98d5e-584d-5c8a-a4e5-5b248bf4261f")
"""The namespace of stable_id(); changing it would change every id ever made."""


@_encodings(example='json("{\\"a\\": [1, true]}")', result={"a": [1, True]})
def json(budget: Budget, text: str) -> Json:
    """The value that a JSON text stands for."""
    try:
        value: Json = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise ExpressionError(f"json() cannot read the text: {error}") from error
    measure(value, budget)
    return value


@_encodings(example='to_json({"a": [1, true]})', result='{"a":[1,true]}')
def to_json(budget: Budget, value: Json) -> str:
    """The value as JSON text."""
    return json_text(value, budget)


@_encodings(example='base64("hello")', result="aGVsbG8=")
def base64(text: str) -> str:
    """The text's UTF-8 bytes in base64."""
    return base64_module.b64encode(text.encode()).decode("ascii")


@_encodings(example='unbase64("aGVsbG8=")', result="hello")
def unbase64(text: str) -> str:
    """The text whose UTF-8 bytes are given in base64, the plain or the URL-safe kind."""
    letters = text.translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    padded = letters + "=" * (-len(letters) % 4)
    try:
        return base64_module.b64decode(padded, validate=True).decode()
    except UnicodeDecodeError as error:
        raise ExpressionError("unbase64() found bytes that are not UTF-8 text") from error
    except ValueError as error:
        raise ExpressionError("unbase64() needs a base64 text") from error


@_encodings(example='url_encode("a b/ü")', result="a%20b%2F%C3%BC")
def url_encode(text: str) -> str:
    """The text as it may stand in a path segment or a query value."""
    return quote(text, safe="")


@_encodings(example='url_decode("a%20b%2F%C3%BC")', result="a b/ü")
def url_decode(text: str) -> str:
    """The text that was encoded for a URL; a plus sign stays one."""
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise ExpressionError("url_decode() found bytes that are not UTF-8 text") from error


def _algorithm(name: str) -> str:
    if name not in _ALGORITHMS:
        raise ExpressionError(
            f"hash() knows {', '.join(_ALGORITHMS)}{did_you_mean(name, _ALGORITHMS)}"
        )
    return name


@_encodings(
    example='hash("hello", "md5")',
    result="5d41402abc4b2a76b9719d911017c592",
    literal={"algorithm": _algorithm},
)
def hash_(text: str, algorithm: str = "sha256") -> str:
    """The digest of the text's UTF-8 bytes in hex: sha256, sha512, sha1 or md5."""
    return hashlib.new(_algorithm(algorithm), text.encode(), usedforsecurity=False).hexdigest()


@_encodings(example='stable_id("order-42")', result="1ebac731-7b11-5ef6-8e45-67a466a30a7f")
def stable_id(text: str) -> str:
    """A UUID that is the same for the same text, always and everywhere."""
    text.encode()
    return str(uuid.uuid5(_IDS, text))


ENCODINGS: tuple[Function, ...] = (
    json,
    to_json,
    base64,
    unbase64,
    url_encode,
    url_decode,
    hash_,
    stable_id,
)
