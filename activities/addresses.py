"""Which addresses on the network flows may reach: by default those of the public internet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from flowspec.catalogue import ErrorType

__all__ = ["ADDRESS_REFUSED", "Address", "AddressPolicy", "AllowRule", "read_rules", "why_refused"]

ADDRESS_REFUSED: Final = ErrorType(
    name="AddressRefused",
    permanent=True,
    meaning="The address is not one of the public internet, and the worker does not allow it",
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED_4: Final = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address behind a provider's NAT"),
        ("127.0.0.0/8", "a loopback address"),
        ("168.63.129.16/32", "a cloud's own service"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a reserved address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
    )
)
_REFUSED_6: Final = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::/128", "this host"),
        ("::1/128", "a loopback address"),
        ("2001::/23", "a reserved address"),
        ("2001:db8::/32", "an address for documentation"),
        ("3fff::/20", "an address for documentation"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a private address"),
        ("ff00::/8", "a multicast address"),
    )
)
_RULE: Final = re.compile(r"(?:\[(?P<bracketed>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d+))?")
_NAME: Final = re.compile(r"[\w.-]+")
_GLOBAL_6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")


def why_refused(address: Address) -> str | None:
    """What the address is, if it is none of the public internet.

    One that is only another way to write an IPv4 address is judged by that one. Behind which
    other prefix a network translates to IPv4 cannot be known.
    """
    if isinstance(address, IPv4Address):
        return next((why for network, why in _REFUSED_4 if address in network), None)
    inner = _inner(address)
    if inner is not None:
        why = why_refused(inner)
        return why and f"{why}, {inner}, written as IPv6"
    known = next((why for network, why in _REFUSED_6 if address in network), None)
    if known is None and address not in _GLOBAL_6:
        return "a reserved address"
    return known


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside: mapped, 6to4 or NAT64."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour


@dataclass(frozen=True, kw_only=True)
class AllowRule:
    """What may be reached although it is not public: a name, or a network; at one port or all."""

    name: str | None = None
    network: Network | None = None
    port: int | None = None

    def fits(self, name: str, address: Address, port: int) -> bool:
        if self.port not in (None, port):
            return False
        if self.name is not None:
            return self.name == _plain(name)
        return any(each in self.network for each in _spellings(address)) if self.network else False


def _spellings(address: Address) -> Iterator[Address]:
    yield address
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        yield address.ipv4_mapped


def read_rules(text: str) -> tuple[AllowRule, ...]:
    """Separated by commas: `host`, `host:port`, an address, `address:port`, `[IPv6]:port` or a
    network such as `10.1.0.0/16`. Raises ValueError."""
    return tuple(_read_rule(part) for each in text.split(",") if (part := each.strip()))


def _read_rule(text: str) -> AllowRule:
    found = _RULE.fullmatch(text)
    host = (found["bracketed"] or found["host"]) if found else text
    port = int(found["port"]) if found and found["port"] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"{text!r} has no port from 1 to 65535")
    if (network := _network(host)) is not None:
        return AllowRule(network=network, port=port)
    if not _NAME.fullmatch(_plain(host)):
        raise ValueError(f"{text!r} is neither a host nor a network, nor one with a port")
    return AllowRule(name=_plain(host), port=port)


def _network(text: str) -> Network | None:
    try:
        return ip_network(text)
    except ValueError:
        if "/" in text:
            raise
        return None


def _plain(name: str) -> str:
    """A name as it is compared: in lower case, without the dot that may end it."""
    return name.lower().removesuffix(".")


@dataclass(frozen=True, kw_only=True)
class AddressPolicy:
    """What a worker lets flows reach. With `guarded` False that is everything."""

    guarded: bool = True
    allow: tuple[AllowRule, ...] = ()

    def refusal(self, name: str, address: str, port: int) -> str | None:
        """Why a connection is refused to this address of the host `name`, in words."""
        if not self.guarded:
            return None
        where = ip_address(address)
        why = why_refused(where)
        if why is None or any(rule.fits(name, where, port) for rule in self.allow):
            return None
        return (
            f"the host {name!r} is {where}, which is {why}; flows may not connect to it unless "
            f"FLOWRUNNER_HTTP_ALLOW, where the worker is started, lists {_plain(name)}:{port}"
        )
