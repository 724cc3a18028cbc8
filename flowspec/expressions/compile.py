"""From tree to closures: what is known before a run is decided here, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from flowspec.expressions.conditions import as_condition
from flowspec.expressions.errors import ExpressionError
from flowspec.expressions.frame import Frame, Run, placed
from flowspec.expressions.operators import ARITHMETIC, COMPARISONS, negate, slice_of
from flowspec.expressions.paths import item_of, missing_in_scope, read_path
from flowspec.expressions.special_forms import SPECIAL_FORMS
from flowspec.expressions.tree import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Comprehension,
    Junction,
    ListOf,
    Literal,
    Lookup,
    Loop,
    Node,
    Not,
    ObjectOf,
    Path,
    Sign,
    Slice,
)
from flowspec.expressions.values import Value, kind, with_article
from flowspec.values import Json

__all__ = ["compile_tree"]

_Made = TypeVar("_Made")
_Body: TypeAlias = Callable[[Frame, list[_Made]], None]


def compile_tree(node: Node) -> Run:
    return _COMPILERS[type(node)](node)


def _literal(node: Literal) -> Run:
    value = node.value
    return lambda _frame: value


def _path(node: Path) -> Run:
    if node.slot is not None:
        return _local_path(node, node.slot)
    keys, offset = node.whole, node.offset

    def run(frame: Frame) -> Value:
        value: Value = frame.scope  # type: ignore[assignment]
        try:
            for key in keys:
                value = value[key]  # type: ignore[index]
        except (LookupError, TypeError):
            raise missing_in_scope(frame.scope, keys, offset) from None
        return value

    return run


def _local_path(node: Path, slot: int) -> Run:
    keys, offset, name = node.keys, node.offset, node.root
    if not keys:
        return lambda frame: frame.slots[slot]

    def run(frame: Frame) -> Value:
        try:
            return read_path(frame.slots[slot], keys, name)
        except ExpressionError as error:
            raise placed(error, offset) from None

    return run


def _lookup(node: Lookup) -> Run:
    container, key = compile_tree(node.container), compile_tree(node.key)
    name, offset = node.name, node.offset

    def run(frame: Frame) -> Value:
        whole, part = container(frame), key(frame)
        try:
            return item_of(whole, part, name)
        except ExpressionError as error:
            raise placed(error, offset) from None

    return run


def _slice(node: Slice) -> Run:
    container, offset = compile_tree(node.container), node.offset
    start = _literal_null if node.start is None else compile_tree(node.start)
    stop = _literal_null if node.stop is None else compile_tree(node.stop)

    def run(frame: Frame) -> Value:
        whole = container(frame)
        try:
            return slice_of(whole, start(frame), stop(frame), frame.budget)
        except ExpressionError as error:
            raise placed(error, offset) from None

    return run


def _literal_null(_frame: Frame) -> Value:
    return None


def _list(node: ListOf) -> Run:
    runs = [compile_tree(item) for item in node.items]
    return lambda frame: [run(frame) for run in runs]  # type: ignore[misc]


def _object(node: ObjectOf) -> Run:
    runs = [(_object_key(key), compile_tree(value)) for key, value in node.entries]
    return lambda frame: {key(frame): value(frame) for key, value in runs}  # type: ignore[misc]


def _object_key(node: Node) -> Callable[[Frame], str]:
    run, offset = compile_tree(node), node.offset

    def key(frame: Frame) -> str:
        value = run(frame)
        if isinstance(value, str):
            return value
        raise ExpressionError(
            f"the keys of an object are texts, this is {with_article(kind(value))}; use str(…)",
            offset=offset,
        )

    return key


def _sign(node: Sign) -> Run:
    operand, negative, offset = compile_tree(node.operand), node.negative, node.offset

    def run(frame: Frame) -> Value:
        value = operand(frame)
        try:
            return negate(value, negative)
        except ExpressionError as error:
            raise placed(error, offset) from None

    return run


def _condition(node: Node) -> Callable[[Frame], bool]:
    run, offset = compile_tree(node), node.offset

    def test(frame: Frame) -> bool:
        value = run(frame)
        return value if value is True or value is False else as_condition(value, offset)

    return test


def _not(node: Not) -> Run:
    test = _condition(node.operand)
    return lambda frame: not test(frame)


def _arithmetic(node: Arithmetic) -> Run:
    left, right = compile_tree(node.left), compile_tree(node.right)
    operate, offset = ARITHMETIC[node.operator], node.offset

    def run(frame: Frame) -> Value:
        one, other = left(frame), right(frame)
        try:
            return operate(one, other, frame.budget)
        except ExpressionError as error:
            raise placed(error, offset) from None

    return run


def _comparison(node: Comparison) -> Run:
    first, offset = compile_tree(node.first), node.offset
    rest = [(COMPARISONS[operator], compile_tree(part)) for operator, part in node.rest]

    def run(frame: Frame) -> Value:
        left = first(frame)
        for compare, part in rest:
            right = part(frame)
            try:
                holds = compare(left, right, frame.budget)
            except ExpressionError as error:
                raise placed(error, offset) from None
            if not holds:
                return False
            left = right
        return True

    return run


def _junction(node: Junction) -> Run:
    tests = [_condition(part) for part in node.parts]
    every = node.every

    def run(frame: Frame) -> Value:
        for test in tests:
            if test(frame) is not every:
                return not every
        return every

    return run


def _choice(node: Choice) -> Run:
    test = _condition(node.test)
    then, otherwise = compile_tree(node.then), compile_tree(node.otherwise)
    return lambda frame: then(frame) if test(frame) else otherwise(frame)


def _call(node: Call) -> Run:
    if node.function.lazy:
        return SPECIAL_FORMS[node.function.name](node, compile_tree)
    runs = [compile_tree(argument) for argument in node.arguments]
    call, offset = node.function.call, node.offset

    def run(frame: Frame) -> Value:
        arguments = [run(frame) for run in runs]
        try:
            return call(frame.budget, arguments)
        except ExpressionError as error:
            raise placed(error, offset) from None

    return run


def _comprehension(node: Comprehension) -> Run:
    value = compile_tree(node.value)
    if node.key is None:
        fill = _rounds(node.loops, node.cost, value)
        return lambda frame: _filled(fill, frame)  # type: ignore[arg-type]
    key = _object_key(node.key)
    fill_pairs = _rounds(node.loops, node.cost, lambda frame: (key(frame), value(frame)))
    return lambda frame: dict(_filled(fill_pairs, frame))  # type: ignore[arg-type]


def _filled(fill: _Body[_Made], frame: Frame) -> list[_Made]:
    made: list[_Made] = []
    fill(frame, made)
    return made


def _rounds(loops: tuple[Loop, ...], cost: int, make: Callable[[Frame], _Made]) -> _Body[_Made]:
    """The loops from the inside out: the innermost adds what it makes."""

    def innermost(frame: Frame, made: list[_Made]) -> None:
        made.append(make(frame))

    body: _Body[_Made] = innermost
    for loop in reversed(loops):
        body = _loop(loop, cost, body)
    return body


def _loop(loop: Loop, cost: int, body: _Body[_Made]) -> _Body[_Made]:
    items, offset, slots = compile_tree(loop.items), loop.items.offset, loop.slots
    tests = [_condition(condition) for condition in loop.conditions]

    def run(frame: Frame, made: list[_Made]) -> None:
        for item in _items(items(frame), offset):
            frame.budget.spend(cost)
            if len(slots) == 1:
                frame.slots[slots[0]] = item
            else:
                _unpack(frame, slots, item, offset)
            for test in tests:
                if not test(frame):
                    break
            else:
                body(frame, made)

    return run


def _items(value: Value, offset: int) -> list[Json]:
    if isinstance(value, list):
        return value
    found = kind(value)
    advice = "; use keys(x), values(x) or items(x)" if found == "object" else ""
    raise ExpressionError(
        f"'for' goes over a list, this is {with_article(found)}{advice}", offset=offset
    )


def _unpack(frame: Frame, slots: tuple[int, ...], item: Value, offset: int) -> None:
    if not isinstance(item, list):
        found = with_article(kind(item))
        advice = "; of items(x) take e.key and e.value" if isinstance(item, dict) else ""
        raise ExpressionError(
            f"several names after 'for' need lists to take apart, this is {found}{advice}",
            offset=offset,
        )
    if len(item) != len(slots):
        raise ExpressionError(
            f"{len(slots)} names after 'for' meet a list of {len(item)} items", offset=offset
        )
    for slot, part in zip(slots, item, strict=True):
        frame.slots[slot] = part


_COMPILERS: dict[type, Callable[..., Run]] = {
    Literal: _literal,
    Path: _path,
    Lookup: _lookup,
    Slice: _slice,
    ListOf: _list,
    ObjectOf: _object,
    Sign: _sign,
    Not: _not,
    Arithmetic: _arithmetic,
    Comparison: _comparison,
    Junction: _junction,
    Choice: _choice,
    Call: _call,
    Comprehension: _comprehension,
}
