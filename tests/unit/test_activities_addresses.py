"""Which addresses flows may reach, and what an allow-list says."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from activities.addresses import AddressPolicy, read_rules, why_refused


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1"),
        *("172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200"),
        *("192.0.0.192", "198.18.0.1", "224.0.0.1", "239.255.255.250", "255.255.255.255"),
        *("168.63.129.16", "203.0.113.5", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1"),
        *("fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "::127.0.0.1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::7f00:1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1"),
        *("100::1", "5f00::1", "4000::1"),
    ],
)
def test_what_is_not_of_the_public_internet_is_refused(address: str) -> None:
    assert why_refused(ip_address(address)) is not None


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255"),
        *("100.128.0.0", "169.253.255.255", "192.167.255.255", "223.255.255.255"),
        *("2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::101:101"),
        "2002:101:101::1",
    ],
)
def test_the_public_internet_may_be_reached(address: str) -> None:
    assert why_refused(ip_address(address)) is None


def _refusal(allow: str, name: str, address: str, port: int = 80) -> str | None:
    return AddressPolicy(allow=read_rules(allow)).refusal(name, address, port)


@pytest.mark.parametrize(
    ("allow", "name", "address", "port"),
    [
        ("wiki.internal", "wiki.internal", "10.0.0.1", 443),
        ("Wiki.Internal.", "wiki.internal", "10.0.0.1", 443),
        ("a, wiki.internal:8080", "WIKI.internal.", "10.0.0.1", 8080),
        ("10.0.0.1", "x.example", "10.0.0.1", 1),
        ("10.0.0.1:81", "x.example", "10.0.0.1", 81),
        ("10.0.0.0/8", "x.example", "10.9.8.7", 80),
        ("10.0.0.0/8", "x.example", "::ffff:10.9.8.7", 80),
        ("10.0.0.0/8:81", "x.example", "10.9.8.7", 81),
        ("fd00::/8", "x.example", "fd00::1", 80),
        ("::1", "localhost", "::1", 80),
        ("[::1]:81", "localhost", "::1", 81),
    ],
)
def test_an_allow_list_lets_its_own_pass(allow: str, name: str, address: str, port: int) -> None:
    assert _refusal(allow, name, address, port) is None
    assert _refusal("", name, address, port) is not None


@pytest.mark.parametrize(
    ("allow", "name", "address", "port"),
    [
        ("wiki.internal", "x.wiki.internal", "10.0.0.1", 80),
        ("wiki.internal:8080", "wiki.internal", "10.0.0.1", 80),
        ("10.0.0.1:81", "x.example", "10.0.0.1", 80),
        ("10.1.0.0/16", "x.example", "10.2.0.1", 80),
        ("[::1]:81", "localhost", "127.0.0.1", 81),
    ],
)
def test_an_allow_list_lets_nothing_else_pass(
    allow: str, name: str, address: str, port: int
) -> None:
    assert _refusal(allow, name, address, port) is not None


def test_a_refusal_names_host_address_and_setting() -> None:
    told = _refusal("", "metadata.internal", "169.254.169.254")
    assert told is not None
    assert "'metadata.internal' is 169.254.169.254, which is a link-local address" in told
    assert "FLOWRUNNER_HTTP_ALLOW" in told
    assert "metadata.internal:80" in told


def test_without_a_guard_everything_may_be_reached() -> None:
    assert AddressPolicy(guarded=False).refusal("x", "127.0.0.1", 80) is None


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "a b", "host:", "host:x", "host:70000", ":80", "http://x", "10.0.0.0/99"]
)
def test_a_list_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - ipaddress says it in its own words
        read_rules(text)
