"""Addresses of mail: what is one, what is none, and how one stands in a header."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from activities.errors import NodeFailed
from activities.mail.addresses import header_text, read_address
from activities.mail.send import EMAIL_SEND
from activities.parameters import read_params
from flowspec.values import JsonObject


@pytest.mark.parametrize(
    ("text", "name", "spec"),
    [
        ("ann@example.com", "", "ann@example.com"),
        (" ann@example.com ", "", "ann@example.com"),
        ("<ann@example.com>", "", "ann@example.com"),
        ("Ann Lee <ann@example.com>", "Ann Lee", "ann@example.com"),
        ('"Lee, Ann" <a.b+c@mail.example.com>', "Lee, Ann", "a.b+c@mail.example.com"),
        (r'"\"A\" \\ B" <a@b.c>', r'"A" \ B', "a@b.c"),
        ("Zoë <zoe@Grün.example>", "Zoë", "zoe@xn--grn-ioa.example"),
        ("root@localhost", "", "root@localhost"),
    ],
)
def test_what_is_an_address(text: str, name: str, spec: str) -> None:
    read = read_address(text)
    assert (read.name, read.spec) == (name, spec)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "ann@example.com, bob@example.com",
        "ann@example.com;bob@example.com",
        "Ann <ann@example.com> <bob@example.com>",
        "Ann <ann@example.com>, Bob <bob@example.com>",
        "ann@example.com>",
        "ann@example.com\r\nBcc: bob@example.com",
        "Ann\nBcc: x <ann@example.com>",
        "ann@example.com)bob@example.com",
        "a b@example.com",
        "a..b@example.com",
        "ann@exa mple.com",
        "ann@-example.com",
        "ann@example..com",
        "ann@example.com NOTIFY=NEVER",
        "zoë@example.com",
        "zoe@große.example",
        "a" * 65 + "@example.com",
        "x" * 201 + " <ann@example.com>",
        " " * 2000 + "ann@example.com",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|name"):
        read_address(text)


def test_several_in_one_text_are_told_to_be_a_list() -> None:
    with pytest.raises(ValueError, match="give several as a list"):
        read_address("ann@example.com, bob@example.com")


NAMES = st.text(max_size=150).filter(lambda text: text.isprintable() and text.strip() == text)


@given(NAMES)
def test_a_name_in_a_header_is_read_as_it_was_written(name: str) -> None:
    quoted = name.replace("\\", r"\\").replace('"', r"\"")
    read = read_address(f'"{quoted}" <ann@example.com>')
    header = f"To: {read},\n {read}\n\n".encode("ascii")
    people = getaddresses([message_from_bytes(header, policy=policy.compat32)["To"]])
    # not by `policy.default`, which in Python 3.11 puts a blank between encoded words of a name
    assert [(str(make_header(decode_header(shown))), spec) for shown, spec in people] == [
        (name, "ann@example.com")
    ] * 2


@given(st.text(max_size=300).filter(lambda text: text.isprintable()))
@example(" ¡")
def test_a_subject_is_read_as_it_was_written(text: str) -> None:
    header = f"Subject: {header_text(text)}\nX-Next: 1\n\n".encode("ascii")
    read = message_from_bytes(header, policy=policy.default)
    assert (read["Subject"].lstrip(), read["X-Next"]) == (text.lstrip(), "1")  # blanks may go
    assert all(len(line) < 998 for line in header.splitlines())


MAIL: JsonObject = {
    "host": "smtp.example.com",
    "from": "ann@example.com",
    "to": "bob@example.com",
    "subject": "Hi",
    "text": "Hi",
}


@pytest.mark.parametrize(
    "more",
    [
        {"subject": "Hi\r\nBcc: carl@example.com"},
        {"subject": "Hi\u2028there"},
        {"to": "bob@example.com, carl@example.com"},
        {"to": ["bob@example.com\r\nRCPT TO:<carl@example.com>"]},
        {"to": []},
        {"to": ["bob@example.com"] * 1_001},
        {"headers": {"X-A": "1\nBcc: carl@example.com"}},
        {"headers": {"X-A: 1\nBcc": "carl@example.com"}},
        {"headers": {"BCC": "carl@example.com"}},
        {"headers": {"Content-Type": "text/html"}},
        {"attachments": [{"name": "a\r\nX-A: 1", "content": ""}]},
        {"attachments": [{"name": "a", "content": "", "content_type": "text/html\r\nX-A: 1"}]},
        {"username": "ann"},
        {"password": "secret"},
        {"text": None},
        {"host": "smtp.example.com\r\nX"},
        {"security": "none"},
    ],
)
def test_nothing_can_be_smuggled_in(more: JsonObject) -> None:
    read_params(EMAIL_SEND, MAIL)
    with pytest.raises(NodeFailed) as caught:
        read_params(EMAIL_SEND, {**MAIL, **more})
    assert caught.value.error.name == "InvalidParams"


@pytest.mark.parametrize(
    ("given", "port", "security"),
    [
        ({}, 465, "tls"),
        ({"port": 465}, 465, "tls"),
        ({"port": 587}, 587, "starttls"),
        ({"port": 25}, 25, "starttls"),
        ({"security": "starttls"}, 587, "starttls"),
        ({"security": "tls", "port": 2465}, 2465, "tls"),
        ({"security": "none", "allow_plaintext": True}, 25, "none"),
    ],
)
def test_the_port_says_how_it_is_secured(given: JsonObject, port: int, security: str) -> None:
    read = read_params(EMAIL_SEND, {**MAIL, **given})
    assert read.reached(tls=465, starttls=587, none=25) == (port, security)
