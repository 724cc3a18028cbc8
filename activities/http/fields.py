"""What the parameters of several node types for HTTP are made of."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from activities.declaration import Params
from activities.durations import Seconds

__all__ = ["HttpUrl", "Scalar", "Status", "Timeouts", "check_headers", "text_of"]

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_STATUS_CLASS = r"^[1-5]xx$"


HttpUrl = Annotated[str, Field(json_schema_extra={"format": "http-url"})]
"""The schema refuses what is none before a run; what an expression gives, who connects to it."""

Scalar = str | int | float | bool
Status = Annotated[int, Field(ge=100, le=599)] | Annotated[str, Field(pattern=_STATUS_CLASS)]


def check_headers(headers: dict[str, Scalar]) -> dict[str, Scalar]:
    """The same; raises ValueError for one that cannot be sent."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a header's name")
        if isinstance(value, str) and not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"the value of {name!r} has a line break or another control character")
    return headers


class Timeouts(Params):
    """How long each part may take."""

    connect: Seconds = Field(default="10s", validate_default=True)
    """To reach the server."""
    read: Seconds = Field(default="60s", validate_default=True)
    """Between two pieces of the answer."""
    write: Seconds = Field(default="60s", validate_default=True)
    """Between two pieces of the request."""
    pool: Seconds = Field(default="60s", validate_default=True)
    """To get a free connection."""
    total: Seconds | None = None
    """The whole exchange, redirects included; without end if left out."""

    @classmethod
    def all_of(cls, seconds: float) -> Timeouts:
        """So long for the whole, and for each part."""
        return cls.model_construct(
            connect=seconds, read=seconds, write=seconds, pool=seconds, total=seconds
        )


def text_of(value: Scalar) -> str:
    """As it stands in a header, a query or a form."""
    return str(value).lower() if isinstance(value, bool) else str(value)
