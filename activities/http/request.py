"""Node type `http.request`: its parameters, its result and its errors.

The exchange itself is in `activities.http.exchange`, which is loaded by the first request.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, Self

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import TypedDict

from activities.addresses import ADDRESS_REFUSED
from activities.attempt import Attempt
from activities.blobs import Blob, Kept
from activities.declaration import AnyImplementation, Params, declare
from activities.durations import Seconds
from activities.http.auth import Auth
from activities.http.errors import (
    CLIENT_ERROR,
    INVALID_RESPONSE,
    INVALID_URL,
    NETWORK_ERROR,
    REDIRECT,
    RESPONSE_TOO_LARGE,
    SERVER_ERROR,
    TIMEOUT,
    TLS_ERROR,
    TOKEN_REFUSED,
    TOKEN_UNAVAILABLE,
    TRY_LATER,
    UNEXPECTED_STATUS,
)
from activities.http.fields import HttpUrl, Scalar, Status, Timeouts, check_headers
from activities.http.pages import Paginate
from activities.http.parts import Part
from flowspec.catalogue import RetryDefaults
from flowspec.values import Json

__all__ = [
    "HTTP_REQUEST",
    "MAX_REDIRECTS",
    "MOST_IN_MEMORY",
    "NODE_TYPES",
    "HttpParams",
    "HttpResult",
]

MAX_REDIRECTS = 5

_MOST_PARTS = 1000
_MAX_BYTES = 32_000_000
MOST_IN_MEMORY = 256_000_000
_MAX_SAVED = 10_000_000_000


class HttpParams(Params):
    """One request."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    """The method."""
    url: HttpUrl
    """Where to, beginning with `http://` or `https://`. User name and password go into `auth`."""
    headers: Annotated[dict[str, Scalar], AfterValidator(check_headers)] = Field(
        default_factory=dict
    )
    """Headers by name."""
    query: dict[str, Scalar | list[Scalar] | None] = Field(default_factory=dict)
    """Query parameters beside those in `url`. A list repeats one, null leaves it out."""
    json_: Json = Field(default=None, alias="json")
    """The body, sent as JSON."""
    form: dict[str, Scalar | list[Scalar]] | None = None
    """The body, sent as an HTML form (`application/x-www-form-urlencoded`)."""
    body: Blob | None = None
    """The body, sent as it is, however large: a text, bytes kept by `save`, any other value as its
    JSON. Without a `Content-Type` header they are sent as what they are."""
    multipart: Annotated[list[Part], Field(min_length=1, max_length=_MOST_PARTS)] | None = None
    """The body, sent as an HTML form with files (`multipart/form-data`): a list of
    `{name, value}` and `{name, file, filename, content_type}`."""
    auth: Auth | None = None
    """Who is asking: `basic`, `bearer`, `api_key` or `oauth2`."""
    timeouts: Timeouts | Seconds | None = None
    """A duration for the whole exchange, or one for each of its parts."""
    follow_redirects: bool = False
    """Follow up to five redirects. To another origin only harmless headers and no body are sent."""
    expect: list[Status] = Field(default=["2xx"], min_length=1)
    """Statuses that are a success, such as `200` or `2xx`."""
    save: bool = False
    """Keep the body in the object store as it is, whatever its type and size: the output has it as
    `body`, which other nodes take without loading it."""
    paginate: Paginate | None = None
    """Ask for all pages of a list, one after the other, and give the items of all."""
    max_bytes: int | None = Field(default=None, ge=1)
    """The largest body that is accepted: 32 MB if left out and at most 256 MB, for it is read into
    memory; with `save` 10 GB if left out, and as much as you like."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        bodies = [name for name in ("json", "form", "body", "multipart") if self.has(name)]
        if len(bodies) > 1:
            raise ValueError(f"expected one body, found {' and '.join(bodies)}")
        if self.multipart is not None and self.header("content-type"):
            raise ValueError("expected no Content-Type header beside `multipart`, which sets it")
        if self.auth is not None and self.auth.api_key is None and self.header("authorization"):
            raise ValueError("expected `auth` or an `Authorization` header, found both")
        if self.paginate is not None and self.save:
            raise ValueError("expected `paginate` or `save`, found both")
        if self.most > MOST_IN_MEMORY and not self.save:
            raise ValueError(
                f"expected max_bytes to be at most {MOST_IN_MEMORY} for a body that is read into "
                "memory; save: true keeps larger ones in the object store"
            )
        return self

    @property
    def most(self) -> int:
        """The bytes of a body that are accepted."""
        if self.max_bytes is not None:
            return self.max_bytes
        return _MAX_SAVED if self.save else _MAX_BYTES

    def has(self, name: str) -> bool:
        """Whether a body was given under that name; `json: null` is one."""
        if name == "json":
            return "json_" in self.model_fields_set
        return getattr(self, name) is not None

    def header(self, name: str) -> bool:
        """Whether a header of that name was given, in any case."""
        return any(given.lower() == name for given in self.headers)

    def limits(self) -> Timeouts:
        """The timeouts, with every default filled in."""
        if isinstance(self.timeouts, Timeouts):
            return self.timeouts
        if self.timeouts is None:
            return Timeouts()
        return Timeouts.all_of(self.timeouts)


class HttpResult(TypedDict):
    """The answer; of `json`, `text`, `body_base64`, `body` and `items` one is there."""

    status: int
    headers: Annotated[
        dict[str, str],
        Field(
            description="By lower-case name; one given several times is joined with `, `. "
            "`set-cookie` is left out."
        ),
    ]
    url: Annotated[str, Field(description="Where the answer came from, after redirects")]
    json: NotRequired[Annotated[Json, Field(description="The body, if it is JSON")]]
    text: NotRequired[Annotated[str, Field(description="The body, if it is text or empty")]]
    body_base64: NotRequired[Annotated[str, Field(description="Any other body, in base64")]]
    body: NotRequired[
        Annotated[
            Kept,
            Field(
                description="With `save`, the body as it is. To expressions it is the text, if it "
                "is text in UTF-8 and says so (`json(…)` reads JSON in it), else base64; they load "
                "it, so better hand it on whole."
            ),
        ]
    ]
    bytes: NotRequired[Annotated[int, Field(description="With `save`, the body's size")]]
    items: NotRequired[
        Annotated[list[Json], Field(description="With `paginate`, the items of all pages")]
    ]
    pages: NotRequired[Annotated[int, Field(description="With `paginate`, how many there were")]]
    complete: NotRequired[
        Annotated[
            bool,
            Field(description="With `paginate`, false if `max_pages` or `max_items` ended it"),
        ]
    ]


async def request(params: HttpParams, attempt: Attempt) -> HttpResult:
    if params.paginate is not None:
        from activities.http.paging import all_pages

        return await all_pages(params, attempt)
    from activities.http.exchange import exchange

    return await exchange(params, attempt)


HTTP_REQUEST = declare(
    name="http.request",
    summary="Send an HTTP request",
    description=(
        "A status in `expect` is a success. 408, 425, 429, 5xx and network trouble are tried "
        "again, not before what `Retry-After` says; other statuses are not. POST and PATCH carry "
        "an `Idempotency-Key` that is the same for every attempt, unless one is given. Cookies "
        "are never kept. An error's details hold `status`, `url` and the beginning of the body. "
        "A file goes from one place to another without being loaded by `save: true` and "
        "`body: ${nodes.x.output.body}`; give the node an `attempt_timeout` that fits its size. "
        "With `paginate` an attempt goes on after the pages that the one before it had; "
        "`timeouts` and `max_bytes` are for each page, the `attempt_timeout` for all."
    ),
    example="""\
flow: weather
input: {required: [city], properties: {city: {type: string}}}
nodes:
  ask:
    type: http.request
    params: {url: "https://weather.example/now", query: {city: "${input.city}"}}
output: ${nodes.ask.output.json}
""",
    params=HttpParams,
    result=HttpResult,
    handler=request,
    errors=(
        CLIENT_ERROR,
        TRY_LATER,
        SERVER_ERROR,
        UNEXPECTED_STATUS,
        REDIRECT,
        NETWORK_ERROR,
        TIMEOUT,
        TLS_ERROR,
        INVALID_URL,
        INVALID_RESPONSE,
        RESPONSE_TOO_LARGE,
        ADDRESS_REFUSED,
        TOKEN_REFUSED,
        TOKEN_UNAVAILABLE,
    ),
    exclusive=(("json", "form", "body", "multipart"),),
    secret_params=("*",),
    retry=RetryDefaults(attempts=5, interval=1, factor=2, max_interval=60, jitter=0.1),
    attempt_timeout=60,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (HTTP_REQUEST,)
