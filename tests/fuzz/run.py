"""The long run: `python -m tests.fuzz.run [--cases N] [--at-once N] [WORD …]`.

Each test of tests/fuzz and tests/property that hypothesis feeds is fed by a fuzzer instead, which
looks which lines its bytes reach (Atheris, a libFuzzer for Python). The cases are shared out among
the tests whose names hold one of the words, or all. What was found before is gone on from; what
breaks a test is kept beside it, and run again first the next time.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".fuzz"
_LONGEST = 60
"""Seconds that one case may take."""
_MOST_BYTES = 4096
_BEGINNINGS = 30
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
    folder, whole = _folder(target), 0

    def one(data: bytes) -> None:
        nonlocal whole
        whole += feed(data) is not None
        if whole % 100 == 0:
            (folder / "whole").write_text(str(whole), encoding="utf-8")

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


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

    Of some bytes no case can be made; they do not count.
    """
    folder = _folder(target)
    corpus = _corpus(folder)
    (folder / "whole").write_text("0", encoding="utf-8")
    options = [f"-runs={cases}", f"-timeout={_LONGEST}", f"-max_len={_MOST_BYTES}"]
    options += ["-len_control=0", "-rss_limit_mb=2048"]
    command = [sys.executable, "-m", "tests.fuzz.run", "--target", target]
    done = subprocess.run(
        [*command, *options, f"-artifact_prefix={folder}/", str(corpus)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    (folder / "log").write_text(done.stdout, encoding="utf-8")
    return int((folder / "whole").read_text(encoding="utf-8")), done.returncode == 0


def main() -> None:
    if sys.argv[1:2] == ["--target"]:
        fuzz(sys.argv[2], sys.argv[3:])
        return
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
            state = "" if went_well else f"  BROKEN: see {_folder(target)}/log"
            print(f"{cases:>9,}  {target}{state}", flush=True)
    print(f"{total:>9,}  cases, {broken} tests broken")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
