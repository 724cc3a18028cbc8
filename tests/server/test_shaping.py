"""The node types for data and files, in flows a worker performs: those that the pages show."""

from __future__ import annotations

import json
from pathlib import Path

from tests.project.markdown import ROOT, blocks
from tests.server.conftest import MakeProduct
from tests.server.support import Product


def _shown(page: str, name: str) -> str:
    [text] = [
        block.text
        for block in blocks("yaml")
        if block.page == ROOT / page and block.text.startswith(f"flow: {name}\n")
    ]
    return text


def test_data_is_read_checked_picked_and_written(product: Product) -> None:
    product.write_flow("dues", _shown("docs/howto/shape-data.md", "dues"))
    ended = product.cli_json("run", "dues", "--json")
    assert ended["output"]["page"] == "<p>Ada owes 12.5 €.</p>\n"
    assert ended["output"]["table"] == "name,due\nAda,12.5\n"
    assert ended["output"]["bytes"] > 200
    ended = product.cli_json("run", "dues", "--json", "--set", "table=name;due\nAda;much")
    assert ended["status"] == "failed"
    assert ended["error"]["type"] == "Invalid", ended


def test_a_judgement_is_an_action(product: Product) -> None:
    product.write_flow("sort-order", _shown("docs/howto/shape-data.md", "sort-order"))
    assert product.cli_json("run", "sort-order", "--json")["output"] == "invalid"
    fits = product.cli_json("run", "sort-order", "--json", "--set", 'order={"id": "A7"}')
    assert fits["output"] == "valid"


ROUND = """\
flow: round
input: {required: [size], properties: {size: {type: integer}}}
nodes:
  rows:
    type: transform
    params: {value: "${[{'n': i, 't': pad_left('', input.size, 'x')} for i in range(200)]}"}
    next: csv
  csv: {type: csv.write, params: {rows: "${nodes.rows.output.value}"}, next: lines}
  lines:
    type: json.write
    params: {value: "${nodes.rows.output.value}", lines: true}
    next: xml
  xml:
    type: xml.write
    params: {value: {rows: {row: "${nodes.rows.output.value}"}}}
    next: pack
  pack:
    type: archive.create
    params:
      format: tar.gz
      files:
        a.csv: ${nodes.csv.output.text}
        a.ndjson: ${nodes.lines.output.text}
        a.xml: ${nodes.xml.output.text}
    next: unpack
  unpack: {type: archive.extract, params: {content: "${nodes.pack.output.archive}"}, next: r1}
  r1:
    type: csv.read
    params: {content: "${nodes.unpack.output.files[0].content}", infer: true}
    next: r2
  r2:
    type: json.read
    params: {content: "${nodes.unpack.output.files[1].content}", lines: true}
    next: r3
  r3: {type: xml.read, params: {content: "${nodes.unpack.output.files[2].content}"}}
output:
  csv: ${nodes.r1.output.rows == nodes.rows.output.value}
  json: ${nodes.r2.output.value == nodes.rows.output.value}
  xml: ${len(nodes.r3.output.value.rows.row)}
"""


def test_large_values_go_through_every_format_and_come_back(product: Product) -> None:
    """Texts of 400 KB are in the store between the nodes."""
    product.write_flow("round", ROUND)
    ended = product.cli_json("run", "round", "--json", "--set", "size=2000")
    assert ended["output"] == {"csv": True, "json": True, "xml": 200}, ended


def test_files_of_a_folder_are_taken_in(make_product: MakeProduct, tmp_path: Path) -> None:
    product = make_product(FLOWRUNNER_FILES_DIRS=str(tmp_path))
    product.start_worker()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("n\n1\n2\n")
    (tmp_path / "in" / "b.csv").write_text("n\n3\n")
    product.write_flow("take-in", _shown("docs/howto/files.md", "take-in"))
    ended = product.cli_json("run", "take-in", "--json")
    assert ended["status"] == "completed", ended
    written = json.loads((tmp_path / "out" / "all.json").read_text())
    assert written == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_worker_without_folders_refuses(product: Product) -> None:
    product.write_flow("take-in", _shown("docs/howto/files.md", "take-in"))
    ended = product.cli_json("run", "take-in", "--json")
    assert ended["error"]["type"] == "FileRefused"
    assert "FLOWRUNNER_FILES_DIRS" in ended["error"]["message"]
