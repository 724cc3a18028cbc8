"""From text to tree: Python's parser reads, an allow-list decides, everything else is explained."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from flowspec.expressions.budget import MAX_DEPTH, MAX_INTEGER
from flowspec.expressions.conditions import check_condition
from flowspec.expressions.errors import ExpressionError, did_you_mean
from flowspec.expressions.functions import FUNCTIONS
from flowspec.expressions.references import CONTEXT_NAMES
from flowspec.expressions.scanning import Scan, scan
from flowspec.expressions.teaching import FUNCTION_ALIASES
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

__all__ = ["Parsed", "parse"]

_LITERALS = {"true": True, "false": False, "null": None}
_MAY_BE_HIDDEN = frozenset({"item", "index"})
_ARITHMETIC = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
}
_COMPARISONS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_REFUSED: dict[type[ast.AST], str] = {
    ast.Tuple: "write a list in brackets: [a, b]",
    ast.Set: "one pair of braces is enough: ${x}; a list is written [a, b]",
    ast.SetComp: "write [… for x in list], with unique(…) around it if need be",
    ast.GeneratorExp: "write a list in brackets: [… for x in list]",
    ast.Starred: "a * before a list does nothing here; join lists with +",
    ast.Slice: "from:to stands in brackets behind a list or a text",
}


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """`cost` is the number of parts, `slots` how many names its comprehensions give."""

    root: Node
    cost: int
    slots: int


def parse(source: str) -> Parsed:
    """Read one expression; raises ExpressionError for whatever it is not."""
    found = scan(source)
    if found.error is not None:
        raise found.error
    if not source.strip():
        raise ExpressionError("the expression is empty", offset=0)
    builder = _Builder(source, found)
    root = builder.build(_python_tree(source, found.masked), {})
    return Parsed(root=root, cost=builder.count, slots=builder.slots)


def _python_tree(source: str, masked: str) -> ast.expr:
    try:
        return ast.parse(f"({masked})", mode="eval").body
    except SyntaxError as error:
        raise _unreadable(source, masked, error) from error
    except (RecursionError, MemoryError, ValueError) as error:
        raise ExpressionError("the expression is nested too deep to be read", offset=0) from error


def _unreadable(source: str, masked: str, error: SyntaxError) -> ExpressionError:
    offset = min(max((error.offset or 1) - 2, 0), len(source))
    rest = source[offset:].split()
    if "forgot a comma" in error.msg:
        rest = source[offset : max((error.end_offset or 0) - 2, offset + 1)].split()
        return ExpressionError(
            f"an operator or a comma is missing in {' '.join(rest)[:60]!r}", offset=offset
        )
    if "expected 'else'" in error.msg:
        return ExpressionError("'if' needs an 'else': a if condition else b", offset=offset)
    if not rest or not masked[offset:].strip():
        end = len(source.rstrip())
        return ExpressionError("the expression ends too early: something is missing", offset=end)
    return ExpressionError(
        f"this cannot be read from {rest[0][:40]!r} on; is an operator or a comma missing?",
        offset=offset,
    )


class _Builder:
    """Turns Python's tree into ours. `names` maps the names that comprehensions gave to slots."""

    def __init__(self, source: str, scanned: Scan) -> None:
        self.source = source
        self.scanned = scanned
        self.count = 0
        self.slots = 0
        self.depth = 0

    def build(self, node: ast.expr, names: Mapping[str, int]) -> Node:
        build = getattr(self, "_" + type(node).__name__, None)
        if build is None:
            self.refuse(_REFUSED.get(type(node), "this is not part of the language"), node)
        self.count += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.refuse(f"more than {MAX_DEPTH} parts inside each other; use several nodes", node)
        built: Node = build(node, names)
        self.depth -= 1
        return built

    def refuse(self, message: str, node: ast.AST) -> NoReturn:
        raise ExpressionError(message, offset=self.start(node))

    def start(self, node: ast.AST) -> int:
        return max(getattr(node, "col_offset", 1) - 1, 0)

    def end(self, node: ast.AST) -> int:
        return (getattr(node, "end_col_offset", None) or 1) - 1

    def place(self, node: ast.AST) -> dict[str, int]:
        return {"offset": self.start(node), "length": self.end(node) - self.start(node)}

    def text(self, node: ast.AST) -> str:
        return self.source[self.start(node) : self.end(node)]

    def condition(self, node: ast.expr, names: Mapping[str, int]) -> Node:
        built = self.build(node, names)
        check_condition(built)
        return built

    def _Constant(self, node: ast.Constant, _names: Mapping[str, int]) -> Node:
        value = node.value
        if isinstance(value, str):
            value = self.scanned.texts[self.start(node)]
        elif isinstance(value, float) and value in (float("inf"), float("-inf")):
            self.refuse("this number is too large", node)
        elif isinstance(value, int) and value > MAX_INTEGER:
            self.refuse("this number is too large: whole numbers have 64 bits", node)
        assert isinstance(value, str | int | float)
        return Literal(**self.place(node), value=value)

    def _Name(self, node: ast.Name, names: Mapping[str, int]) -> Node:
        name = self.text(node)
        if name in _LITERALS:
            return Literal(**self.place(node), value=_LITERALS[name])
        return Path(**self.place(node), root=name, slot=names.get(name), keys=())

    def _Attribute(self, node: ast.Attribute, names: Mapping[str, int]) -> Node:
        return self._chain(node, names)

    def _Subscript(self, node: ast.Subscript, names: Mapping[str, int]) -> Node:
        return self._chain(node, names)

    def _chain(self, node: ast.expr, names: Mapping[str, int]) -> Node:
        """`a.b[c].d` from its left end, so that a long one needs no recursion."""
        steps: list[ast.Attribute | ast.Subscript] = []
        base = node
        while isinstance(base, ast.Attribute | ast.Subscript):
            steps.append(base)
            base = base.value
        built = self.build(base, names)
        lookups = 0
        for step in reversed(steps):
            built = self._step(built, step, names)
            lookups += not isinstance(built, Path)
            if self.depth + lookups > MAX_DEPTH:
                self.refuse(f"more than {MAX_DEPTH} computed steps in a row", step)
        return built

    def _step(
        self, container: Node, step: ast.Attribute | ast.Subscript, names: Mapping[str, int]
    ) -> Node:
        self.count += 1
        if isinstance(step, ast.Subscript) and isinstance(step.slice, ast.Slice):
            return self._slice(container, step, step.slice, names)
        if isinstance(step, ast.Attribute):
            end = self.end(step)
            key: Node = Literal(
                offset=end - len(step.attr),
                length=len(step.attr),
                value=self.source[end - len(step.attr) : end],
            )
        else:
            key = self.build(step.slice, names)
        constant = _constant_key(key)
        if isinstance(container, Path) and constant is not None:
            length = self.end(step) - container.offset
            keys = (*container.keys, constant)
            return Path(
                offset=container.offset,
                length=length,
                root=container.root,
                slot=container.slot,
                keys=keys,
            )
        name = self.text(step.value)
        return Lookup(**self.place(step), container=container, key=key, name=name)

    def _slice(
        self, container: Node, step: ast.Subscript, part: ast.Slice, names: Mapping[str, int]
    ) -> Node:
        if part.step is not None:
            self.refuse("a slice is [from:to]; to go backwards use reverse(list)", part.step)
        start = None if part.lower is None else self.build(part.lower, names)
        stop = None if part.upper is None else self.build(part.upper, names)
        return Slice(**self.place(step), container=container, start=start, stop=stop)

    def _List(self, node: ast.List, names: Mapping[str, int]) -> Node:
        return ListOf(**self.place(node), items=tuple(self.build(i, names) for i in node.elts))

    def _Dict(self, node: ast.Dict, names: Mapping[str, int]) -> Node:
        entries = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                self.refuse("a ** before an object does nothing here; use merge(a, b)", value)
            entries.append((self._key(key, names), self.build(value, names)))
        return ObjectOf(**self.place(node), entries=tuple(entries))

    def _key(self, node: ast.expr, names: Mapping[str, int]) -> Node:
        built = self.build(node, names)
        if isinstance(built, Literal) and not isinstance(built.value, str):
            self.refuse('the keys of an object are texts: {"key": value}', node)
        return built

    def _UnaryOp(self, node: ast.UnaryOp, names: Mapping[str, int]) -> Node:
        if isinstance(node.op, ast.Not):
            return Not(**self.place(node), operand=self.condition(node.operand, names))
        operand = self.build(node.operand, names)
        negative = isinstance(node.op, ast.USub)
        if isinstance(operand, Literal) and type(operand.value) in (int, float):
            value = -operand.value if negative else operand.value  # type: ignore[operator]
            return Literal(**self.place(node), value=value)
        return Sign(**self.place(node), operand=operand, negative=negative)

    def _BinOp(self, node: ast.BinOp, names: Mapping[str, int]) -> Node:
        left, right = self.build(node.left, names), self.build(node.right, names)
        return Arithmetic(
            **self.place(node), operator=_ARITHMETIC[type(node.op)], left=left, right=right
        )

    def _Compare(self, node: ast.Compare, names: Mapping[str, int]) -> Node:
        operators = [_COMPARISONS[type(operator)] for operator in node.ops]
        rest = [self.build(part, names) for part in node.comparators]
        return Comparison(
            **self.place(node),
            first=self.build(node.left, names),
            rest=tuple(zip(operators, rest, strict=True)),
        )

    def _BoolOp(self, node: ast.BoolOp, names: Mapping[str, int]) -> Node:
        parts = tuple(self.condition(part, names) for part in node.values)
        return Junction(**self.place(node), every=isinstance(node.op, ast.And), parts=parts)

    def _IfExp(self, node: ast.IfExp, names: Mapping[str, int]) -> Node:
        return Choice(
            **self.place(node),
            test=self.condition(node.test, names),
            then=self.build(node.body, names),
            otherwise=self.build(node.orelse, names),
        )

    def _Call(self, node: ast.Call, names: Mapping[str, int]) -> Node:
        function = FUNCTIONS.get(self._function_name(node))
        assert function is not None
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                self.refuse(_REFUSED[ast.Starred], argument)
        if node.keywords:
            message = f"arguments have no names here; write {function.signature}"
            self.refuse(message, node.keywords[0])
        arguments = tuple(self.build(argument, names) for argument in node.args)
        self._check_arguments(function.name, arguments, node)
        return Call(**self.place(node), function=function, arguments=arguments)

    def _function_name(self, node: ast.Call) -> str:
        if isinstance(node.func, ast.Attribute):
            self._refuse_method(node.func, node)
        if not isinstance(node.func, ast.Name):
            self.refuse("only functions can be called: name(…)", node)
        name = self.text(node.func)
        if name not in FUNCTIONS:
            advice = FUNCTION_ALIASES.get(name)
            hint = f"; {advice}" if advice else did_you_mean(name, FUNCTIONS)
            self.refuse(f"there is no function {name[:40]!r}{hint}", node.func)
        return name

    def _refuse_method(self, method: ast.Attribute, node: ast.Call) -> NoReturn:
        end = self.end(method)
        name = self.source[end - len(method.attr) : end]
        base = self.text(method.value)
        subject = base if len(base) <= 40 else "x"
        more = "".join(", " + self.text(argument) for argument in node.args)[:40]
        if name in FUNCTIONS:
            advice = f"write {name}({subject}{more})"
        else:
            advice = FUNCTION_ALIASES.get(name, "call a function instead: f(x)")
        raise ExpressionError(f"values have no methods; {advice}", offset=end - len(name))

    def _check_arguments(self, name: str, arguments: tuple[Node, ...], node: ast.Call) -> None:
        function = FUNCTIONS[name]
        try:
            function.check_count(len(arguments))
        except ExpressionError as error:
            self.refuse(error.message, node)
        if name == "has" and not isinstance(arguments[0], Path | Lookup):
            self.refuse("has() asks about a path, such as has(input.email)", node.args[0])
        for index, argument in enumerate(arguments):
            if isinstance(argument, Literal):
                try:
                    function.check_literal(index, argument.value)
                except ExpressionError as error:
                    self.refuse(error.message, node.args[index])

    def _ListComp(self, node: ast.ListComp, names: Mapping[str, int]) -> Node:
        return self._comprehension(node, None, node.elt, names)

    def _DictComp(self, node: ast.DictComp, names: Mapping[str, int]) -> Node:
        return self._comprehension(node, node.key, node.value, names)

    def _comprehension(
        self,
        node: ast.ListComp | ast.DictComp,
        key: ast.expr | None,
        value: ast.expr,
        names: Mapping[str, int],
    ) -> Node:
        before = self.count
        loops = []
        for generator in node.generators:
            items = self.build(generator.iter, names)
            slots = self._targets(generator.target)
            names = {**names, **slots}
            conditions = tuple(self.condition(test, names) for test in generator.ifs)
            loops.append(Loop(slots=tuple(slots.values()), items=items, conditions=conditions))
        built_key = None if key is None else self._key(key, names)
        built = self.build(value, names)
        cost = self.count - before
        return Comprehension(
            **self.place(node), key=built_key, value=built, loops=tuple(loops), cost=cost
        )

    def _targets(self, target: ast.expr) -> dict[str, int]:
        targets = [target]
        if isinstance(target, ast.Tuple | ast.List) and len(target.elts) > 1:
            targets = target.elts
        slots: dict[str, int] = {}
        for one in targets:
            name = self.text(one)
            if not isinstance(one, ast.Name) or name in _LITERALS:
                self.refuse("after 'for' stands a name, or several for the parts of a list", one)
            if name in slots or (name in CONTEXT_NAMES and name not in _MAY_BE_HIDDEN):
                self.refuse(f"{name!r} is taken; choose another name", one)
            slots[name] = self.slots
            self.slots += 1
        return slots


def _constant_key(key: Node) -> str | int | None:
    if isinstance(key, Literal) and type(key.value) in (str, int):
        assert isinstance(key.value, str | int)
        return key.value
    return None
