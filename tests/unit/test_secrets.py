"""Secrets: where they come from, who may have them, and that they never come out again."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.errors import NodeFailed
from activities.redaction import BLOT, Redactor
from activities.secrets import EnvironmentSecrets
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


def read(name: str, **how: object) -> str:
    environment = {"FLOWRUNNER_SECRET_TOKEN": "s3cret", "FLOWRUNNER_SECRET_PIN": "123"}
    environment["FLOWRUNNER_SECRET_EMPTY"] = ""
    allowed = how.get("allowed")
    assert allowed is None or isinstance(allowed, tuple)
    source = EnvironmentSecrets(environment, allowed=allowed)
    declared = how.get("declared", ("TOKEN", "PIN", "EMPTY", "OTHER"))
    assert isinstance(declared, tuple)
    return source.read([name], declared=declared)[name]


def test_a_secret_comes_from_its_variable() -> None:
    assert read("TOKEN") == "s3cret"
    assert read("TOKEN", allowed=("TOKEN",)) == "s3cret"


@pytest.mark.parametrize(
    ("name", "how", "error", "message"),
    [
        ("OTHER", {}, "SecretMissing", "FLOWRUNNER_SECRET_OTHER"),
        ("EMPTY", {}, "SecretMissing", "FLOWRUNNER_SECRET_EMPTY"),
        ("PIN", {}, "SecretRefused", "fewer than 4 characters"),
        ("TOKEN", {"allowed": ("OTHER",)}, "SecretRefused", "FLOWRUNNER_SECRETS_ALLOWED"),
        ("TOKEN", {"allowed": ()}, "SecretRefused", "FLOWRUNNER_SECRETS_ALLOWED"),
        ("TOKEN", {"declared": ()}, "SecretRefused", "add it to the list `secrets`"),
    ],
)
def test_a_secret_that_cannot_be_had_says_why_and_never_its_value(
    name: str, how: dict[str, object], error: str, message: str
) -> None:
    with pytest.raises(NodeFailed) as caught:
        read(name, **how)
    assert caught.value.error.name == error
    assert caught.value.error.permanent
    assert message in caught.value.message
    assert "s3cret" not in caught.value.message
    assert "123" not in caught.value.message


def test_a_rotated_secret_is_read_anew() -> None:
    environment = {"FLOWRUNNER_SECRET_TOKEN": "first-one"}
    source = EnvironmentSecrets(environment)
    assert source.read(["TOKEN"], declared=["TOKEN"]) == {"TOKEN": "first-one"}
    environment["FLOWRUNNER_SECRET_TOKEN"] = "second-one"
    assert source.read(["TOKEN"], declared=["TOKEN"]) == {"TOKEN": "second-one"}
