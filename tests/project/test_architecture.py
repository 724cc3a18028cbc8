"""The arrows between the packages, and the bans that keep the pure parts pure."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PURE = sorted((ROOT / "flowspec").rglob("*.py"))
DETERMINISTIC = [*PURE, *sorted((ROOT / "workflows").rglob("*.py"))]
IN_WORKFLOW = [
    path
    for path in DETERMINISTIC
    if path.is_relative_to(ROOT / "workflows")
    or path.is_relative_to(ROOT / "flowspec" / "machine")
    or path.name == "scheduler.py"
]

ALLOWED_IN_FLOWSPEC = frozenset(
    {
        "__future__",
        "abc",
        "ast",
        "base64",
        "bisect",
        "binascii",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
        "enum",
        "functools",
        "graphlib",
        "hashlib",
        "heapq",
        "inspect",
        "itertools",
        "json",
        "keyword",
        "math",
        "operator",
        "re",
        "string",
        "textwrap",
        "types",
        "typing",
        "unicodedata",
        "urllib.parse",
        "uuid",
        "warnings",
        "zoneinfo",
        "flowspec",
        "jmespath",
        "jsonschema_rs",
        "pydantic",
        "pydantic_core",
        "re2",
        "typing_extensions",
        "yaml",
    }
)

FORBIDDEN_CALLS = frozenset(
    {
        "datetime.now",
        "datetime.datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "time.time",
        "time.monotonic",
        "time.sleep",
        "asyncio.wait",
        "asyncio.as_completed",
        "uuid.uuid1",
        "uuid.uuid4",
        "uuid1",
        "uuid4",
        "os.getenv",
        "open",
        "print",
        "input",
        "hash",
        "eval",
        "exec",
        "__import__",
    }
)

KEEPS_ORDER = ("list", "tuple", "iter", "enumerate", "next", "dict.fromkeys", "deque", "zip", "map")


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_flowspec_imports_only_what_is_known_to_be_pure() -> None:
    strangers = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in PURE
        for name in _imported(_tree(path))
        if name not in ALLOWED_IN_FLOWSPEC and name.partition(".")[0] not in ALLOWED_IN_FLOWSPEC
    }
    assert not strangers


def test_nothing_imports_the_worker_module() -> None:
    packages = ("flowspec", "workflows", "activities", "claimcheck", "vault", "service")
    importers = [
        str(path.relative_to(ROOT))
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
        if any(name.partition(".")[0] == "worker" for name in _imported(_tree(path)))
    ]
    assert not importers


@pytest.mark.parametrize("path", DETERMINISTIC, ids=lambda path: str(path.relative_to(ROOT)))
def test_pure_code_reads_no_clock_chance_environment_or_file(path: Path) -> None:
    called = {name for name in _calls(_tree(path)) if name in FORBIDDEN_CALLS}
    read = {name for name in _attributes(_tree(path)) if name in ("os.environ", "sys.argv")}
    assert not called | read


@pytest.mark.parametrize("path", IN_WORKFLOW, ids=lambda path: str(path.relative_to(ROOT)))
def test_workflow_code_iterates_no_set(path: Path) -> None:
    assert not list(_set_iterations(_tree(path)))


def test_the_set_ban_sees_what_it_bans() -> None:
    bad = """
known: set[str] = {"a"}
for a in {1, 2}: pass
for b in known: pass
c = [x for x in set(y)]
d = list(known)
e = tuple(known | other)
f = [*known]
"""
    good = """
known: set[str] = {"a"}
for a in sorted(known): pass
b = "a" in known
c = len(known)
"""
    assert len(list(_set_iterations(ast.parse(bad)))) == 6
    assert not list(_set_iterations(ast.parse(good)))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def _calls(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def _attributes(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def _set_iterations(tree: ast.Module) -> Iterator[str]:
    """Every place where the order of a set would show."""
    names = _names_of_sets(tree)
    for node in ast.walk(tree):
        for iterated in _iterated_by(node):
            if _is_set(iterated, names):
                yield f"line {iterated.lineno}: {ast.unparse(iterated)}"


def _iterated_by(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        return [node.iter]
    if isinstance(node, ast.Starred):
        return [node.value]
    ordering = (
        "list",
        "tuple",
        "iter",
        "enumerate",
        "next",
        "dict.fromkeys",
        "deque",
        "zip",
        "map",
    )
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ordering:
        return node.args
    return []


def _is_set(node: ast.expr, names: frozenset[str]) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("set", "frozenset")
    if isinstance(node, ast.BinOp):
        return _is_set(node.left, names) or _is_set(node.right, names)
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in names


def _names_of_sets(tree: ast.Module) -> frozenset[str]:
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and _says_set(node.annotation):
            found.append(ast.unparse(node.target))
        elif isinstance(node, ast.arg) and node.annotation and _says_set(node.annotation):
            found.append(node.arg)
        elif isinstance(node, ast.Assign) and _is_set(node.value, frozenset()):
            found.extend(ast.unparse(target) for target in node.targets)
    return frozenset([*found, *(f"self.{name}" for name in found)])


def _says_set(annotation: ast.expr) -> bool:
    text = ast.unparse(annotation)
    return text.startswith(("set", "frozenset", "AbstractSet", "Set["))
