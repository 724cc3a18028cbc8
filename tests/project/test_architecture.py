"""The arrows between the packages, and the bans that keep the pure parts pure."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from tests.project.determinism import imports

ROOT = Path(__file__).parents[2]

PURE = sorted((ROOT / "flowspec").rglob("*.py"))

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
        for name in imports(_tree(path))
        if name not in ALLOWED_IN_FLOWSPEC and name.partition(".")[0] not in ALLOWED_IN_FLOWSPEC
    }
    assert not strangers


def test_nothing_imports_the_worker_module() -> None:
    packages = ("flowspec", "workflows", "activities", "claimcheck", "vault", "service")
    importers = [
        str(path.relative_to(ROOT))
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
        if any(name.partition(".")[0] == "worker" for name in imports(_tree(path)))
    ]
    assert not importers


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
