"""The README, the tutorial and what else is to be tried, typed in from top to bottom."""

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
from tests.server.support import Product, TemporalServer, free_port, temporal_binary, until

STEP = re.compile(
    r"(?:[Ss]ave this as|write) `(?P<file>[\w.]+)`[^\n]*\n\n```yaml\n(?P<yaml>.*?)^```$"
    r"|^```sh\n(?P<sh>.*?)^```$"
    r"|^```python\n(?P<python>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LEFT_OUT = ("make ", "source ")


@dataclass(frozen=True, kw_only=True)
class Documented:
    """What `make dev` gives, on ports and in folders of its own."""

    product: Product
    codec: str

    def here(self, text: str) -> str:
        """The page's lines as they are, but for where things are."""
        text = text.replace("localhost:7233", self.product.address)
        text = text.replace("127.0.0.1:8234", self.codec)
        return text.replace("/srv/flowrunner/blobs", str(self.product.blobs))


@pytest.fixture(scope="module")
def documented(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Documented]:
    """A worker on the queue `flows` that serves the examples, and a codec server."""
    product = Product(
        address=temporal_server.address,
        folder=tmp_path_factory.mktemp("documented"),
        settings={"FLOWS_DIR": str(ROOT / "examples")},
        task_queue="flows",
    )
    address = f"127.0.0.1:{free_port()}"
    codec = product.start_cli("codec-server", FLOWRUNNER_CODEC_ADDRESS=address)
    try:
        product.start_worker()
        until(lambda: "listens on" in codec.output(), what="the codec server")
        yield Documented(product=product, codec=address)
    finally:
        product.stop()
        codec.stop()


@dataclass(frozen=True)
class Typed:
    """A command as the reader types it, and how the page says it ends."""

    line: str
    exit_code: int


PAGES = {
    "README.md": 4,
    "docs/tutorial.md": 4,
    "docs/howto/start-flows.md": 4,
    "docs/howto/large-values.md": 7,
    "docs/howto/shape-data.md": 2,
    "docs/howto/encrypt-values.md": 1,
    "docs/howto/sweep-and-retention.md": 3,
    "docs/howto/schedules.md": 11,
}
"""How many commands there are at least to be typed."""


@pytest.mark.parametrize("page", PAGES)
async def test_what_the_page_says_works(page: str, documented: Documented, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = 0
    for step in STEP.finditer((ROOT / page).read_text(encoding="utf-8")):
        if step["file"]:
            (tmp_path / step["file"]).write_text(step["yaml"], encoding="utf-8")
        elif step["python"]:
            await _run_python(documented.here(step["python"]))
        else:
            for typed in _commands(documented.here(step["sh"])):
                _type(typed, documented.product, tmp_path)
                done += 1
    assert done >= PAGES[page]


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


async def _run_python(code: str) -> None:
    scope: dict[str, object] = {}
    exec(f"async def shown():\n{textwrap.indent(code, '    ')}\n    return result", scope)
    shown = scope["shown"]
    assert callable(shown)
    result = await shown()
    assert result == "Hello, Ada!" or len(result["data"]["rows"]) == 800
