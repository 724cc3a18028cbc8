"""How texts are cut into passages."""

from __future__ import annotations

import itertools
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.rag.passages import passages_of

WORDS = " ".join(f"word{number}" for number in range(200))


def cut(text: str, size: int = 100, overlap: int = 0) -> list[str]:
    return [each.text for each in passages_of(text, size, overlap)]


def test_a_short_text_is_one_passage_without_the_space_around_it() -> None:
    [only] = passages_of("\n  one.\n", 100, 20)
    assert (only.text, only.start, only.end) == ("one.", 3, 7)


@pytest.mark.parametrize("text", ["", " \n\t ", " " * 1000])
def test_of_nothing_but_space_there_are_no_passages(text: str) -> None:
    assert cut(text) == []


@pytest.mark.parametrize(
    ("border", "begins"),
    [
        ("\n## Next\n", "## Next"),
        ("\n\n", "Then"),
        ("\r\n\r\n", "Then"),
        ("\n", "Then"),
        (". ", "Then"),
        ("。", "Then"),
        ("?” ", "Then"),
    ],
)
def test_a_passage_ends_where_the_text_does(border: str, begins: str) -> None:
    text = f"{'a b c ' * 12}end{border}Then{' d e f' * 20}"
    first, second, *_ = cut(text)
    assert first.rstrip("\n.。?”").endswith("end")
    assert second.startswith(begins)


def test_the_best_end_is_taken_of_several() -> None:
    text = f"{'a' * 60}. B b b.\n\nParagraph. More words here and {'c' * 80}"
    assert cut(text)[0].endswith("B b b.")


def test_a_word_is_cut_only_if_it_has_to_be() -> None:
    assert all(each.split()[-1] in WORDS.split() for each in cut(WORDS))
    assert [len(each) for each in cut("x" * 250)] == [100, 100, 50]


def test_passages_overlap_by_whole_sentences_or_words() -> None:
    first, second, *_ = passages_of(WORDS, 100, 25)
    shared = WORDS[second.start : first.end]
    assert 0 < len(shared) <= 25
    assert second.text.startswith("word")
    text = "One sentence here. " * 20
    assert all(each.startswith("One") for each in cut(text, 100, 25))


def test_nothing_of_one_section_is_repeated_in_the_next() -> None:
    text = f"# One\n{'a b c ' * 14}\n# Two\n{'d e f ' * 30}"
    assert cut(text, overlap=25)[1].startswith("# Two")


@given(
    st.text(st.sampled_from("ab. \n#!?\r,é\U0001f600"), max_size=2_000),
    st.integers(100, 300),
    st.integers(0, 25),
)
def test_every_passage_stands_where_it_says_and_nothing_but_space_is_left_out(
    text: str, size: int, overlap: int
) -> None:
    passages = [*passages_of(text, size, overlap)]
    assert all(text[each.start : each.end] == each.text for each in passages)
    assert all(0 < len(each.text) <= size for each in passages)
    covered = {place for each in passages for place in range(each.start, each.end)}
    assert "".join(c for place, c in enumerate(text) if place not in covered).strip() == ""
    for one, other in itertools.pairwise(passages):
        assert one.start < other.start
        assert one.end < other.end
        assert one.end - other.start <= overlap


@pytest.mark.parametrize("text", ["x", " ", "\n", ". ", "\n \n", '."', "#\n", "a "])
def test_a_long_text_takes_no_longer_than_its_length(text: str) -> None:
    began = process_time()
    sum(1 for _ in passages_of(text * (1_000_000 // len(text)), 1_200, 300))
    assert process_time() - began < 5
