"""The books of locks and rates."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given as given_by
from hypothesis import strategies as st

from flowspec.sharing import (
    GRACE,
    Claimant,
    LockBook,
    RateBook,
    lock_id,
    rate_id,
    read_claimant,
    read_reservation,
    wrong_name,
)


def claimant(token: str, **more: Any) -> Claimant:
    return Claimant(token=token, workflow_id=f"w-{token}", run_id="r", **more)


def asked(*claimants: Claimant) -> LockBook:
    book = LockBook()
    for each in claimants:
        assert book.ask(each) is None
    return book


def let_in(book: LockBook, now: float = 0.0) -> list[str]:
    return [each.token for each in book.let_in(now)]


def test_first_come_first_served() -> None:
    book = asked(claimant("a"), claimant("b"), claimant("c"))
    assert let_in(book) == ["a"]
    assert let_in(book) == []
    book.leave("b")
    book.leave("a")
    assert let_in(book) == ["c"]
    book.leave("c")
    assert book.is_idle


def test_asking_and_leaving_twice_changes_nothing() -> None:
    book = asked(claimant("a"), claimant("b"))
    let_in(book)
    assert book.ask(claimant("b")) is None
    again = book.ask(claimant("a"))
    assert again is not None
    assert again.token == "a"
    assert list(book.line) == ["b"]
    book.leave("a")
    book.leave("a")
    assert let_in(book) == ["b"]


def test_each_is_let_in_by_the_slots_it_asked_for_and_nobody_overtakes() -> None:
    book = asked(claimant("a", slots=2), claimant("b", slots=1), claimant("c", slots=2))
    assert let_in(book) == ["a"]
    book.leave("b")
    assert let_in(book) == ["c"]


def test_who_holds_it_too_long_loses_it_after_a_grace() -> None:
    book = asked(claimant("a", expires=10.0), claimant("b"))
    (entered,) = book.let_in(100.0)
    assert entered.until == 110.0
    assert book.next_expiry == 110.0 + GRACE
    assert book.expel(110.0 + GRACE - 1) == []
    assert book.expel(110.0 + GRACE) == ["a"]
    assert let_in(book) == ["b"]
    assert book.next_expiry is None


def test_books_are_the_same_after_json() -> None:
    book = asked(claimant("a", expires=10.0), claimant("b", slots=3))
    book.let_in(5.0)
    assert LockBook.load(json.loads(json.dumps(book.dump()))) == book
    rate = RateBook()
    rate.reserve(5.0, count=3, limit=2, per=1.0)
    assert RateBook.load(json.loads(json.dumps(rate.dump()))) == rate


@given_by(
    st.lists(st.tuples(st.sampled_from([0.0, 0.25, 1.0, 4.0]), st.integers(1, 9)), max_size=20),
    st.integers(1, 4),
)
def test_no_window_ever_holds_more_starts_than_the_limit_and_nobody_overtakes(
    asks: list[tuple[float, int]], limit: int
) -> None:
    book, now, per = RateBook(), 1_900_000_000.0, 1.0
    given: list[float] = []
    for pause, count in asks:
        now += pause
        moments = book.reserve(now, count=count, limit=limit, per=per)
        assert len(moments) == count
        assert moments[0] >= now
        for moment in moments:
            given.append(moment)
            assert sum(moment - per < other for other in given) <= limit
    assert given == sorted(given)


def test_an_idle_rate_lets_start_at_once() -> None:
    book = RateBook()
    assert book.reserve(10.0, count=3, limit=2, per=1.0) == [10.0, 10.0, 11.0]
    assert book.reserve(10.2, count=1, limit=2, per=1.0) == [11.0]
    assert book.reserve(10.2, count=1, limit=2, per=1.0) == [12.0]
    assert book.ends == 13.0
    assert book.reserve(99.0, count=2, limit=2, per=1.0) == [99.0, 99.0]
    assert len(book.starts) == 2


@pytest.mark.parametrize("name", ["", "  ", 5, None, ["a"], "ä" * 101])
def test_a_name_has_to_be_short_text(name: Any) -> None:
    assert wrong_name(name) is not None


def test_a_name_may_be_any_short_text_and_is_no_other_name() -> None:
    assert wrong_name("ä" * 100) is None
    assert lock_id("a/b c%2F") == "flowrunner-lock/a%2Fb%20c%252F"
    assert rate_id("a") == "flowrunner-rate/a"


ASKED: dict[str, Any] = {"token": "r/a", "workflow_id": "w", "run_id": "r", "slots": 2}


def test_who_asks_is_read_as_it_is_told() -> None:
    read = read_claimant({**ASKED, "expires": None})
    assert read == Claimant(token="r/a", workflow_id="w", run_id="r", slots=2)


@pytest.mark.parametrize(
    "told",
    [
        *("text", None, [], {}),
        *({**ASKED, "token": token} for token in (None, 5, ["a"], "")),
        *({**ASKED, "slots": slots} for slots in (0, -1, 1.5, "2", True, None)),
        *({**ASKED, "expires": expires} for expires in (0, -1, "1", True, 1e300, math.nan)),
    ],
)
def test_nobody_in_particular_is_no_claimant(told: Any) -> None:
    assert read_claimant(told) is None


WANTED: dict[str, Any] = {"count": 3, "limit": 2, "per": 1}


def test_a_reservation_is_read_as_it_is_told() -> None:
    assert read_reservation(WANTED) == WANTED


@pytest.mark.parametrize(
    "told",
    [
        *("text", None, [], {}),
        *({**WANTED, "count": count} for count in (0, -1, 10**9, 1.5, "2", True)),
        *({**WANTED, "limit": limit} for limit in (0, None, 2.5)),
        *({**WANTED, "per": per} for per in (0, -1, "1", 1e300, math.inf, math.nan)),
    ],
)
def test_a_reservation_that_makes_no_sense_is_told_why(told: Any) -> None:
    assert isinstance(read_reservation(told), str)
