"""The README and the tutorial, typed in from top to bottom."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project.markdown import ROOT
from tests.server.support import Product, TemporalServer, temporal_binary

STEP = re.compile(
    r"(?:[Ss]ave this as|write) `(?P<file>[\w.]+)`[^\n]*\n\n```yaml\n(?P<yaml>.*?)^```$"
    r"|^```sh\n(?P<sh>.*?)^```$"
    r"|^```python\n(?P<python>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LEFT_OUT = ("make ", "source ")


@pytest.fixture(scope="module")
def documented(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    """What `make dev` gives: a worker on the queue `flows` that serves the examples."""
    product = Product(
        address=temporal_server.address,
        folder=tmp_path_factory.mktemp("documented"),
        settings={"FLOWS_DIR": str(ROOT / "examples")},
        task_queue="flows",
    )
    try:
        product.start_worker()
        yield product
    finally:
        product.stop()


@dataclass(frozen=True)
class Typed:
    """A command as the reader types it, and how the page says it ends."""

    line: str
    exit_code: int


PAGES = ["README.md", "docs/tutorial.md", "docs/howto/start-flows.md"]


@pytest.mark.parametrize("page", PAGES)
async def test_what_the_page_says_works(page: str, documented: Product, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = 0
    for step in STEP.finditer((ROOT / page).read_text(encoding="utf-8")):
        if step["file"]:
            (tmp_path / step["file"]).write_text(step["yaml"], encoding="utf-8")
        elif step["python"]:
            await _run_python(step["python"], documented.address)
        else:
            for typed in _commands(step["sh"]):
                _type(typed, documented, tmp_path)
                done += 1
    assert done >= 4


def _commands(block: str) -> Iterator[Typed]:
    for line in block.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith(LEFT_OUT):
            said = re.search(r"# exit (\d+)$", line)
            yield Typed(line, int(said[1]) if said else 0)


def _type(typed: Typed, product: Product, folder: Path) -> None:
    env = product.environment()
    env["PATH"] = f"{temporal_binary().parent}{os.pathsep}{env['PATH']}"
    done = subprocess.run(
        ["sh", "-c", typed.line],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == typed.exit_code, f"{typed.line}\n{done.stdout}\n{done.stderr}"


async def _run_python(text: str, address: str) -> None:
    """The page's lines as they are, but for the address."""
    code = text.replace("localhost:7233", address)
    scope: dict[str, object] = {}
    exec(f"async def shown():\n{textwrap.indent(code, '    ')}\n    return result", scope)
    shown = scope["shown"]
    assert callable(shown)
    assert await shown() == "Hello, Ada!"
