"""What a tool says, in parts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from activities.aside import aside
from activities.attempt import Attempt
from activities.blobs import BINARY_TYPE, Kept
from activities.errors import NodeFailed
from activities.http.errors import INVALID_RESPONSE, RESPONSE_TOO_LARGE
from activities.mcp.call import Part
from activities.mcp.line import MOST_BYTES

__all__ = ["check_size", "parts_of", "text_of"]


def check_size(answer: CallToolResult) -> None:
    """Over HTTP this is seen to while it arrives; a server of the operator's own is trusted so
    far."""
    blocks = (getattr(one, "resource", one) for one in answer.content)
    named = ("text", "data", "blob")
    size = sum(len(getattr(one, name, "")) for one in blocks for name in named)
    if size > MOST_BYTES:
        raise NodeFailed(
            RESPONSE_TOO_LARGE, f"the tool answered with more than {MOST_BYTES:,} bytes"
        )


def text_of(answer: CallToolResult) -> str:
    """The texts, those of embedded resources among them."""
    texts = (_text(block) for block in answer.content)
    return "\n".join(text for text in texts if text is not None)


def _text(block: ContentBlock) -> str | None:
    if isinstance(block, TextContent):
        return block.text
    if isinstance(block, EmbeddedResource) and isinstance(block.resource, TextResourceContents):
        return block.resource.text
    return None


async def parts_of(answer: CallToolResult, attempt: Attempt) -> list[Part]:
    """Bytes are kept in the object store."""
    return [await _part(block, attempt) for block in answer.content]


async def _part(block: ContentBlock, attempt: Attempt) -> Part:
    match block:
        case TextContent():
            return {"type": "text", "text": block.text}
        case ImageContent():
            image = await _kept(block.data, block.mime_type, attempt)
            return {"type": "image", "image": image, "media_type": block.mime_type}
        case AudioContent():
            data = await _kept(block.data, block.mime_type, attempt)
            return {"type": "audio", "data": data, "media_type": block.mime_type}
        case EmbeddedResource():
            return await _resource(block.resource, attempt)
        case ResourceLink():
            return _link(block)


async def _resource(
    resource: TextResourceContents | BlobResourceContents, attempt: Attempt
) -> Part:
    part: Part = {"type": "resource", "uri": resource.uri}
    if resource.mime_type is not None:
        part["media_type"] = resource.mime_type
    if isinstance(resource, TextResourceContents):
        return {**part, "text": resource.text}
    kind = resource.mime_type or BINARY_TYPE
    return {**part, "data": await _kept(resource.blob, kind, attempt)}


def _link(block: ResourceLink) -> Part:
    part: Part = {"type": "link", "uri": block.uri, "name": block.name}
    if block.description is not None:
        part["description"] = block.description
    if block.mime_type is not None:
        part["media_type"] = block.mime_type
    return part


async def _kept(text: str, kind: str, attempt: Attempt) -> Kept:
    try:
        data = await aside(lambda: base64.b64decode(text, validate=True), over=text)
    except binascii.Error as error:
        raise NodeFailed(INVALID_RESPONSE, f"the tool's {kind} is not base64: {error}") from error

    async def whole() -> AsyncIterator[bytes]:
        yield data

    return await attempt.keep(whole(), content_type=kind)
