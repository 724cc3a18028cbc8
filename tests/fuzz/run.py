"""The long run: `python -m tests.fuzz.run [--cases N] [WORD …]`.

Each test of tests/fuzz and tests/property that hypothesis feeds is fed by a fuzzer instead, which
looks which lines its bytes reach (Atheris, a libFuzzer for Python). The cases are shared out among
the tests whose names hold one of the words, or all. What was found before is gone on from; what
breaks a test is kept beside it, and run again first the next time.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".fuzz"
_LONGEST = 60
"""Seconds that one case may take."""
_INSTRUMENTED = ("flowspec", "activities", "claimcheck")


def targets() -> Iterator[str]:
    """`module:test` of every test that hypothesis feeds."""
    for folder in ("fuzz", "property"):
        for path in sorted((ROOT / "tests" / folder).glob("test_*.py")):
            text = path.read_text(encoding="utf-8")
            for name in re.findall(r"^@given\(.*?^def (test_\w+)", text, re.M | re.S):
                yield f"tests.{folder}.{path.stem}:{name}"


def fuzz(target: str, arguments: list[str]) -> None:
    """In a process of its own: libFuzzer ends it."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    module, _, name = target.partition(":")
    with atheris.instrument_imports(include=list(_INSTRUMENTED), enable_loader_override=False):
        test: Any = getattr(importlib.import_module(module), name)
    feed = test.hypothesis.fuzz_one_input

    def one(data: bytes) -> None:
        feed(data)

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def _run(target: str, cases: int) -> tuple[int, bool]:
    """How many cases were run, and whether all went well."""
    folder = KEPT / target.replace(":", ".")
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    options = [f"-runs={cases}", f"-timeout={_LONGEST}", "-max_len=4096", "-rss_limit_mb=2048"]
    command = [sys.executable, "-m", "tests.fuzz.run", "--target", target]
    done = subprocess.run(
        [*command, *options, f"-artifact_prefix={folder}/", "-print_final_stats=1", str(corpus)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    (folder / "log").write_text(done.stdout, encoding="utf-8")
    counted = re.search(r"stat::number_of_executed_units: (\d+)", done.stdout)
    return int(counted[1]) if counted else 0, done.returncode == 0


def main() -> None:
    if sys.argv[1:2] == ["--target"]:
        fuzz(sys.argv[2], sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("words", nargs="*")
    told = parser.parse_args()
    chosen = [each for each in targets() if not told.words or any(w in each for w in told.words)]
    total, broken = 0, 0
    for target in chosen:
        cases, went_well = _run(target, -(-told.cases // len(chosen)))
        total, broken = total + cases, broken + (not went_well)
        state = "" if went_well else f"  BROKEN: see {KEPT / target.replace(':', '.')}/log"
        print(f"{cases:>9,}  {target}{state}", flush=True)
    print(f"{total:>9,}  cases, {broken} tests broken")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
