"""Compiled JSON Schemas: draft 2020-12, formats asserted, nothing fetched, linear-time patterns."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from jsonschema_rs import (
    Draft202012Validator,
    ReferencingError,
    RegexOptions,
    Registry,
    ValidationError,
)

from flowspec.durations import DurationInvalid, parse_duration
from flowspec.jsonschemas.places import subschemas
from flowspec.problems import Path
from flowspec.values import Json, JsonObject

__all__ = ["FORMATS", "META", "is_pattern", "validator"]

FORMATS: dict[str, str] = {
    "date-time": "a date and time such as 2030-12-31T23:59:00Z",
    "date": "a date such as 2030-12-31",
    "time": "a time with an offset such as 23:59:00Z",
    "duration": "an ISO 8601 duration such as PT30S",
    "duration-text": "a duration such as 30s, 5m or 1h30m",
    "email": "an email address such as ann@example.com",
    "idn-email": "an email address such as ann@example.com",
    "hostname": "a host name such as example.com",
    "idn-hostname": "a host name such as example.com",
    "ipv4": "an IPv4 address such as 192.0.2.1",
    "ipv6": "an IPv6 address such as 2001:db8::1",
    "uri": "an absolute address such as https://example.com/a",
    "uri-reference": "an address such as https://example.com/a or /a",
    "iri": "an absolute address such as https://example.com/ä",
    "iri-reference": "an address such as https://example.com/ä or /ä",
    "uri-template": "an address template such as https://example.com/{id}",
    "http-url": "an address that begins with http:// or https:// and a host",
    "uuid": "a UUID such as 123e4567-e89b-12d3-a456-426614174000",
    "json-pointer": "a JSON pointer such as /a/0",
    "relative-json-pointer": "a relative JSON pointer such as 1/a",
    "regex": "a regular expression",
}
"""What is checked of a text, and how messages call it."""

META: JsonObject = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
"""The schema of schemas."""

_PATTERNS = RegexOptions()


_ROOT = "urn:flowrunner:schema"


def validator(schema: Json, path: Path = ()) -> Draft202012Validator:
    """The compiled schema, or the part of it at `path`; raises `ValueError` if it is none.

    Compiled once for as long as it is in use, so schemas may be handed over again and again.
    """
    return _compiled(json.dumps(schema, separators=(",", ":")), path)


@lru_cache(maxsize=512)
def _compiled(schema: str, path: Path) -> Draft202012Validator:
    whole = _prepared(json.loads(schema))
    steps = (quote(str(step).replace("~", "~0").replace("/", "~1"), safe="~") for step in path)
    pointer = "".join(f"/{step}" for step in steps)
    try:
        return Draft202012Validator(
            {"$ref": f"{_ROOT}#{pointer}"} if path else whole,
            formats={"duration-text": _is_duration, "http-url": _is_http_url},
            validate_formats=True,
            ignore_unknown_formats=True,
            registry=Registry([(_ROOT, whole)]) if path else None,
            pattern_options=_PATTERNS,
            offline=True,
        )
    except (ValidationError, ReferencingError) as error:
        raise ValueError(f"not a usable JSON Schema: {error.message}") from error


def _prepared(schema: Any) -> Any:
    """Without `properties` beside it, the library does not name the keys it refuses."""
    for _, inner in subschemas(schema):
        if isinstance(inner, dict) and inner.get("additionalProperties") is False:
            inner.setdefault("properties", {})
    return schema


def is_pattern(pattern: str) -> bool:
    """Whether it is a regular expression of the kind that takes linear time."""
    try:
        Draft202012Validator({"pattern": pattern}, pattern_options=_PATTERNS)
    except ValidationError:
        return False
    return True


def _is_http_url(text: str) -> bool:
    scheme, _, rest = text.partition("://")
    return scheme.lower() in ("http", "https") and rest[:1] not in ("", "/", "?", "#")


def _is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except DurationInvalid:
        return False
    return True
