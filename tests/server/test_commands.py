"""Programs through the product: the flows of the documentation, and runs that are cancelled."""

from __future__ import annotations

import sys
from hashlib import sha256

import pytest

from activities.shell.container import CONTAINER
from activities.shell.shell import SHELL
from tests.containers import IMAGE, make_engine
from tests.project.markdown import ROOT, blocks
from tests.server.conftest import MakeProduct
from tests.server.support import until
from tests.shell import processes

PAGE = ROOT / "docs" / "howto" / "scripts-and-commands.md"


def shown(name: str) -> str:
    [text] = [
        block.text
        for block in blocks("yaml")
        if block.page == PAGE and block.text.startswith(f"flow: {name}\n")
    ]
    return text


def test_the_programs_of_the_documentation_run(make_product: MakeProduct) -> None:
    product = make_product(FLOWRUNNER_SHELL_ALLOW="sort, gzip")
    product.start_worker()
    product.write_flow("packed-list", shown("packed-list"))
    ended = product.cli_json("run", "packed-list", "--json")
    assert ended["output"] == {"file": "names.txt.gz", "names": "Ada\nZoe\n"}, ended
    product.write_flow("sorted", SHELL.node_type.example)
    ended = product.cli_json("run", "sorted", "--json", "--set", "lines=b\na\n")
    assert ended["output"] == "a\nb\n", ended


def test_a_worker_that_lists_nothing_runs_nothing(make_product: MakeProduct) -> None:
    product = make_product()
    product.start_worker()
    for name, setting in (
        ("packed-list", "FLOWRUNNER_SHELL_ALLOW"),
        ("mean", "FLOWRUNNER_CONTAINER_ALLOW"),
    ):
        product.write_flow(name, shown(name))
        ended = product.cli_json("run", name, "--json")
        assert ended["error"]["type"] == "NotEnabled"
        assert setting in ended["error"]["message"]


LONG = """\
flow: long
nodes:
  it:
    type: shell
    params: {command: [sh, -c, "sleep 600 & setsid sleep 600 & wait"], env: {MARK: MARK-LONG}}
output: ${nodes.it.output.code}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("ending", ["cancel", "kill"])
def test_no_program_outlives_its_run_or_its_worker(make_product: MakeProduct, ending: str) -> None:
    product = make_product(FLOWRUNNER_SHELL_ALLOW="sh")
    worker = product.start_worker()
    mark = f"mark-{worker.pid}-"
    product.write_flow("long", LONG.replace("MARK-LONG", mark))
    product.cli("start", "long", "--id", mark)
    until(lambda: len(processes(f"MARK={mark}")) == 3, what="the programs")
    if ending == "kill":
        worker.kill()
    else:
        product.cli("cancel", mark)
    until(lambda: not processes(f"MARK={mark}"), what="the end of the programs")


def test_the_container_of_the_documentation_runs(
    make_product: MakeProduct, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With an image that is here, and what it can compute."""
    engine = make_engine(tmp_path_factory.mktemp("engine"))
    product = make_product(
        FLOWRUNNER_CONTAINER_ALLOW="localhost/*", FLOWRUNNER_CONTAINER_ENGINE=str(engine)
    )
    product.start_worker()
    flow = shown("mean").replace("docker.io/library/python:3.13-slim", IMAGE)
    start = flow.index("command:")
    flow = flow[:start] + "command: [wc, -c]" + flow[flow.index("\n", start) :]
    product.write_flow("mean", flow)
    ended = product.cli_json("run", "mean", "--json")
    assert ended["output"] == len("[3,4,8]"), ended
    example = CONTAINER.node_type.example.replace("docker.io/library/busybox:1.37", IMAGE)
    product.write_flow("checksum", example)
    ended = product.cli_json("run", "checksum", "--json", "--set", "file=abc")
    assert ended["output"] == sha256(b"abc").hexdigest(), ended
