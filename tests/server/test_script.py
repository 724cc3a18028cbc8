"""Scripts through the product: the flows of the documentation, and one that is cancelled."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from activities.script.script import SCRIPT_JS
from tests.project.markdown import ROOT, blocks
from tests.server.conftest import MakeProduct
from tests.server.support import Product, until

PAGE = ROOT / "docs" / "howto" / "scripts-and-commands.md"


def shown(name: str) -> str:
    [text] = [
        block.text
        for block in blocks("yaml")
        if block.page == PAGE and block.text.startswith(f"flow: {name}\n")
    ]
    return text


def test_the_scripts_of_the_documentation_run(product: Product) -> None:
    product.write_flow("shipping", shown("shipping"))
    ended = product.cli_json("run", "shipping", "--json")
    assert ended["output"] == {
        "value": [
            {"to": "DE", "kg": 5.5, "price": 4.9 + 1.2 * 6},
            {"to": "FR", "kg": 7, "price": 4.9 + 1.2 * 7},
        ],
        "logs": ["DE: 2 parcels", "FR: 1 parcels"],
    }, ended
    product.write_flow("totals", SCRIPT_JS.node_type.example)
    orders = '[{"customer": "a", "amount": 1}, {"customer": "a", "amount": 2}]'
    ended = product.cli_json("run", "totals", "--json", "--set", f"orders={orders}")
    assert ended["output"] == {"a": 3}, ended


LOOP = """\
flow: loop
nodes:
  forever: {type: script.js, execution: EXECUTION, params: {code: "for (;;);", time: 60s}}
output: ${nodes.forever.output}
"""


def children(pid: int) -> list[str]:
    return [state for state, parent, *_ in processes() if parent == str(pid) and state != "Z"]


def processes() -> Iterator[list[str]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            yield path.read_text().rpartition(")")[2].split()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("execution", ["local", "remote"])
def test_a_run_that_is_cancelled_kills_its_script(
    make_product: MakeProduct, execution: str
) -> None:
    product = make_product()
    worker = product.start_worker()
    product.write_flow("loop", LOOP.replace("EXECUTION", execution))
    run = f"script-{execution}"
    product.cli("start", "loop", "--id", run)
    until(lambda: bool(children(worker.pid)), what="the script's process")
    assert product.cli("cancel", run).returncode == 0
    until(lambda: not children(worker.pid), what="the end of the script's process")
