"""Claims and the way they are read: what anybody may have written is either one of ours or refused,
and where claims are only handed on nothing is refused before one is redeemed."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest

from claimcheck.claim import Claim
from claimcheck.errors import ClaimInvalid
from claimcheck.pointers import part_of, places, replaced_at

SHA = "0123456789abcdef" * 4
KEY = f"v1/default/order-17/{SHA}"
GOOD = {"claim": 1, "key": KEY, "size": 5}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


REFUSED: dict[str, object] = {
    "nothing": None,
    "a text": "claim",
    "a list": [GOOD],
    "a number": 1,
    "an empty object": {},
    "no version": without("claim"),
    "no key": without("key"),
    "no size": without("size"),
    "an unknown version": {**GOOD, "claim": 2},
    "a version that is true": {**GOOD, "claim": True},
    "a version that is no whole number": {**GOOD, "claim": 1.0},
    "a version of many digits": {**GOOD, "claim": 10**4000},
    "a version that is a text": {**GOOD, "claim": "1"},
    "an unknown field": {**GOOD, "url": "https://example.com"},
    "a size below nothing": {**GOOD, "size": -1},
    "a size that is true": {**GOOD, "size": True},
    "a size that is a text": {**GOOD, "size": "5"},
    "a size no store has": {**GOOD, "size": 2**53},
    "a size of many digits": {**GOOD, "size": 10**4000},
    "a key that is a list": {**GOOD, "key": [KEY]},
    "a path for a key": {**GOOD, "key": "/etc/passwd"},
    "a way out for a key": {**GOOD, "key": f"v1/default/../../etc/{SHA}"},
    "a dot for a workflow": {**GOOD, "key": f"v1/default/./{SHA}"},
    "a URL for a key": {**GOOD, "key": f"https://example.com/v1/default/order-17/{SHA}"},
    "a bucket before the key": {**GOOD, "key": f"bucket/{KEY}"},
    "a key with a line end": {**GOOD, "key": f"{KEY}\n"},
    "a key with a zero byte": {**GOOD, "key": f"v1/default/a\0b/{SHA}"},
    "a hash that is none": {**GOOD, "key": f"v1/default/order-17/{'x' * 64}"},
    "a hash in capitals": {**GOOD, "key": f"v1/default/order-17/{SHA.upper()}"},
    "a hash cut off": {**GOOD, "key": KEY[:-1]},
    "another version of keys": {**GOOD, "key": f"v2/default/order-17/{SHA}"},
    "the key of a note": {**GOOD, "key": f"v1/default/order-17/held-by/order-18/{SHA}"},
    "a very long key": {**GOOD, "key": f"v1/default/{'a' * 121}/{SHA}"},
    "metadata that are no texts": {**GOOD, "metadata": {"encoding": 1}},
    "metadata that are a list": {**GOOD, "metadata": []},
    "too much metadata": {**GOOD, "metadata": {str(n): "" for n in range(101)}},
    "a claim behind a claim": {**GOOD, "metadata": {"encoding": "json/claim"}},
    "encryption behind a claim": {**GOOD, "metadata": {"encoding": "binary/encrypted"}},
    "a way that is a text": {**GOOD, "at": "items"},
    "a way that is too long": {**GOOD, "at": [0] * 101},
    "a step backwards": {**GOOD, "at": [-1]},
    "a step that is true": {**GOOD, "at": [True]},
    "a step that is a fraction": {**GOOD, "at": [1.5]},
    "a step that is nothing": {**GOOD, "at": [None]},
    "a step into an object of steps": {**GOOD, "at": [{"a": 1}]},
    "a range of three": {**GOOD, "at": [[0, 1, 2]]},
    "a range that begins before the beginning": {**GOOD, "at": [[-1, 1]]},
    "a range of texts": {**GOOD, "at": [["a", "b"]]},
    "a flaw": {"flaw": "it was never one"},
    "a flaw of a claim that is good": {**GOOD, "flaw": "not any more"},
}


@pytest.mark.parametrize("written", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_claim_of_ours_is_refused(written: object) -> None:
    with pytest.raises(ClaimInvalid) as refused:
        Claim.from_json(written)
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("written", REFUSED.values(), ids=REFUSED.keys())
def test_where_claims_are_handed_on_a_bad_one_says_later_what_is_wrong(written: object) -> None:
    read = Claim.read(written)
    assert read.flaw
    assert read.as_json() == {"flaw": read.flaw}
    assert Claim.read(read.as_json()) == read


def test_a_step_may_be_a_name_a_position_or_a_range() -> None:
    claim = Claim.from_json({**GOOD, "at": ["items", 3, [10, 20], "a/b", ""]})
    assert claim.at == ("items", 3, (10, 20), "a/b", "")
    assert claim.as_json()["at"] == ["items", 3, [10, 20], "a/b", ""]


def test_an_absurd_position_is_read_and_leads_nowhere() -> None:
    claim = Claim.from_json({**GOOD, "at": [10**100]})
    with pytest.raises(ClaimInvalid, match="does not have"):
        part_of([1], claim.at)


def test_a_claim_for_a_part_leads_on_from_where_the_claim_has_led() -> None:
    claim = Claim(key=KEY, size=5, at=("items",))
    assert claim.inside(3, "name") == Claim(key=KEY, size=5, at=("items", 3, "name"))


class Special(Claim):
    __slots__ = ()


@pytest.mark.parametrize(
    "claim",
    [
        Special(key=KEY, size=5, metadata={"encoding": "text/plain"}, at=("a", (0, 2))),
        Claim(key="", size=0, flaw="none"),
    ],
    ids=repr,
)
def test_copies_of_a_claim_are_equal_to_it_and_of_its_kind(claim: Claim) -> None:
    @dataclasses.dataclass
    class Holder:
        inner: Claim

    for again in (
        copy.copy(claim),
        copy.deepcopy(claim),
        pickle.loads(pickle.dumps(claim)),
        dataclasses.asdict(Holder(claim))["inner"],
    ):
        assert again == claim
        assert hash(again) == hash(claim)
        assert type(again) is type(claim)


def test_claims_are_equal_if_they_stand_for_the_same_and_never_change() -> None:
    claim = Claim(key=KEY, size=5)
    assert len({claim, Claim(key=KEY, size=5), Special(key=KEY, size=5)}) == 1
    assert claim not in (Claim(key=KEY, size=6), claim.inside("a"), KEY, GOOD)
    with pytest.raises(AttributeError):
        claim.size = 6


def test_flawed_claims_are_equal_by_their_flaw_alone_and_hash_so() -> None:
    flawed = Claim(key="", size=0, flaw="none")
    assert flawed == flawed.inside("a")
    assert hash(flawed) == hash(flawed.inside("a"))


def test_a_flawed_claim_shows_its_flaw() -> None:
    assert repr(Claim.read(None)) == "Claim(flawed: what stands for a claim is none)"


# -- places in JSON values -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pointer", "changed"),
    [
        ("", "X"),
        ("/a", {"a": "X", "b/c": {"d~e": 1}, "": 2}),
        ("/a/1", {"a": [0, "X"], "b/c": {"d~e": 1}, "": 2}),
        ("/b~1c/d~0e", {"a": [0, 1], "b/c": {"d~e": "X"}, "": 2}),
        ("/", {"a": [0, 1], "b/c": {"d~e": 1}, "": "X"}),
    ],
)
def test_a_pointer_leads_to_its_place(pointer: str, changed: object) -> None:
    value = {"a": [0, 1], "b/c": {"d~e": 1}, "": 2}
    assert replaced_at(value, pointer, lambda _: "X") == changed


@pytest.mark.parametrize(
    "pointer",
    ["a", "a/1", " /a", "/x", "/a/2", "/a/-1", "/a/-", "/a/1/0", "/a/x", "/a/99999999999", "/a/١"],
)
def test_a_pointer_that_leads_nowhere_changes_nothing(pointer: str) -> None:
    value = {"a": [0, 1]}
    assert replaced_at(value, pointer, lambda _: "X") == {"a": [0, 1]}


def test_every_place_is_found_by_a_pointer_that_leads_back_to_it() -> None:
    value = {"a": [0, {"b/c~d": "X"}], "": "X", "e": ("X",)}
    found = [pointer for pointer, _ in places(value, lambda entry: entry == "X")]
    assert found == ["/a/1/b~1c~0d", "/", "/e/0"]


VALUE = {"items": [{"name": "é", "tags": ["a", "b", "c"]}], "text": "abcdef"}


@pytest.mark.parametrize(
    ("steps", "part"),
    [
        ((), VALUE),
        (("items", 0, "tags", (1, 3)), ["b", "c"]),
        (("items", 0, "tags", (1, 99)), ["b", "c"]),
        (("items", 0, "tags", (2, 1)), []),
        (("text", (1, 3)), "bc"),
    ],
)
def test_the_steps_of_a_claim_lead_to_a_part(steps: tuple[Any, ...], part: object) -> None:
    assert part_of(VALUE, steps) == part


@pytest.mark.parametrize(
    "steps",
    [("x",), (0,), ("items", "0"), ("items", 1), ("items", 10**100), ("text", 0), ((0, 1),),
     ("items", 0, "tags", 0, "deeper"), ("text", "upper"), ("items", "__class__")],
)  # fmt: skip
def test_steps_that_a_value_does_not_have_are_refused(steps: tuple[Any, ...]) -> None:
    with pytest.raises(ClaimInvalid):
        part_of(VALUE, steps)


def test_where_the_way_leads_through_a_claim_the_part_is_one_of_that_claim() -> None:
    inner = Claim(key=KEY, size=5, at=("a",))
    assert part_of({"in": [inner]}, ("in", 0, "b", (1, 2))) == inner.inside("b", (1, 2))


def test_what_a_claim_writes_is_plain_json() -> None:
    claim = Claim(key=KEY, size=5, at=("a", (1, 2)), metadata={"encoding": "text/plain"})
    assert Claim.from_json(json.loads(json.dumps(claim.as_json()))) == claim
