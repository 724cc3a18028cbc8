"""`rag.*` on real workers: the examples of the reference and of the page, two workers on a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.rag.rag import NODE_TYPES
from examples.llm_service import Model, Says
from tests.project.markdown import ROOT, blocks
from tests.server.conftest import MakeProduct
from tests.server.support import HttpService, Product

PAGE = ROOT / "docs" / "howto" / "documents-and-questions.md"
EXAMPLES = {one.node_type.name: one.node_type.example for one in NODE_TYPES}
SHOWN = {
    block.text.partition("\n")[0].removeprefix("flow: "): block.text
    for block in blocks("yaml")
    if block.page == PAGE and block.text.startswith("flow:")
}


@pytest.fixture
def product(make_product: MakeProduct, tmp_path: Path) -> Product:
    """Two workers, which open their store at the same time."""
    (tmp_path / "pages").mkdir()
    made = make_product(
        FLOWRUNNER_VECTORS=f"sqlite://{tmp_path}/kept/vectors.db",
        FLOWRUNNER_STORE_SHARED="knowledge,handbook",
        FLOWRUNNER_FILES_DIRS=str(tmp_path / "pages"),
        FLOWRUNNER_SECRET_OPENAI_KEY="sk-openai",
    )
    for _ in range(2):
        made.start_worker()
    return made


@pytest.fixture
def model(http_service: HttpService) -> Model:
    return Model(http_service, key="sk-openai")


def output(product: Product, service: HttpService, flow: str, given: Any = None) -> Any:
    """What comes of a flow that asks at the service instead of where it is said to."""
    document = yaml.safe_load(flow)
    _ask_at(document["nodes"], f"{service.url}/v1")
    product.write_flow(document["flow"], yaml.safe_dump(document, sort_keys=False))
    words = ("run", document["flow"], "--json", "--input", json.dumps(given or {}))
    ended = product.cli_json(*words)
    assert ended["status"] == "completed", ended
    return ended["output"]


def _ask_at(nodes: dict[str, Any], url: str) -> None:
    for node in nodes.values():
        _ask_at(node.get("nodes", {}), url)
        params = node.get("params", {})
        if node["type"] == "llm.chat":
            params["base_url"] = url
        if "embedding" in params:
            params["embedding"]["base_url"] = url


NOTES = {
    "cats.md": ("Cats sleep most of the day.", 2018),
    "dogs.md": ("Dogs bark at the postman.", 2025),
    "taxes.md": ("Income taxes are due in April.", 2026),
}


@pytest.mark.usefixtures("model")
def test_every_example_does_what_it_says(product: Product, http_service: HttpService) -> None:
    def run(node_type: str, given: Any = None) -> Any:
        return output(product, http_service, EXAMPLES[node_type], given)

    for unchanged, paths in enumerate(([*NOTES], ["cats.md"])):
        for path in paths:
            text, year = NOTES[path]
            done = run("rag.index", {"path": path, "text": text, "year": year})
            assert done == {"documents": 1, "unchanged": unchanged, "chunks": 1 - unchanged}
    found = run("rag.search", {"question": "When are my taxes due?"})
    assert found[0] == "taxes.md"
    assert run("rag.delete") == 1
    assert sorted(run("rag.search", {"question": "Cats?"})) == ["dogs.md", "taxes.md"]


def test_the_flows_of_the_page_take_in_and_answer(
    product: Product, http_service: HttpService, model: Model, tmp_path: Path
) -> None:
    for name, (text, _) in NOTES.items():
        (tmp_path / "pages" / name).write_text(f"# {name}\n\n{text}\n")
    for number in range(6):
        (tmp_path / "pages" / f"blank{number}.md").write_text(f"Page {number} is left blank.\n")
    (tmp_path / "pages" / "broken.md").write_bytes(b"\xff\0")
    taken = [output(product, http_service, SHOWN["take-in"]) for _ in range(2)]
    assert taken == [{"documents": 9, "unchanged": 0}, {"documents": 9, "unchanged": 9}]

    said = {"answered": True, "answer": "In April.", "passages": [1, 70]}
    model.says(Says(text=json.dumps(said)))
    asked = {"question": "When are my income taxes due?"}
    answer = output(product, http_service, SHOWN["ask"], asked)
    assert answer["answer"] == "In April."
    [source] = answer["sources"]
    text = (tmp_path / "pages" / "taxes.md").read_text()
    assert text[source["start"] : source["end"]].endswith(NOTES["taxes.md"][0])
    prompt = model.questions[-1]["messages"][-1]["content"]
    assert prompt.startswith("[1] taxes.md\n")

    before = len(model.questions)
    unknown = output(product, http_service, SHOWN["ask"], {"question": "Xylophones?"})
    assert unknown == {"answer": None, "sources": []}
    assert len(model.questions) == before + 1, "no more than its vector was asked for"
