"""Lengths of time among the parameters of node types: `30s` as it is written, seconds as read."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from flowspec.durations import parse_duration

__all__ = ["PositiveSeconds", "Seconds"]

_AS_WRITTEN = WithJsonSchema({"type": "string", "format": "duration-text"})

Seconds = Annotated[float, BeforeValidator(parse_duration), _AS_WRITTEN]
PositiveSeconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0), _AS_WRITTEN]
