"""Functions over lists."""

from __future__ import annotations

from functools import partial

from flowspec.expressions.budget import Budget
from flowspec.expressions.errors import ExpressionError, MissingValue
from flowspec.expressions.function import Function, function
from flowspec.expressions.paths import parse_path, read_path
from flowspec.expressions.values import Value, equal, identity, kind, text_of
from flowspec.values import Json

__all__ = ["LISTS"]

_lists = partial(function, "Lists")


@_lists(example='len("four")', result=4, cheap=True)
def len_(value: str | list[Json] | dict[str, Json]) -> int:
    """How many characters, items or keys there are."""
    return len(value)


@_lists(example="first([1, 2, 3])", result=1, cheap=True)
def first(list_: list[Json]) -> Value:
    """The first item; missing if there is none, see `default`."""
    if not list_:
        raise _empty("first")
    return list_[0]


@_lists(example="last([1, 2, 3])", result=3, cheap=True)
def last(list_: list[Json]) -> Value:
    """The last item; missing if there is none, see `default`."""
    if not list_:
        raise _empty("last")
    return list_[-1]


def _empty(name: str) -> MissingValue:
    return MissingValue(
        f"{name}()",
        lambda: f"{name}() of an empty list; give a default: default({name}(…), null)",
    )


@_lists(example='sort([{"n": 2}, {"n": 1}], "n")', result=[{"n": 1}, {"n": 2}])
def sort(budget: Budget, list_: list[Json], by: str | None = None) -> list[Json]:
    """The items in ascending order: numbers, or texts, or whatever stands at the path `by`."""
    budget.spend(len(list_))
    keys = [_at(item, by, index) for index, item in enumerate(list_)]
    kinds = {kind(key) for key in keys}
    if kinds not in ({"number"}, {"text"}, set()):
        raise ExpressionError(
            f"sort() compares numbers with numbers or texts with texts; "
            f"here are {' and '.join(sorted(kinds))}"
        )
    order = sorted(range(len(keys)), key=keys.__getitem__)  # type: ignore[arg-type]
    return [list_[index] for index in order]


@_lists(example="reverse([1, 2, 3])", result=[3, 2, 1])
def reverse(list_: list[Json]) -> list[Json]:
    """The items from last to first."""
    return list_[::-1]


@_lists(example="unique([1, 2, 1.0, 3])", result=[1, 2, 3])
def unique(budget: Budget, list_: list[Json], by: str | None = None) -> list[Json]:
    """Each item once, where it stands first; or once for each value at the path `by`."""
    kept: dict[tuple[object, ...], Json] = {}
    for index, item in enumerate(list_):
        kept.setdefault(identity(_at(item, by, index), budget), item)
    return list(kept.values())


@_lists(example="flatten([[1, 2], [3], 4])", result=[1, 2, 3, 4])
def flatten(budget: Budget, list_: list[Json]) -> list[Json]:
    """The items of the lists in a list, one level deep."""
    budget.items(sum(len(item) if isinstance(item, list) else 1 for item in list_))
    flat: list[Json] = []
    for item in list_:
        if isinstance(item, list):
            flat += item
        else:
            flat.append(_inline(item))
    return flat


def _inline(item: Json) -> Json:
    kind(item)
    return item


@_lists(example="chunk([1, 2, 3], 2)", result=[[1, 2], [3]])
def chunk(list_: list[Json], size: int) -> list[Json]:
    """The list cut into lists of `size` items; the last may be shorter."""
    if size < 1:
        raise ExpressionError("chunk() needs a size of at least 1")
    return [list_[start : start + size] for start in range(0, len(list_), size)]


@_lists(example="range(3)", result=[0, 1, 2])
def range_(budget: Budget, start: int, stop: int | None = None) -> list[Json]:
    """The whole numbers from `start` to before `stop`; with one argument, from 0 to before it."""
    numbers = range(start) if stop is None else range(start, stop)
    budget.items(max(0, numbers.stop - numbers.start))
    return list(numbers)


@_lists(example='zip(["a", "b"], [1, 2])', result=[["a", 1], ["b", 2]])
def zip_(budget: Budget, left: list[Json], right: list[Json]) -> list[Json]:
    """Pairs of the items of two lists of the same length."""
    if len(left) != len(right):
        raise ExpressionError(
            f"zip() needs lists of the same length; these have {len(left)} and {len(right)} items"
        )
    budget.items(2 * len(left))
    return [[one, other] for one, other in zip(left, right, strict=True)]


@_lists(
    example='group_by([{"t": "a", "n": 1}, {"t": "b", "n": 2}, {"t": "a", "n": 3}], "t")',
    result={"a": [{"t": "a", "n": 1}, {"t": "a", "n": 3}], "b": [{"t": "b", "n": 2}]},
)
def group_by(budget: Budget, list_: list[Json], by: str) -> dict[str, Json]:
    """An object with the items under the text at their path `by`, in order of appearance."""
    groups: dict[str, list[Json]] = {}
    for index, item in enumerate(list_):
        groups.setdefault(text_of(_at(item, by, index), budget), []).append(item)
    return dict(groups)


@_lists(example='index_of(["a", "b"], "b")', result=1)
def index_of(budget: Budget, list_: list[Json], item: Json) -> int | None:
    """The position of the first such item, counted from 0; null if there is none."""
    for index, candidate in enumerate(list_):
        if equal(candidate, item, budget):
            return index
    return None


@_lists(example="any([false, true])", result=True)
def any_(list_: list[Json]) -> bool:
    """Whether at least one of a list of booleans is true."""
    return any(_booleans("any", list_))


@_lists(example="all([false, true])", result=False)
def all_(list_: list[Json]) -> bool:
    """Whether every one of a list of booleans is true; so it is for an empty list."""
    return all(_booleans("all", list_))


def _booleans(name: str, items: list[Json]) -> list[Json]:
    for item in items:
        if kind(item) != "boolean":
            raise ExpressionError(
                f"{name}() needs a list of booleans, such as {name}([x.ok for x in items])"
            )
    return items


def _at(item: Value, by: str | None, index: int) -> Value:
    return item if by is None else read_path(item, parse_path(by), f"item {index}")


LISTS: tuple[Function, ...] = (
    len_,
    first,
    last,
    sort,
    reverse,
    unique,
    flatten,
    chunk,
    range_,
    zip_,
    group_by,
    index_of,
    any_,
    all_,
)
