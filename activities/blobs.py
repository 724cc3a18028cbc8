"""Values that may be larger than memory: taken by a handler as `Blob`, given back as `Kept`."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema, from_json, to_json

from activities.convert.json_text import begins_text, decoded_text
from activities.errors import INVALID_PARAMS, NodeFailed
from activities.standins import StandIns
from claimcheck.claim import Claim
from claimcheck.errors import ClaimInvalid
from flowspec.values import Json

if TYPE_CHECKING:
    from activities.claims import Claims

__all__ = [
    "BINARY_TYPE",
    "CONTENT_TYPE",
    "JSON_TYPE",
    "TEXT_TYPE",
    "Blob",
    "Kept",
    "blob_of",
    "blob_parameters",
    "blobs_parameters",
    "is_textual",
]

TEXT_TYPE: Final = "text/plain; charset=utf-8"
JSON_TYPE: Final = "application/json"
BINARY_TYPE: Final = "application/octet-stream"

CONTENT_TYPE: Final = "content-type"
"""Metadata of a claim: what its bytes are, as HTTP says it."""

_SAYS_A_TYPE: Final = re.compile(r"[\x20-\x7e]{1,200}")
_TEXTUAL: Final = (
    "application/javascript",
    "application/json",
    "application/x-ndjson",
    "application/x-www-form-urlencoded",
    "application/xml",
    "application/yaml",
    "image/svg+xml",
)


class Blob(ABC):
    """A parameter that takes a value however large: the bytes of a text are its UTF-8, those of
    any other JSON are its JSON, and bytes that were kept as bytes are themselves.

    Nothing is loaded before it is asked for. Only as a field of a node type's own parameters
    (`Blob`, `Blob | None` or `dict[str, Blob]`), or of the items of one that is a list of models,
    it is taken out of the object store by need; everywhere else a value has been loaded before.
    Each method raises `ClaimCheckError` if the store cannot give the value; the runtime makes of
    it what the attempt fails with.
    """

    @abstractmethod
    def stream(self) -> AsyncGenerator[bytes, None]:
        """The bytes in pieces of about a megabyte, as often as they are asked for.

        Rely on nothing made of them before the end has come without an error: only then is it
        known that they are all, and the right ones. A part of a value that is kept as a whole,
        such as one item of a large list, is loaded first.
        """

    @abstractmethod
    async def size(self) -> int:
        """How many bytes `stream` gives. For a large text kept as JSON it reads all of it, a
        piece at a time; otherwise next to nothing."""

    @abstractmethod
    async def content_type(self) -> str:
        """What the bytes are, as HTTP says it."""

    @abstractmethod
    async def read(self) -> bytes:
        """All the bytes at once; `BlobTooLarge` if they are more than a worker takes."""

    async def text(self) -> str:
        """All of it as text; fails with `InvalidParams` for bytes that are none."""
        try:
            return (await self.read()).decode()
        except UnicodeDecodeError as error:
            raise NodeFailed(INVALID_PARAMS, "a parameter is not text in UTF-8") from error

    async def json(self) -> Json:
        """The JSON that the bytes are, so also that in a text; else `InvalidParams`."""
        try:
            value: Json = from_json(await self.read(), allow_inf_nan=False)
        except ValueError as error:
            raise NodeFailed(INVALID_PARAMS, f"a parameter is not JSON: {error}") from error
        return value

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(_read)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {}


def _read(value: Any, info: core_schema.ValidationInfo) -> Blob:
    if isinstance(value, Blob):
        return value
    if isinstance(value, str) and isinstance(info.context, StandIns):
        found = info.context.behind(value)
        if isinstance(found, Blob):
            return found
    return blob_of(value)


def blob_of(value: Any, claims: Claims | None = None) -> Blob:
    """What a handler gets for a JSON value, or for a claim out of the store of `claims`."""
    if not isinstance(value, Claim):
        return _Inline(value)
    assert claims is not None, "a claim is nothing without the store"
    return _Claimed(value, claims)


def blob_parameters(model: type[BaseModel]) -> frozenset[str]:
    """The names under which values are given to the model's own fields of type `Blob`."""
    return _parameters(model, _takes_blob)


def blobs_parameters(model: type[BaseModel]) -> frozenset[str]:
    """The names under which values are given to its own fields of type `dict[str, Blob]`."""
    return _parameters(model, _takes_blobs)


def _parameters(model: type[BaseModel], fits: Callable[[object], bool]) -> frozenset[str]:
    return frozenset(
        given
        for name, field in model.model_fields.items()
        if fits(field.annotation)
        for given in (name, field.alias)
        if given is not None
    )


def _takes_blobs(annotation: object) -> bool:
    return get_origin(annotation) is dict and _takes_blob(get_args(annotation)[1])


def _takes_blob(annotation: object) -> bool:
    if annotation is Blob:
        return True
    is_container = isinstance(get_origin(annotation), type) and issubclass(
        get_origin(annotation) or object, (list, dict, tuple)
    )
    return not is_container and any(_takes_blob(each) for each in get_args(annotation))


class _Inline(Blob):
    def __init__(self, value: Json) -> None:
        self._type = TEXT_TYPE if isinstance(value, str) else JSON_TYPE
        self._data = value.encode() if isinstance(value, str) else to_json(value)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        yield self._data

    async def size(self) -> int:
        return len(self._data)

    async def content_type(self) -> str:
        return self._type

    async def read(self) -> bytes:
        return self._data


class _Claimed(Blob):
    """Bytes in the store. What a claim leads to that is more than the bytes of one blob has to be
    put together, so it is loaded."""

    def __init__(self, claim: Claim, claims: Claims) -> None:
        self._claim = claim
        self._claims = claims
        self._found: Blob | None = None

    async def stream(self) -> AsyncGenerator[bytes, None]:
        async with aclosing((await self._bytes()).stream()) as pieces:
            async for piece in pieces:
                yield piece

    async def size(self) -> int:
        return await (await self._bytes()).size()

    async def content_type(self) -> str:
        return await (await self._bytes()).content_type()

    async def read(self) -> bytes:
        return await (await self._bytes()).read()

    async def _bytes(self) -> Blob:
        if self._found is None:
            self._found = await self._find()
        return self._found

    async def _find(self) -> Blob:
        value = await self._claims.followed(self._claim)
        if not isinstance(value, Claim):
            with _told():
                return _Inline(value)
        if value.is_json and await self._is_text(value):
            return _JsonText(value, self._claims)
        return _Bytes(value, self._claims)

    async def _is_text(self, claim: Claim) -> bool:
        start = b""
        async with aclosing(self._claims.stream(claim)) as pieces:
            async for piece in pieces:
                start += piece
                if (known := begins_text(start)) is not None:
                    return known
        return False


class _Bytes(Blob):
    """The bytes of a blob, as they are."""

    def __init__(self, claim: Claim, claims: Claims) -> None:
        self._claim = claim
        self._claims = claims

    def stream(self) -> AsyncGenerator[bytes, None]:
        return self._claims.stream(self._claim)

    async def size(self) -> int:
        return self._claim.size

    async def content_type(self) -> str:
        said = self._claim.metadata.get(CONTENT_TYPE, "")
        if _SAYS_A_TYPE.fullmatch(said):
            return said
        if self._claim.is_json:
            return JSON_TYPE
        return TEXT_TYPE if self._claim.encoding.startswith("text/") else BINARY_TYPE

    async def read(self) -> bytes:
        return await self._claims.cloakroom.redeem(self._claim)


class _JsonText(Blob):
    """A text whose JSON is in the store."""

    def __init__(self, claim: Claim, claims: Claims) -> None:
        self._claim = claim
        self._claims = claims
        self._size: int | None = None

    async def stream(self) -> AsyncGenerator[bytes, None]:
        with _told():
            async with aclosing(self._claims.stream(self._claim)) as pieces:
                async for piece in decoded_text(pieces):
                    yield piece

    async def size(self) -> int:
        if self._size is None:
            async with aclosing(self.stream()) as pieces:
                self._size = sum([len(piece) async for piece in pieces])
        return self._size

    async def content_type(self) -> str:
        return TEXT_TYPE

    async def read(self) -> bytes:
        text = await self._claims.loaded(self._claim)
        assert isinstance(text, str), "it begins as a text does"
        with _told():
            return text.encode()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ClaimInvalid(f"the value of the claim is no JSON: {error}") from None


class Kept:
    """Made by `Attempt.keep`: a value in the object store. Wherever a handler puts it into its
    result, the claim for the value will stand.

    In the type of a result it stands for any JSON: expressions see text as text, JSON as the
    value it stands for, and other bytes as base64.
    """

    __slots__ = ("claim", "size")

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.size = claim.size

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {}


def is_textual(content_type: str) -> bool:
    """Whether what HTTP calls so is text, as far as its name tells."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind.endswith(("+xml", "+json")) or kind in _TEXTUAL
