"""Code that a run's history is read by again asks nothing that may be answered differently."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import grimp
import pytest

from tests.project.determinism import imports, outside, set_names, set_orders

ROOT = Path(__file__).parents[2]
PATHS = [path for name in ("flowspec", "workflows") for path in sorted((ROOT / name).rglob("*.py"))]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in PATHS}
SETS = set_names([*TREES.values()])

each_module = pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(ROOT)))


@each_module
def test_it_asks_no_clock_no_chance_no_environment_and_nothing_outside(path: Path) -> None:
    assert list(outside(TREES[path])) == []


@each_module
def test_it_takes_nothing_in_the_order_of_a_set(path: Path) -> None:
    assert list(set_orders(TREES[path], SETS)) == []


def test_what_it_imports_of_ours_is_looked_at_too() -> None:
    ours = ("flowspec", "workflows", "activities", "claimcheck", "vault", "service")
    graph = grimp.build_graph(*ours)
    begin = [name for name in graph.modules if name.partition(".")[0] in ("flowspec", "workflows")]
    reached = {each for name in begin for each in graph.find_upstream_modules(name)}
    looked_at = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in PATHS}
    assert {*begin} | reached == {name.removesuffix(".__init__") for name in looked_at}


def test_what_it_imports_of_others_is_known() -> None:
    """Each of them has been looked at: it is asked for nothing that is not in its arguments."""
    known = {
        *("jmespath", "jsonschema_rs", "pydantic", "pydantic_core", "re2", "temporalio"),
        *("typing_extensions", "yaml", "flowspec", "workflows"),
    }
    tops = {name.partition(".")[0] for tree in TREES.values() for name in imports(tree)}
    assert tops - sys.stdlib_module_names - known == set()


@pytest.mark.parametrize(
    "bad",
    [
        "import time",
        "from time import monotonic as now",
        "import random",
        "from os import environ",
        "import os.path",
        "from pathlib import Path",
        "import socket",
        "import sys",
        "import threading",
        "import importlib",
        "import urllib.request",
        "def late():\n    import secrets",
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "date.today()",
        "datetime.fromtimestamp(moment)",
        "moment.astimezone()",
        "uuid.uuid4()",
        "uuid4()",
        "open(name)",
        "print(name)",
        "hash(name)",
        "eval(text)",
        "__import__(name)",
        "asyncio.wait(tasks)",
        "asyncio.as_completed(tasks)",
        "asyncio.run(main())",
        "await asyncio.to_thread(work)",
        "asyncio.get_running_loop().time()",
        "asyncio.new_event_loop()",
        "await asyncio.create_subprocess_exec(name)",
        "await asyncio.open_connection(host, port)",
        "sorted(id(node) for node in nodes)",
        "name = f'{id(node)}'",
        "with workflow.unsafe.imports_passed_through(): pass",
    ],
)
def test_it_is_noticed_when_the_world_is_asked(bad: str) -> None:
    assert list(outside(ast.parse(bad))) != []


@pytest.mark.parametrize(
    "good",
    [
        "import asyncio, json, uuid",
        "from urllib.parse import quote",
        "datetime.fromtimestamp(moment, UTC)",
        "datetime.fromtimestamp(moment, tz=UTC)",
        "moment.astimezone(UTC)",
        "uuid.uuid5(space, name)",
        "workflow.uuid4()",
        "workflow.now()",
        "await workflow.sleep(1)",
        "asyncio.create_task(work())",
        "await asyncio.gather(*tasks)",
        "id(value) in known",
        "known[id(value)] = total",
        "time.replace(hour=0)",
    ],
)
def test_what_gives_the_same_every_time_may_be_asked(good: str) -> None:
    assert list(outside(ast.parse(good))) == []


_BEGIN = """
known: set[str] = {"a"}
class Node:
    kinds: frozenset[str]
def names() -> set[str]: return known
def walk(self, some: frozenset[str], many: list[str], node: Node):
    """


@pytest.mark.parametrize(
    "bad",
    [
        "for a in {1, 2}: pass",
        "for a in known: pass",
        "for a in some | {1}: pass",
        "for a in node.kinds: pass",
        "for a in names(): pass",
        "x = [a for a in set(many)]",
        "x = {a: 1 for a in known}",
        "x = (a for a in known)",
        "x = list(known)",
        "x = tuple(known | some)",
        "x = [*known]",
        "a, b = known",
        "x = known.pop()",
        "x = next(iter(known))",
        "x = dict.fromkeys(some)",
        "x = ', '.join(known)",
        "many.extend(known)",
        "x = f'{known}'",
        "x = str(known)",
        "x = list(enumerate(some.union(many)))",
        "x = list(a.keys() & b.keys())",
        "x = [a for a in (known if many else some)]",
        "yield from known",
        "local = {1, 2}; x = list(local)",
    ],
)
def test_it_is_noticed_when_a_set_is_taken_in_order(bad: str) -> None:
    assert list(set_orders(ast.parse(_BEGIN + bad))) != []


@pytest.mark.parametrize(
    "good",
    [
        "for a in sorted(known): pass",
        "x = 'a' in known",
        "x = len(known)",
        "x = known | some",
        "x = known - set(many)",
        "x = any(a in many for a in known)",
        "x = sorted(a.name for a in known)",
        "x = {a for a in known}",
        "x = list(a.keys())",
        "x = [*many]",
    ],
)
def test_a_set_may_be_used_where_its_order_does_not_show(good: str) -> None:
    assert list(set_orders(ast.parse(_BEGIN + good))) == []
