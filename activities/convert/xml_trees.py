"""Between XML and objects: attributes are `@name`, text beside them is `#text`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import BinaryIO, Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from activities.convert.xml import INVALID_XML, NOT_XML, XmlWriteParams
from activities.errors import NodeFailed
from activities.pieces import CONTENT_TOO_LARGE
from flowspec.values import Json, JsonObject

__all__ = ["read_tree", "written"]

_DEEPEST: Final = 80
"""Each element may be a list and an object, and JSON is read 200 deep."""
_MOST_ELEMENTS: Final = 1_000_000
_MOST_CHARACTERS: Final = 128_000_000
_PIECE: Final = 4_000_000
_TEXT: Final = "#text"
_START: Final = (
    r":A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f"
    r"\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_NAME: Final = re.compile(rf"[{_START}][{_START}\-.0-9\xb7\u0300-\u036f\u203f-\u2040]*")
_NO_TEXT: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_IN_TEXT: Final = {"\r": "&#13;"}
_IN_ATTRIBUTE: Final = {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


def read_tree(file: BinaryIO, charset: str | None, lists: frozenset[str]) -> JsonObject:
    """`charset` says how bytes are to be read, whatever they say themselves."""
    try:
        parser = expat.ParserCreate(charset)
        tree = _Tree(parser, lists)
        while piece := file.read(_PIECE):
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        said = expat.errors.messages.get(error.code, "it is not XML")
        raise _wrong(error.lineno, error.offset, said) from error
    except (LookupError, ValueError) as error:
        raise NodeFailed(INVALID_XML, f"it cannot be read: {error}") from error
    return tree.whole


def _wrong(line: int, column: int, message: str) -> NodeFailed:
    return NodeFailed(
        INVALID_XML,
        f"line {line}, column {column + 1}: {message}",
        details={"line": line, "column": column + 1},
    )


class _Tree:
    """What the parser has told of; `whole` once it is at the end."""

    def __init__(self, parser: expat.XMLParserType, lists: frozenset[str]) -> None:
        self.whole: JsonObject = {}
        self._parser = parser
        self._lists = lists
        self._open: list[JsonObject] = [self.whole]
        self._texts: list[list[str]] = [[]]
        self._elements = 0
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    def _refuse(self, *_: object) -> None:
        raise self._stop("a document type (<!DOCTYPE) is not accepted; leave it away")

    def _start(self, _name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) > _DEEPEST:
            raise self._stop(f"elements are more than {_DEEPEST} deep")
        if self._elements > _MOST_ELEMENTS:
            raise NodeFailed(CONTENT_TOO_LARGE, f"there are more than {_MOST_ELEMENTS:,} elements")
        self._open.append({f"@{name}": value for name, value in attributes.items()})
        self._texts.append([])

    def _text(self, text: str) -> None:
        self._texts[-1].append(text)

    def _end(self, name: str) -> None:
        element, text = self._open.pop(), "".join(self._texts.pop())
        value = _value(element, text)
        around = self._open[-1]
        found = around.get(name)
        if name not in around:
            around[name] = [value] if name in self._lists and len(self._open) > 1 else value
        elif isinstance(found, list):
            found.append(value)
        else:
            around[name] = [found, value]

    def _stop(self, message: str) -> NodeFailed:
        return _wrong(self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber, message)


def _value(element: JsonObject, text: str) -> Json:
    if not element:
        return text or None
    has_elements = any(not name.startswith("@") for name in element)
    text = text.strip() if has_elements else text
    return {**element, _TEXT: text} if text else element


def written(params: XmlWriteParams) -> str:
    [(name, value)] = params.value.items()
    if isinstance(value, list):
        raise _no_xml(name, "the outermost element cannot be a list")
    writer = _Writer(params.indent)
    if params.declaration:
        writer.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    writer.element(name, value, 0)
    return "".join(writer.made)


def _no_xml(name: str, message: str) -> NodeFailed:
    return NodeFailed(NOT_XML, f"{name!r}: {message}", details={"element": name})


class _Writer:
    def __init__(self, indent: int | None) -> None:
        self.made: list[str] = []
        self._indent = indent
        self._room = _MOST_CHARACTERS

    def write(self, text: str) -> None:
        self._room -= len(text)
        if self._room < 0:
            raise NodeFailed(CONTENT_TOO_LARGE, f"the XML has over {_MOST_CHARACTERS:,} characters")
        self.made.append(text)

    def element(self, name: str, value: Json, depth: int, *, inline: bool = False) -> None:
        if depth >= _DEEPEST:
            raise _no_xml(name, f"elements are more than {_DEEPEST} deep")
        self.write(f"<{_checked_name(name)}")
        inner: JsonObject = value if isinstance(value, dict) else {_TEXT: value}
        for key in inner:
            if key.startswith("@"):
                text = _text(key, inner[key])
                self.write(f" {_checked_name(key[1:])}={quoteattr(text, _IN_ATTRIBUTE)}")
        self._content(name, inner, depth, inline=inline)

    def _content(self, name: str, inner: JsonObject, depth: int, *, inline: bool) -> None:
        text = inner.get(_TEXT)
        children = list(_children(inner))
        if text is None and not children:
            self.write("/>")
            return
        self.write(f">{escape(_text(name, text), _IN_TEXT)}")
        inline = inline or text is not None
        for child, value in children:
            self._break(depth + 1, inline)
            self.element(child, value, depth + 1, inline=inline)
        if children:
            self._break(depth, inline)
        self.write(f"</{name}>")

    def _break(self, depth: int, inline: bool) -> None:
        if self._indent is not None and not inline:
            self.write("\n" + " " * (self._indent * depth))


def _children(inner: JsonObject) -> Iterator[tuple[str, Json]]:
    for name, value in inner.items():
        if name.startswith("@") or name == _TEXT:
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, list):
                raise _no_xml(name, "a list cannot stand in a list")
            yield name, item


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise _no_xml(name, "this cannot be the name of an element or attribute")
    return name


def _text(name: str, value: Json) -> str:
    if isinstance(value, list | dict):
        raise _no_xml(name, "an attribute or #text must be text, a number, a boolean or null")
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    if _NO_TEXT.search(text):
        raise _no_xml(name, "its text has a character that XML cannot have")
    return text
