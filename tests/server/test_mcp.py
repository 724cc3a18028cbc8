"""MCP through the product: documented flows on a real worker, and servers that it starts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.mcp.call import MCP_CALL
from activities.mcp.options import read_servers
from activities.mcp.tools import MCP_TOOLS
from tests.mcp_server import Serving, declared, serving
from tests.project.markdown import ROOT, blocks
from tests.server.conftest import MakeProduct
from tests.server.support import Product, until

PAGE = ROOT / "docs" / "howto" / "mcp.md"
EXAMPLE = "https://weather.example/mcp"


def documented(name: str) -> str:
    found = [block.text for block in blocks("yaml") if block.page == PAGE]
    return next(text for text in found if name in text)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path) as found:
        yield found


@pytest.fixture
def worked(make_product: MakeProduct, tmp_path: Path) -> Product:
    servers = tmp_path / "servers.yaml"
    servers.write_text(yaml.safe_dump({"own": declared(tmp_path / "events")}))
    product: Product = make_product(
        FLOWRUNNER_SECRET_WEATHER_TOKEN="t0ken-of-weather", FLOWRUNNER_MCP_SERVERS=str(servers)
    )
    product.start_worker()
    return product


async def run(product: Product, text: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
    name = yaml.safe_load(text)["flow"]
    product.write_flow(name, text)
    arguments = ("run", name, "--json", "--input", json.dumps(given or {}))
    ended = await asyncio.to_thread(product.cli_json, *arguments)
    assert isinstance(ended, dict)
    return ended


async def test_documented_flows_ask_a_server(worked: Product, server: Serving) -> None:
    page = await run(worked, documented("flow: forecasts"), {"url": server.url})
    assert page["output"] == ["Sun in Oslo", "Sun in Rome"], page
    text = MCP_CALL.node_type.example.replace(EXAMPLE, server.url)
    called = await run(worked, text, {"city": "Bergen"})
    assert called["output"] == "Sun in Bergen", called
    listed = await run(worked, MCP_TOOLS.node_type.example.replace(EXAMPLE, server.url))
    assert [tool["name"] for tool in listed["output"]] == ["forecast"], listed


async def test_a_declared_server_is_used_and_its_image_kept(worked: Product) -> None:
    flow = """\
flow: own
nodes:
  list: {type: mcp.tools, params: {server: own, allow: [show]}, next: show}
  show:
    type: mcp.call
    params: {server: own, allow: [show], tool: "${nodes.list.output.tools[0].name}"}
output: ${nodes.show.output.content[1].image}
"""
    ended = await run(worked, flow)
    assert str(ended["output"]).startswith("iVBOR"), ended


async def test_a_node_that_is_cancelled_ends_the_program(worked: Product, tmp_path: Path) -> None:
    flow = """\
flow: slow
nodes:
  wait: {type: mcp.call, params: {server: own, tool: wait, arguments: {steps: 10000}}}
"""
    worked.write_flow("slow", flow)
    run_id = f"slow-{worked.task_queue}"
    assert worked.cli("run", "slow", "--id", run_id, "--detach").returncode == 0
    events = tmp_path / "events"
    until(lambda: events.exists() and "tools/call" in events.read_text(), what="the call")
    assert worked.cli("cancel", run_id).returncode == 0
    until(lambda: "notifications/cancelled" in events.read_text(), what="the end of the tool")


def test_a_worker_says_what_is_wrong_with_its_servers(
    make_product: MakeProduct, tmp_path: Path
) -> None:
    servers = tmp_path / "servers.yaml"
    servers.write_text("own: {command: []}")
    product = make_product(FLOWRUNNER_MCP_SERVERS=str(servers))
    ended = product.cli("worker")
    assert ended.returncode == 2, ended
    assert "FLOWRUNNER_MCP_SERVERS: " in ended.stderr
    assert "own.command" in ended.stderr


def test_the_declaration_of_the_page_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "mcp.yaml"
    path.write_text(documented("tickets:\n"))
    assert read_servers(path)["tickets"].command[0] == "uvx"
