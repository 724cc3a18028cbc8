"""The long run: `python -m tests.fuzz.run [--cases N] [--at-once N] [WORD …]`.

Each test of tests/fuzz, tests/property and tests/unit that hypothesis feeds is fed many more cases
than in a run of the tests. Most are drawn by hypothesis, as always; the others come from a fuzzer,
which looks which lines its bytes reach (Atheris, a libFuzzer for Python) and is much slower. The
cases are shared out among the tests whose names hold one of the words, or all. What breaks a test
is kept, and run again first the next time; what the fuzzer has reached is gone on from.
"""

from __future__ import annotations

import argparse
import ast
import faulthandler
import functools
import importlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".fuzz"
_GUIDED = 0.1
"""So much of the cases the fuzzer tries; hypothesis draws the others."""
_LONGEST = 60
"""Seconds that one case may take."""
_MOST_BYTES = 4096
_BEGINNINGS = 30
_INSTRUMENTED = ("flowspec", "activities", "claimcheck")


def targets() -> Iterator[str]:
    """`module:test` of every test that hypothesis feeds."""
    for folder in ("fuzz", "property", "unit"):
        for path in sorted((ROOT / "tests" / folder).glob("test_*.py")):
            for each in ast.parse(path.read_bytes()).body:
                if isinstance(each, ast.FunctionDef) and any(map(_is_given, each.decorator_list)):
                    yield f"tests.{folder}.{path.stem}:{each.name}"


def _is_given(decorator: ast.expr) -> bool:
    match decorator:
        case ast.Call(func=ast.Name(id="given")):
            return True
    return False


def fuzz(target: str, arguments: list[str]) -> None:
    """In a process of its own: libFuzzer ends it."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    with atheris.instrument_imports(include=list(_INSTRUMENTED), enable_loader_override=False):
        test = _test(target)
    feed, count = test.hypothesis.fuzz_one_input, _Count(target)

    def one(data: bytes) -> None:
        if feed(data) is not None:
            count.one_more()

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def draw(target: str, cases: int) -> None:
    """In a process of its own, which ends if a case takes too long."""
    test, count = _test(target), _Count(target)
    inner = test.hypothesis.inner_test

    @functools.wraps(inner)
    def counted(*args: Any, **named: Any) -> None:
        faulthandler.dump_traceback_later(_LONGEST, exit=True)
        inner(*args, **named)
        count.one_more()

    test.hypothesis.inner_test = counted
    # What @settings and the profile leave here; they offer no way to change it from outside.
    test._hypothesis_internal_use_settings = settings(
        test._hypothesis_internal_use_settings,
        max_examples=cases,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    test()
    count.write()


def _test(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


class _Count:
    """How many whole cases a test was fed, in a file: the process may end at any moment."""

    def __init__(self, target: str) -> None:
        self._file = _folder(target) / "whole"
        self._cases = 0

    def one_more(self) -> None:
        self._cases += 1
        if self._cases % 100 == 0:
            self.write()

    def write(self) -> None:
        self._file.write_text(str(self._cases), encoding="utf-8")


def _folder(target: str) -> Path:
    return KEPT / target.replace(":", ".")


def _corpus(folder: Path) -> Path:
    """Where to begin: with bytes that are enough for a case, for too few make none."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    chance = random.Random(0)
    for number in range(_BEGINNINGS):
        data = chance.randbytes(chance.choice([100, 1000, _MOST_BYTES]))
        (corpus / f"beginning-{number}").write_bytes(data)
    return corpus


def _run(target: str, cases: int) -> tuple[int, bool]:
    """How many whole cases were run, and whether all went well.

    Of some of the fuzzer's bytes no case can be made; they do not count.
    """
    folder = _folder(target)
    corpus = _corpus(folder)
    runs = round(cases * _GUIDED)
    options = [f"-runs={runs}", f"-timeout={_LONGEST}", f"-max_len={_MOST_BYTES}"]
    options += ["-len_control=0", "-rss_limit_mb=2048", f"-artifact_prefix={folder}/", str(corpus)]
    guided, guided_well = _told(target, "fuzz", options)
    drawn, drawn_well = _told(target, "draw", [str(cases - guided)])
    return guided + drawn, guided_well and drawn_well


def _told(target: str, way: str, arguments: list[str]) -> tuple[int, bool]:
    folder = _folder(target)
    (folder / "whole").write_text("0", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.run", f"--{way}", target, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    (folder / f"{way}.log").write_text(done.stdout, encoding="utf-8")
    return int((folder / "whole").read_text(encoding="utf-8")), done.returncode == 0


def main() -> None:
    match sys.argv[1:]:
        case ["--fuzz", target, *arguments]:
            return fuzz(target, arguments)
        case ["--draw", target, share]:
            return draw(target, int(share))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="default: cores")
    parser.add_argument("words", nargs="*")
    told = parser.parse_args()
    chosen = [each for each in targets() if not told.words or any(w in each for w in told.words)]
    share = -(-told.cases // max(1, len(chosen)))
    total, broken = 0, 0
    with ThreadPoolExecutor(max_workers=told.at_once) as pool:
        done = {pool.submit(_run, target, share): target for target in chosen}
        for each in as_completed(done):
            target, (cases, went_well) = done[each], each.result()
            total, broken = total + cases, broken + (not went_well)
            state = "" if went_well else f"  BROKEN: see {_folder(target)}/*.log"
            print(f"{cases:>9,}  {target}{state}", flush=True)
    print(f"{total:>9,}  cases, {broken} tests broken")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
