"""Who is asking: the parameter `auth` of `http.request`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from activities.declaration import Params
from activities.http.fields import HttpUrl, check_headers

__all__ = ["ApiKey", "Auth", "Basic", "OAuth2"]

_FORM_FIELDS = frozenset(
    ("grant_type", "client_id", "client_secret", "scope", "audience", "resource")
)


class Basic(Params):
    """A user name and a password."""

    username: str
    password: str


class ApiKey(Params):
    """A key in a header or in the query."""

    @model_validator(mode="after")
    def _fits_a_header(self) -> Self:
        if self.in_ == "header":
            check_headers({self.name: self.value})
        return self

    name: str = Field(min_length=1)
    """The header's or the query parameter's name."""
    value: str = Field(min_length=1)
    in_: Literal["header", "query"] = Field(default="header", alias="in")
    """Where it goes."""


class OAuth2(Params):
    """A token that the worker gets with the client's own credentials, keeps while it is valid,
    and gets anew once if the answer is 401."""

    token_url: HttpUrl
    """Where tokens are given out."""
    client_id: str = Field(min_length=1)
    """Who the worker is to the token server."""
    client_secret: str = Field(min_length=1)
    """What proves it."""
    scopes: list[Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")]] = Field(
        default_factory=list
    )
    """What the token is to be good for."""
    audience: str | None = None
    """Whom it is for, if the token server wants to know."""
    resource: str | None = None
    """The same as a URL (RFC 8707)."""
    send_credentials: Literal["header", "body"] = "header"
    """How the token server takes id and secret: by HTTP Basic, or in the form."""
    more: dict[str, str] = Field(default_factory=dict)
    """Further fields of the form, as some token servers want them."""

    @field_validator("more")
    @classmethod
    def _is_more(cls, more: dict[str, str]) -> dict[str, str]:
        if taken := sorted(_FORM_FIELDS & more.keys()):
            raise ValueError(f"{taken[0]!r} has a parameter of its own")
        return more


class Auth(Params):
    """Exactly one of the four."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    basic: Basic | None = None
    """`{username, password}`."""
    bearer: str | None = None
    """The token."""
    api_key: ApiKey | None = None
    """`{name, value, in: header or query}`."""
    oauth2: OAuth2 | None = None
    """`{token_url, client_id, client_secret, scopes, …}`: client credentials."""

    @field_validator("bearer")
    @classmethod
    def _fits_a_header(cls, bearer: str | None) -> str | None:
        check_headers({"Authorization": bearer or ""})
        return bearer

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [self.basic, self.bearer, self.api_key, self.oauth2]
        if sum(found is not None for found in given) != 1:
            raise ValueError("expected exactly one of basic, bearer, api_key and oauth2")
        return self
