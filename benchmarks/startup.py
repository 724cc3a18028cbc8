"""How long commands and a worker take until they are of use.

`python -m benchmarks.startup [TIMES]` starts a server of its own, then each of them in turns, and
prints medians: seconds, and seconds of the processor.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.server.support import Product, start_temporal

HELLO = 'flow: hello\nnodes:\n  say: {type: log, params: {message: "Hello"}}\n'


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as folder, start_temporal(Path(folder)) as server:
        product = Product(address=server.address, folder=Path(folder) / "product")
        product.write_flow("hello", HELLO)
        taken: dict[str, list[tuple[float, float]]] = {}
        for _ in range(times):
            for name, start in _started(product).items():
                taken.setdefault(name, []).append(_taken(start))
    for name, found in taken.items():
        seconds, cpu = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{name:<28} {seconds:5.2f} s {cpu:5.2f} s of the processor")


def _started(product: Product) -> dict[str, Callable[[], object]]:
    flow = str(product.flows_dir / "hello.yaml")
    commands = ("--help", f"validate {flow}", f"simulate {flow}", "list", "run hello --detach")
    started: dict[str, Callable[[], object]] = {
        f"flowrunner {command.replace(flow, 'FLOW')}": partial(_ended, product, command)
        for command in commands
    }
    return {**started, "worker.py, ready and stopped": lambda: product.start_worker().stop()}


def _ended(product: Product, line: str) -> None:
    done = product.cli(*line.split())
    if done.returncode != 0:
        raise SystemExit(f"flowrunner {line} ended with {done.returncode}:\n{done.stderr}")


def _taken(start: Callable[[], object]) -> tuple[float, float]:
    began, before = time.monotonic(), _cpu()
    start()
    return time.monotonic() - began, _cpu() - before


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
