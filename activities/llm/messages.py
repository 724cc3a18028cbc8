"""Messages as flows write and read them, the same for every provider."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import to_json

from activities.declaration import Params
from flowspec.values import Json

__all__ = [
    "MOST_IMAGE_BYTES",
    "AssistantMessage",
    "ImagePart",
    "Message",
    "Part",
    "SystemMessage",
    "TextPart",
    "Tool",
    "ToolCall",
    "ToolMessage",
    "UserMessage",
    "text_of",
]

MOST_IMAGE_BYTES: Final = 20_000_000

_NAME = r"^[a-zA-Z0-9_-]{1,64}$"
_IMAGE_TYPE = r"^image/[a-z0-9.+-]{1,50}$"
_DATA_URL = re.compile(r"data:(image/[a-z0-9.+-]{1,50});base64,", re.IGNORECASE)
_SIGNS: Final = (
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
)


class TextPart(Params):
    """A piece of text."""

    type: Literal["text"]
    text: str


class ImagePart(Params):
    """An image the model looks at."""

    type: Literal["image"]
    image: str
    """Bytes kept in the object store, such as the `body` of `http.request` with `save`; a `data:`
    URL; or an https URL, which the endpoint fetches. 20 MB at most."""
    media_type: str | None = Field(default=None, pattern=_IMAGE_TYPE)
    """What it is; PNG, JPEG, GIF and WebP are recognised without."""

    @model_validator(mode="after")
    def _is_an_image(self) -> Self:
        if not self.is_url:
            _ = self.kind_and_data
        return self

    @property
    def is_url(self) -> bool:
        return self.image.startswith(("https://", "http://"))

    @property
    def kind_and_data(self) -> tuple[str, str]:
        """What it is, and its bytes in base64. Raises ValueError if it is no image."""
        said = _DATA_URL.match(self.image)
        data = self.image[said.end() :] if said else self.image
        if len(data) > MOST_IMAGE_BYTES * 4 // 3 + 4:
            raise ValueError(f"an image has {MOST_IMAGE_BYTES:,} bytes at most")
        found = _sniffed(data)
        kind = found or self.media_type or (said[1].lower() if said else None)
        if kind is None:
            raise ValueError("it is no PNG, JPEG, GIF or WebP: say in media_type what it is")
        return kind, data

    @property
    def url(self) -> str:
        if self.is_url:
            return self.image
        kind, data = self.kind_and_data
        return f"data:{kind};base64,{data}"


def _sniffed(data: str) -> str | None:
    try:
        head = base64.b64decode(data, validate=True)[:16]
    except (binascii.Error, ValueError):
        raise ValueError(
            "expected the bytes of an image, a data: URL with base64, or an https URL"
        ) from None
    return next((kind for kind, sign in _SIGNS if sign.match(head)), None)


def _kind(value: Any) -> str | None:
    found = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"a part of type {found}" if found in ("text", "image") else None


Part: TypeAlias = Annotated[
    Annotated[TextPart, Tag("a part of type text")]
    | Annotated[ImagePart, Tag("a part of type image")],
    Discriminator(
        _kind, custom_error_type="part", custom_error_message="expected a type: text or image"
    ),
]


class ToolCall(Params):
    """What the model wants done."""

    id: str
    name: str
    arguments: dict[str, Json] | None = None
    """What for; null if the model wrote something else than a JSON object."""
    invalid: str | None = None
    """The beginning of what it wrote then."""


class SystemMessage(Params):
    """What the model is to be."""

    role: Literal["system"]
    content: str | list[TextPart]


class UserMessage(Params):
    """What somebody asks."""

    role: Literal["user"]
    content: str | list[Part]


class AssistantMessage(Params):
    """What the model has said."""

    role: Literal["assistant"]
    content: str | list[TextPart] | None = None
    tool_calls: list[ToolCall] = Field(default_factory=list)
    thinking: list[dict[str, Json]] = Field(default_factory=list)
    """What it thought, sealed by Anthropic, which wants it back unchanged."""


class ToolMessage(Params):
    """What came of a tool call."""

    role: Literal["tool"]
    id: str
    """Of the tool call."""
    content: Json = None
    failed: bool = False
    """Whether `content` tells why it failed."""

    @property
    def text(self) -> str:
        """The content; another value than a text as its JSON."""
        return self.content if isinstance(self.content, str) else to_json(self.content).decode()


def _role(value: Any) -> str | None:
    found = value.get("role") if isinstance(value, dict) else getattr(value, "role", None)
    return f"a message of {found}" if found in ("system", "user", "assistant", "tool") else None


Message: TypeAlias = Annotated[
    Annotated[SystemMessage, Tag("a message of system")]
    | Annotated[UserMessage, Tag("a message of user")]
    | Annotated[AssistantMessage, Tag("a message of assistant")]
    | Annotated[ToolMessage, Tag("a message of tool")],
    Discriminator(
        _role,
        custom_error_type="role",
        custom_error_message="expected a role: system, user, assistant or tool",
    ),
]


def _no_parameters() -> dict[str, Json]:
    return {"type": "object", "properties": {}}


class Tool(Params):
    """Something the model may ask for."""

    name: str = Field(pattern=_NAME)
    """Its name."""
    description: str | None = None
    """What it does, and when to use it: the model knows nothing else of it."""
    parameters: dict[str, Json] = Field(default_factory=_no_parameters)
    """A JSON Schema of its arguments, which are an object."""


def text_of(content: str | list[TextPart] | None) -> str:
    """The content as one text."""
    if isinstance(content, list):
        return "".join(each.text for each in content)
    return content or ""
