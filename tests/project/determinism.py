"""What would let code decide differently when it runs again, found in its syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

__all__ = ["imports", "outside", "set_names", "set_orders"]


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


# -- clocks, chance, the environment, the outside --------------------------------------------------

_MODULES = frozenset(
    {
        *("asyncio.subprocess", "ctypes", "getpass", "glob", "http", "importlib", "io", "locale"),
        *("logging", "multiprocessing", "os", "pathlib", "platform", "random", "secrets", "select"),
        *("selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys"),
        *("tempfile", "threading", "time", "urllib.request", "weakref", "gc"),
    }
)
_CALLS = frozenset(
    {
        *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
        *("uuid.uuid1", "uuid.uuid4", "uuid1", "uuid4"),
        *("open", "print", "input", "breakpoint"),
        *("hash", "eval", "exec", "__import__", "globals"),
        *("asyncio.wait", "asyncio.as_completed", "asyncio.to_thread", "asyncio.run"),
        *("asyncio.new_event_loop", "asyncio.get_event_loop", "asyncio.get_running_loop"),
        *("asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
        *("asyncio.open_connection", "asyncio.start_server"),
    }
)
"""By the end of their name, unless they are Temporal's own, which are in the history."""

_LOCAL_ZONE = {"fromtimestamp": 2, "astimezone": 1}
"""With fewer arguments these take the time zone of the machine."""


def outside(tree: ast.AST) -> Iterator[str]:
    """Wherever something is asked that another machine, or another day, answers differently."""
    yield from (f"import {name}" for name in imports(tree) if _is_outside(name))
    keys = {id(key) for node in ast.walk(tree) for key in _keys(node)}
    for node in ast.walk(tree):
        asks = isinstance(node, ast.Call) and (_asks(node) or _tells_id(node, keys))
        if isinstance(node, ast.expr) and (asks or ast.unparse(node) == "workflow.unsafe"):
            yield _at(node)


def _is_outside(module: str) -> bool:
    return module in _MODULES or module.partition(".")[0] in _MODULES


def _asks(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    if name.startswith("workflow."):
        return False
    if last in _LOCAL_ZONE:
        return len(call.args) + len(call.keywords) < _LOCAL_ZONE[last]
    return name in _CALLS or ".".join(name.split(".")[-2:]) in _CALLS


def _tells_id(call: ast.Call, keys: set[int]) -> bool:
    """An `id` may be looked up, within one call, and is nothing that could be told."""
    return ast.unparse(call.func) == "id" and id(call) not in keys


def _keys(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Subscript):
        return [node.slice]
    if isinstance(node, ast.Compare) and all(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
        return [node.left]
    return []


# -- the order of a set ----------------------------------------------------------------------------

_TAKES_ORDER = frozenset(
    {
        *("list", "tuple", "iter", "enumerate", "next", "fromkeys", "deque", "zip", "map"),
        *("filter", "reversed", "chain", "join", "extend", "repr", "str", "pairwise", "islice"),
    }
)
_HAS_NO_ORDER = frozenset({"sorted", "any", "all", "set", "frozenset", "min", "max"})
_MAKES_SET = ("union", "intersection", "difference", "symmetric_difference", "copy")

_ANNOTATIONS = ("set", "frozenset", "AbstractSet", "Set[", "MutableSet")

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def set_names(trees: Sequence[ast.AST]) -> frozenset[str]:
    """The public functions and fields, of all the modules, that are annotated as sets."""
    found = (name for tree in trees for name in _told_sets(tree))
    return frozenset(name for name in found if not name.startswith("_"))


def _told_sets(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, _Function) and node.returns and _says_set(node.returns):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            fields = (each for each in node.body if isinstance(each, ast.AnnAssign))
            yield from (ast.unparse(each.target) for each in fields if _says_set(each.annotation))
        elif isinstance(node, ast.AnnAssign) and _says_set(node.annotation):
            yield ast.unparse(node.target).partition("self.")[2]


def set_orders(tree: ast.AST, known: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every place where the order of a set would show; `known` as of `set_names`."""
    functions = [node for node in ast.walk(tree) if isinstance(node, _Function)]
    inner = {id(node) for each in functions for node in ast.walk(each)}
    module = [node for node in ast.walk(tree) if id(node) not in inner]
    shared = _assigned(module)
    told = known | {*_told_sets(tree)}
    for nodes in (module, *(list(ast.walk(each)) for each in functions)):
        names = shared | _assigned(nodes)
        harmless = {id(each) for node in nodes for each in _without_order(node)}
        for node in nodes:
            for taken in _taken_in_order(node) if id(node) not in harmless else []:
                if _is_set(taken, names, told):
                    yield _at(taken)


def _without_order(node: ast.AST) -> list[ast.expr]:
    is_free = isinstance(node, ast.Call) and ast.unparse(node.func) in _HAS_NO_ORDER
    return node.args if is_free and isinstance(node, ast.Call) else []


def _taken_in_order(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.For() | ast.AsyncFor():
            return [node.iter]
        case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
            return [each.iter for each in node.generators]
        case ast.Starred() | ast.YieldFrom() | ast.FormattedValue():
            return [node.value]
        case ast.Assign(targets=[ast.Tuple() | ast.List()]):
            return [node.value]
        case ast.Call(func=ast.Attribute(attr="pop", value=value), args=[]):
            return [value]
        case ast.Call() if ast.unparse(node.func).rpartition(".")[2] in _TAKES_ORDER:
            return node.args
    return []


def _is_set(node: ast.expr, names: frozenset[str], told: frozenset[str] = frozenset()) -> bool:
    """`names` are variables, `told` functions and fields."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Attribute(attr=attr, value=value)) if attr in _MAKES_SET:
            return _is_set(value, names, told)
        case ast.Call():
            return ast.unparse(node.func).rpartition(".")[2] in {"set", "frozenset"} | told
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.BitXor() | ast.Sub()):
            sides = (node.left, node.right)
            return any(_is_set(side, names, told) or _is_view(side) for side in sides)
        case ast.IfExp():
            return _is_set(node.body, names, told) or _is_set(node.orelse, names, told)
        case ast.Attribute():
            return node.attr in told or ast.unparse(node) in names
    return isinstance(node, ast.Name) and node.id in names


def _is_view(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".keys", ".items"))


def _assigned(nodes: Sequence[ast.AST]) -> frozenset[str]:
    found: list[str] = []
    for node in nodes:
        if isinstance(node, ast.AnnAssign) and _says_set(node.annotation):
            found.append(ast.unparse(node.target))
        elif isinstance(node, ast.arg) and node.annotation and _says_set(node.annotation):
            found.append(node.arg)
        elif isinstance(node, ast.Assign) and _is_set(node.value, frozenset()):
            found.extend(ast.unparse(target) for target in node.targets)
    return frozenset(found)


def _says_set(annotation: ast.expr) -> bool:
    return ast.unparse(annotation).startswith(_ANNOTATIONS)


def _at(node: ast.expr) -> str:
    return f"line {node.lineno}: {ast.unparse(node)}"
