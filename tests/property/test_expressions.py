"""Whatever is written and whatever it meets: ordinary errors, the same result, inputs untouched."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from flowspec.expressions import (
    FUNCTIONS,
    ExpressionError,
    compile_condition,
    compile_expression,
    compile_template,
    evaluate_at,
    problems_in,
    scope_for,
)
from flowspec.expressions.values import Value
from flowspec.values import Json, NeedsWorker, Opaque

OPAQUE = Opaque()


class _Marked(Opaque):
    """An opaque value that a deep copy keeps."""

    def __deepcopy__(self, _memo: dict[int, object]) -> _Marked:
        return self


scalars: st.SearchStrategy[Json] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.text(alphabet=st.characters(categories=["Cs", "Ll"]), max_size=3),
    st.sampled_from(["2026-11-21T09:30:00Z", "a", "1", "true", "a.b", "(", "[", "%Y", "3d"]),
)
values: st.SearchStrategy[Json] = st.recursive(
    scalars | st.just(_Marked()),  # type: ignore[arg-type]
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from("abcd") | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
scopes = st.fixed_dictionaries({"a": values, "b": values, "c": values, "input": values})

_ATOMS = [
    "1",
    "0",
    "2.5",
    "-3",
    "'a'",
    "''",
    "true",
    "null",
    "a",
    "b",
    "c",
    "input",
    "x",
    "[]",
    "{}",
]
atoms = st.sampled_from(_ATOMS) | st.sampled_from(
    ["a.b", "a['c']", "b[0]", "b[-1]", "c[1:]", "input.a.b", "[1, 2, 3]", "{'a': 1, 'b': [2]}"]
)


def _call(name: str, arguments: list[str]) -> str:
    function = FUNCTIONS[name]
    least = sum(not parameter.optional for parameter in function.parameters)
    most = len(arguments) if function.variadic else len(function.parameters)
    count = max(least, min(len(arguments), most))
    return f"{name}({', '.join((arguments * 4)[:count])})"


_OPERATORS = ["+", "-", "*", "/", "//", "%", "==", "!=", "<", ">=", "in", "not in", "and", "or"]


def _extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(_OPERATORS)
    return st.one_of(
        st.builds(lambda one, o, two: f"({one} {o} {two})", inner, operators, inner),
        st.builds(lambda t, a, b: f"({a} if {t} else {b})", inner, inner, inner),
        st.builds(lambda v, many, t: f"[{v} for x in {many} if {t}]", inner, inner, inner),
        st.builds(lambda v, many: f"[{v} for x in {many}]", inner, inner),
        st.builds(lambda v, many: f"{{str(x): {v} for x in {many}}}", inner, inner),
        st.builds(lambda v: f"[{v}, {v}]", inner),
        st.builds(lambda v, k: f"({v})[{k}]", inner, inner),
        st.builds(lambda v, k: f"({v})[{k}:]", inner, inner),
        st.builds(lambda v: f"(not {v})", inner),
        st.builds(
            _call, st.sampled_from(sorted(FUNCTIONS)), st.lists(inner, min_size=1, max_size=3)
        ),
    )


sources = st.recursive(atoms, _extend, max_leaves=8)
_TOKENS = [*"()[]{},:.+-*/%<>=!&|?'\"\\$#@~^;` \n", "==", "and ", " or ", "not ", " in ", " if "]
_TOKENS += [
    " else ",
    " for ",
    "a",
    "x",
    "1",
    "0.5",
    "${",
    "}",
    "$${",
    "upper(",
    "lambda ",
    "ü",
    "\x00",
]
_TOKENS += ["\ud800", "default(", "has(", ".b", "[0]", "'s'", "is ", "f'", "1e999", "\u2028", "__"]
jumbles = st.lists(st.sampled_from(_TOKENS), max_size=25).map("".join)


def check_error(error: ExpressionError, source: str) -> None:
    assert error.offset is not None
    assert 0 <= error.offset <= len(source)
    assert "\n" not in str(error)


def outcome(source: str, scope: dict[str, Value]) -> tuple[str, object]:
    """What happens, in a form that two runs can be compared by."""
    try:
        return "value", compile_expression(source).evaluate(scope)
    except ExpressionError as error:
        check_error(error, source)
        return type(error).__name__, str(error)
    except NeedsWorker:
        return "needs worker", None


def is_json(value: object) -> bool:
    if isinstance(value, list):
        return all(map(is_json, value))
    if isinstance(value, dict):
        return all(type(key) is str and is_json(item) for key, item in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or type(value) in (str, int, bool) or isinstance(value, Opaque)


@given(sources, scopes)
@settings(max_examples=600, deadline=None)
def test_evaluation_is_json_deterministic_and_leaves_its_inputs(
    source: str, scope: dict[str, Value]
) -> None:
    before = copy.deepcopy(scope)
    first = outcome(source, scope)
    assert is_json(first[1])
    assert repr(scope) == repr(before)
    compile_expression.cache_clear()
    assert repr(outcome(source, before)) == repr(first)


@given(st.text(max_size=40) | jumbles)
@settings(max_examples=600, deadline=None)
def test_any_text_gives_a_value_or_an_ordinary_error(text: str) -> None:
    outcome(text, {"a": {"b": [1]}, "x": "s"})
    for compile_ in (compile_condition, compile_template):
        try:
            compile_(text).evaluate({"a": {"b": [1]}})
        except ExpressionError as error:
            check_error(error, text)


@given(st.text(max_size=40) | jumbles)
def test_problems_are_found_exactly_when_compiling_fails(text: str) -> None:
    try:
        compile_template({"k": [text]})
    except ExpressionError:
        assert problems_in({"k": [text]})
    else:
        assert not problems_in({"k": [text]})


@given(sources, scopes)
@settings(max_examples=300, deadline=None)
def test_scope_for_the_references_is_enough(source: str, scope: dict[str, Value]) -> None:
    try:
        expression = compile_expression(source)
    except ExpressionError:
        return
    kind, found = outcome(source, scope)
    least_kind, least = outcome(source, scope_for(expression.references, scope))
    assert (least_kind, repr(least)) == (kind, repr(found))


@given(sources)
@settings(max_examples=300, deadline=None)
def test_guarded_references_are_never_missed(source: str) -> None:
    """If every read is provided for, a scope without anything raises no MissingValue for one."""
    try:
        expression = compile_expression(source)
    except ExpressionError:
        return
    if all(reference.guarded for reference in expression.references):
        kind, message = outcome(source, {})
        assert kind != "MissingValue" or "here (found: none)" not in str(message)


@given(st.lists(st.sampled_from(["${a}", "${b.x}", "${s.t}", "x ${a}", "$${a}", "plain"])), values)
def test_partial_then_late_evaluation_equals_whole_evaluation(texts: list[str], a: Json) -> None:
    template = compile_template({"k": list(texts)})
    whole_scope: dict[str, Value] = {"a": a, "b": {"x": 1}, "s": {"t": "late"}}
    early_scope: dict[str, Value] = {"a": a, "b": OPAQUE}
    try:
        whole = template.evaluate(whole_scope)
    except (ExpressionError, NeedsWorker):
        return
    value, standing = template.evaluate_partially(early_scope, frozenset({"s"}))
    assert evaluate_at(value, standing, whole_scope) == whole


_TEXTS = ["2026-11-21T09:30:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31", "5200w", "-1d", "%Y%m"]
_TEXTS += [
    "a",
    "",
    "a.b.0",
    "(a)(b)?",
    "[a-z]+|",
    "x*",
    "\\\\1",
    "day",
    "week",
    "+23:59",
    "-12:00",
    "md5",
]
_TEXTS += ["[]", "a[?b > `1`].c", "sum(@)", "sort_by(@, &a)", "eyI=", "%ff", "1e400", "true", "ß ǅ"]
_BY_TYPE: dict[type, st.SearchStrategy[Json]] = {
    type(None): st.none(),
    bool: st.booleans(),
    int: st.integers(-(2**64), 2**64) | st.integers(-3, 20),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.sampled_from(_TEXTS) | st.text(max_size=6),
    list: st.lists(scalars, max_size=5) | st.lists(st.integers() | st.floats(-1e308, 1e308)),
    dict: st.dictionaries(st.text(max_size=2), scalars, max_size=3),
}


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Value]]:
    """A function and arguments of the kinds it takes."""
    function = FUNCTIONS[draw(st.sampled_from(sorted(FUNCTIONS)))]
    optional = sum(parameter.optional for parameter in function.parameters)
    left_out = draw(st.integers(0, optional))
    scope: dict[str, Value] = {}
    for index, parameter in enumerate(function.parameters[: -left_out or None]):
        kinds = [_BY_TYPE[kind] for kind in parameter.types] if parameter.types else [values]
        scope[f"p{index}"] = draw(st.one_of(kinds))
    return f"{function.name}({', '.join(scope)})", scope


@given(calls())
@settings(max_examples=1_000, deadline=None)
def test_functions_take_whatever_their_parameters_allow(
    call: tuple[str, dict[str, Value]],
) -> None:
    source, scope = call
    before = repr(scope)
    first = outcome(source, scope)
    assert is_json(first[1])
    assert repr(scope) == before
    assert repr(outcome(source, scope)) == repr(first)


def is_unicode(value: Json) -> bool:
    try:
        return bool(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


@given(values.filter(lambda value: "Marked" not in repr(value) and is_unicode(value)))
def test_literal_json_reads_as_itself(value: Json) -> None:
    text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    kind, result = outcome(text, {})
    if kind == "value":
        assert result == value
        assert json.dumps(result) == json.dumps(value)
    else:
        assert "64 bits" in str(result)


@dataclass(frozen=True)
class _Kept(Opaque):
    """Stands for a value kept elsewhere."""

    value: Json


def _loaded(value: object) -> object:
    match value:
        case _Kept():
            return value.value
        case list():
            return [_loaded(item) for item in value]
        case dict():
            return {key: _loaded(item) for key, item in value.items()}
    return value


def _partly_kept(draw: st.DrawFn, value: Value) -> Value:
    if isinstance(value, Opaque) or draw(st.integers(0, 3)) == 0:
        return _Kept(None if isinstance(value, Opaque) else value)
    if isinstance(value, list):
        return [_partly_kept(draw, item) for item in value]  # type: ignore[misc]
    if isinstance(value, dict):
        return {key: _partly_kept(draw, item) for key, item in value.items()}  # type: ignore[misc]
    return value


_QUERIES = ["a", "a.b", "[]", "[].a", "[*].a", "a || b", "!a", "a == b", "[?a].b", "not_null(a, b)"]
_QUERIES += ["length(@)", "sort(@)", "values(@)", "[a, b]", "{x: a}", "a[]", "*.a", "map(&a, @)"]
_pairs = st.fixed_dictionaries({"a": values, "b": values})
queries: st.SearchStrategy[tuple[str, dict[str, Value]]] = st.builds(
    lambda query, value: (f"jmes({query!r}, a)", {"a": value}),
    st.sampled_from(_QUERIES),
    _pairs | st.lists(_pairs | values, max_size=3),
)


@st.composite
def partly_kept(draw: st.DrawFn) -> tuple[str, dict[str, Value]]:
    """An expression, and a scope any parts of whose values are kept elsewhere."""
    source, scope = draw(st.tuples(sources, scopes) | calls() | queries)
    return source, {name: _partly_kept(draw, value) for name, value in scope.items()}


@given(partly_kept())
@settings(max_examples=1_500, deadline=None)
def test_what_is_kept_elsewhere_gives_the_same_or_needs_the_worker(
    drawn: tuple[str, dict[str, Value]],
) -> None:
    source, scope = drawn
    kind, found = outcome(source, scope)
    if kind != "needs worker":
        loaded = cast("dict[str, Value]", _loaded(scope))
        assert repr((kind, _loaded(found))) == repr(outcome(source, loaded))
