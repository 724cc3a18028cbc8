"""Which MCP server is asked: the parameters that `mcp.call` and `mcp.tools` share."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from activities.declaration import Params
from activities.durations import Seconds
from activities.http.fields import HttpUrl, Scalar, check_headers

__all__ = ["SECRET_PARAMS", "McpServer"]

SECRET_PARAMS = ("url", "headers", "bearer")

_OURS = ("accept", "content-type", "mcp-session-id", "mcp-protocol-version")


def _check_headers(headers: dict[str, Scalar]) -> dict[str, Scalar]:
    taken = [name for name in headers if name.lower() in _OURS]
    if taken:
        raise ValueError(f"{taken[0]!r} is set by the node itself")
    return check_headers(headers)


def _check_bearer(token: str) -> str:
    try:
        check_headers({"Authorization": token})
    except ValueError:
        raise ValueError("it has a line break or another control character") from None
    return token


class McpServer(Params):
    """A server, and which of its tools may be used."""

    url: HttpUrl | None = None
    """The server's endpoint, beginning with `http://` or `https://` (Streamable HTTP)."""
    server: str | None = None
    """Instead of `url`: the name of a server that the worker starts itself, as its operator has
    declared in `FLOWRUNNER_MCP_SERVERS`."""
    headers: Annotated[dict[str, Scalar], AfterValidator(_check_headers)] = Field(
        default_factory=dict
    )
    """With `url`: more headers by name."""
    bearer: Annotated[str, Field(min_length=1), AfterValidator(_check_bearer)] | None = None
    """With `url`: the token sent as `Authorization: Bearer …`."""
    allow: Annotated[list[str], Field(min_length=1)] | None = None
    """The tools that may be used, by name or by pattern such as `read_*`; all if left out."""
    timeout: Seconds = Field(default="2m", validate_default=True)
    """How long the whole may take."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.url is None) == (self.server is None):
            raise ValueError("expected url or server")
        if self.server is not None and (self.headers or self.bearer is not None):
            raise ValueError("expected headers and bearer only with url: a server has none")
        if self.bearer is not None and any(one.lower() == "authorization" for one in self.headers):
            raise ValueError("expected `bearer` or an `Authorization` header, found both")
        return self

    @property
    def name(self) -> str:
        """What the server is called in errors; without a query, which may hold a key."""
        if self.url is None:
            return f"the MCP server {self.server!r}"
        return f"the MCP server at {self.url.partition('?')[0].partition('#')[0]}"

    def allows(self, tool: str) -> bool:
        return self.allow is None or any(fnmatchcase(tool, one) for one in self.allow)
