"""Secrets: where they come from, who may have them, and that they never come out again."""

from __future__ import annotations

import base64
import html
import json
import threading
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.errors import SECRET_UNREADABLE, NodeFailed
from activities.redaction import BLOT, Redactor
from activities.secrets import EnvironmentSource, Secrets, SecretSource
from flowspec.values import Json

SECRET = 'p@ss "wörd"/+&<x>'

secrets = st.text(min_size=4, max_size=40).filter(lambda text: text.strip("*"))


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr(SECRET),
        html.escape(SECRET),
        SECRET.encode().decode("latin-1"),
        json.dumps(SECRET.encode().decode("latin-1")),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").lower(),
        urlencode({"key": SECRET}),
        str(httpx2.URL(f"http://host/?key={SECRET}")),
        str(httpx2.URL(f"http://host/{SECRET}/x")),
        str(httpx2.URL(f"http://host/#{SECRET}")),
        quote(SECRET, safe="!'()*"),
        quote(SECRET, safe="!#$&'()*+,/:;=?@"),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
        base64.b64encode(f"user:{SECRET}".encode()).decode(),
        base64.b64encode(f"u:{SECRET}@host".encode()).decode(),
    ],
)
def test_every_likely_spelling_of_a_secret_is_blotted_out(spelling: str) -> None:
    told = Redactor([SECRET]).text(f"before {spelling} after")
    assert BLOT in told
    assert told.startswith("before ")
    assert told.endswith(" after")
    for piece in ("wörd", "p@ss", quote("wörd"), base64.b64encode(b'rd"/+&').decode()[2:6]):
        assert piece not in told


@given(secret=secrets, before=st.text(max_size=9), after=st.text(max_size=9))
def test_no_text_leaves_with_a_secret_in_it(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret]).text(f"{before}{secret}{after}").replace(BLOT, "\0")


@given(secret=secrets, user=st.text(max_size=9))
def test_base64_of_a_secret_with_something_before_it_cannot_be_decoded_to_it(
    secret: str, user: str
) -> None:
    raw = secret.encode("utf-8", "surrogatepass")
    token = base64.b64encode(user.encode("utf-8", "surrogatepass") + b":" + raw).decode()
    if len(raw) >= 8:
        assert BLOT in Redactor([secret]).text(token)


def test_a_secret_is_known_as_the_name_of_a_host() -> None:
    told = Redactor(["Tenant-7F.example"]).text(str(httpx2.URL("https://Tenant-7F.example/x")))
    assert told == f"https://{BLOT}/x"


def test_a_short_secret_is_known_in_base64_with_and_without_padding() -> None:
    assert Redactor(["abcd"]).text("YWJjZA== YWJjZA") == f"{BLOT} {BLOT}"


def test_values_are_redacted_in_texts_keys_and_numbers() -> None:
    told: Json = {
        "a": ["x hunter22", 12345678, 7, True, None],
        "k hunter22": {"deep": "hunter22"},
    }
    value = Redactor(["12345678", "hunter22"]).value(told)
    assert value == {"a": [f"x {BLOT}", BLOT, 7, True, None], f"k {BLOT}": {"deep": BLOT}}


def test_a_secret_that_contains_another_is_blotted_out_whole() -> None:
    assert Redactor(["abcd", "abcdefgh"]).text("abcdefgh") == BLOT


def test_without_secrets_nothing_changes() -> None:
    value: Json = {"a": ["***", 1.5]}
    assert Redactor().value(value) is value
    assert Redactor([""]).text("text") == "text"


class Told:
    """A source that says what it was told to, and notes what it was asked."""

    def __init__(self, place: str, values: dict[str, str], *, blocking: bool = False) -> None:
        self.blocking = blocking
        self.values = values
        self.asked: list[tuple[str, bool]] = []
        self._place = place

    def place(self, name: str) -> str:
        return f"{self._place} {name}"

    def find(self, name: str) -> str | None:
        in_main = threading.current_thread() is threading.main_thread()
        self.asked.append((name, in_main))
        if self.values.get(name) == "broken":
            raise NodeFailed(SECRET_UNREADABLE, f"{self._place} is broken")
        return self.values.get(name)


async def read(
    name: str,
    *,
    allowed: tuple[str, ...] | None = None,
    declared: tuple[str, ...] = ("TOKEN", "PIN", "EMPTY", "OTHER", "../x"),
    more: tuple[SecretSource, ...] = (),
) -> str:
    environment = {"FLOWRUNNER_SECRET_TOKEN": "s3cret", "FLOWRUNNER_SECRET_PIN": "123"}
    environment["FLOWRUNNER_SECRET_EMPTY"] = ""
    secrets = Secrets([EnvironmentSource(environment), *more], allowed=allowed)
    return (await secrets.read([name], declared=declared))[name]


async def test_a_secret_comes_from_its_variable() -> None:
    assert await read("TOKEN") == "s3cret"
    assert await read("TOKEN", allowed=("TOKEN",)) == "s3cret"


@pytest.mark.parametrize(
    ("name", "how", "error", "message"),
    [
        ("OTHER", {}, "SecretMissing", "FLOWRUNNER_SECRET_OTHER"),
        ("EMPTY", {}, "SecretMissing", "FLOWRUNNER_SECRET_EMPTY"),
        ("PIN", {}, "SecretRefused", "fewer than 4 characters"),
        ("TOKEN", {"allowed": ("OTHER",)}, "SecretRefused", "FLOWRUNNER_SECRETS_ALLOWED"),
        ("TOKEN", {"allowed": ()}, "SecretRefused", "FLOWRUNNER_SECRETS_ALLOWED"),
        ("TOKEN", {"declared": ()}, "SecretRefused", "add it to the list `secrets`"),
        ("../x", {}, "SecretRefused", "no secret can be called '../x'"),
    ],
)
async def test_a_secret_that_cannot_be_had_says_why_and_never_its_value(
    name: str, how: dict[str, Any], error: str, message: str
) -> None:
    with pytest.raises(NodeFailed) as caught:
        await read(name, **how)
    assert caught.value.error.name == error
    assert caught.value.error.permanent
    assert message in caught.value.message
    assert "s3cret" not in caught.value.message
    assert "123" not in caught.value.message


async def test_a_rotated_secret_is_read_anew() -> None:
    environment = {"FLOWRUNNER_SECRET_TOKEN": "first-one"}
    secrets = Secrets([EnvironmentSource(environment)])
    assert await secrets.read(["TOKEN"], declared=["TOKEN"]) == {"TOKEN": "first-one"}
    environment["FLOWRUNNER_SECRET_TOKEN"] = "second-one"
    assert await secrets.read(["TOKEN"], declared=["TOKEN"]) == {"TOKEN": "second-one"}


async def test_the_first_source_that_has_a_secret_gives_it() -> None:
    first, second = Told("box", {"OTHER": "of-first"}), Told("chest", {"OTHER": "of-second"})
    assert await read("OTHER", more=(first, second)) == "of-first"
    assert await read("TOKEN", more=(Told("box", {"TOKEN": "of-box"}),)) == "s3cret"
    assert second.asked == []


async def test_an_empty_value_is_none_and_the_next_source_is_asked() -> None:
    more = (Told("box", {"EMPTY": ""}), Told("chest", {"EMPTY": "of-chest"}))
    assert await read("EMPTY", more=more) == "of-chest"


async def test_a_source_that_cannot_be_read_is_not_passed_over() -> None:
    more = (Told("box", {"OTHER": "broken"}), Told("chest", {"OTHER": "outdated"}))
    with pytest.raises(NodeFailed, match="box is broken") as caught:
        await read("OTHER", more=more)
    assert caught.value.error.name == "SecretUnreadable"
    assert not caught.value.error.permanent


async def test_what_is_not_set_anywhere_names_all_places() -> None:
    with pytest.raises(NodeFailed) as caught:
        await read("OTHER", more=(Told("box", {}), Told("chest", {})))
    assert caught.value.message == (
        "the secret 'OTHER' is not set on this worker; looked for it in the environment variable "
        "FLOWRUNNER_SECRET_OTHER and in box OTHER and in chest OTHER"
    )


async def test_a_value_that_is_too_short_is_refused_wherever_it_comes_from() -> None:
    with pytest.raises(NodeFailed, match="the value in box OTHER has fewer than 4") as caught:
        await read("OTHER", more=(Told("box", {"OTHER": "x7y"}),))
    assert caught.value.error.name == "SecretRefused"
    assert "x7y" not in caught.value.message


@pytest.mark.parametrize(
    "how", [{"allowed": ("TOKEN",)}, {"declared": ()}], ids=["not allowed", "not declared"]
)
async def test_no_source_is_asked_for_what_may_not_be_had(how: dict[str, Any]) -> None:
    box = Told("box", {"OTHER": "of-box"})
    with pytest.raises(NodeFailed) as caught:
        await read("OTHER", more=(box,), **how)
    assert caught.value.error.name == "SecretRefused"
    assert box.asked == []


@pytest.mark.parametrize("blocking", [True, False])
async def test_a_source_that_may_take_a_while_keeps_nobody_waiting(blocking: bool) -> None:
    box = Told("box", {"OTHER": "of-box"}, blocking=blocking)
    await read("OTHER", more=(box,))
    assert box.asked == [("OTHER", not blocking)]
