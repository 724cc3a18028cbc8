"""Addresses of mail: read strictly, so that none can smuggle in another or a header."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.header import Header
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

__all__ = ["Address", "Recipients", "Sender", "header_text"]

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(rf"({_LOCAL})@({_LABEL}(?:\.{_LABEL})*)")
_NAMED = re.compile(r'(?:"((?:[^"\\]|\\["\\])*)"|([^"<>,;]*?)) *<([^<>]*)>')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_LONGEST = 320
_LONGEST_GIVEN = 1_000
_LONGEST_NAME = 200
_LONGEST_WORD = 70


@dataclass(frozen=True)
class Address:
    """`spec` is what the server is told, in ASCII; `name` is for people."""

    name: str
    spec: str

    @property
    def domain(self) -> str:
        return self.spec.rpartition("@")[2]

    def __str__(self) -> str:
        """As it stands in a header, in ASCII."""
        if not self.name:
            return self.spec
        if _is_plain(self.name) and _ATOMS.fullmatch(self.name):
            return f"{self.name} <{self.spec}>"
        if _is_plain(self.name):
            escaped = re.sub(r'(["\\])', r"\\\1", self.name)
            return f'"{escaped}" <{self.spec}>'
        return f"{header_text(self.name)} <{self.spec}>"


def header_text(text: str) -> str:
    """Text for a header: as it is, or in words of ASCII that stand for it; a line each."""
    if _is_plain(text):
        return text
    return Header(text, "utf-8", maxlinelen=75, continuation_ws=" ").encode(linesep="\n")


def _is_plain(text: str) -> bool:
    """Whether it can stand in a header and be read as nothing else, in lines short enough."""
    short = all(len(word) <= _LONGEST_WORD for word in text.split(" "))
    return text.isascii() and text.isprintable() and "=?" not in text and short


def read_address(text: str) -> Address:
    """`ann@example.com` or `Ann <ann@example.com>`; raises `ValueError`."""
    if len(text) > _LONGEST_GIVEN:
        raise ValueError("that is too long for an address")
    if _CONTROL.search(text):
        raise ValueError("an address has no line break or other control character")
    named = _NAMED.fullmatch(text.strip())
    quoted, bare, spec = named.groups() if named else (None, "", text.strip())
    name = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else (bare or "").strip()
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"a name in an address has {_LONGEST_NAME} characters at most")
    return Address(name, _read_spec(spec.strip(), text))


def _read_spec(spec: str, shown: str) -> str:
    local, _, domain = spec.rpartition("@")
    domain = domain if domain.isascii() else _in_ascii(domain)
    if not _PLAIN.fullmatch(f"{local}@{domain}") or len(local) > 64 or len(domain) > 253:
        hint = "; give several as a list" if "," in shown or ";" in shown else ""
        raise ValueError(
            f"{shown[:_LONGEST]!r} is no address like ann@example.com or "
            f"Ann <ann@example.com>{hint}"
        )
    return f"{local}@{domain}"


def _in_ascii(domain: str) -> str:
    """Empty if it cannot be written so that it is read as the same: `ß` would become `ss`."""
    try:
        coded = domain.encode("idna")
        return coded.decode("ascii") if coded.decode("idna") == domain.lower() else ""
    except UnicodeError:
        return ""


def _check(text: str) -> str:
    read_address(text)
    return text


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Sender = Annotated[str, AfterValidator(_check)]
Recipients = Annotated[
    list[Sender],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
    Field(max_length=1_000),
]
"""One address as a text, or several as a list."""
