"""examples/handbook: files are taken in and asked about, on a worker that asks a model."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.handbook.systems import Reader
from tests.applications import EXAMPLES, documented_commands, documented_secrets, install
from tests.server.support import Product, TemporalServer

APPLICATION = EXAMPLES / "handbook"
HOLIDAY = "How many days of holiday are there in a year?"
PHONE = "What is the phone of Grace Hopper?"
PASSWORD = "How do I change my password?"


@pytest.fixture(scope="module")
def product(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    """Two workers that serve the application, of which each may have taken in what the other is
    asked about."""
    folder = tmp_path_factory.mktemp("handbook")
    (folder / "files").mkdir()
    made = Product(
        address=temporal_server.address,
        folder=folder,
        settings={
            **documented_secrets(APPLICATION),
            "FLOWRUNNER_FILES_DIRS": str(folder / "files"),
            "FLOWRUNNER_STORE_SHARED": "handbook",
            "FLOWRUNNER_VECTORS": f"sqlite://{folder}/vectors.db",
        },
    )
    try:
        for _ in range(2):
            made.start_worker()
        yield made
    finally:
        made.stop()


@pytest.fixture
def files(product: Product) -> Path:
    """The folder, as it is shipped."""
    folder = product.folder / "files"
    shutil.rmtree(folder)
    shutil.copytree(APPLICATION / "files", folder)
    return folder


@pytest.fixture
def reader(product: Product, files: Path, request: pytest.FixtureRequest) -> Iterator[Reader]:
    """A model, and a collection of this test's own."""
    del files
    with Reader() as model:
        changed = {
            "127.0.0.1:8099": model.url.removeprefix("http://"),
            "collection: pages": f"collection: {request.node.name[:60]}",
        }
        install(APPLICATION, product.flows_dir, changed)
        yield model


def taken_in(product: Product, *given: str) -> Any:
    ended = product.cli_json("run", "take-in", "--json", *given)
    assert ended["status"] == "completed", ended
    return ended["output"]


def asked(product: Product, question: str, *given: str) -> Any:
    ended = product.cli_json("run", "ask", "--json", "--set", f"question={question}", *given)
    assert ended["status"] == "completed", ended
    return ended["output"]


def test_answers_say_where_they_stand(product: Product, reader: Reader, files: Path) -> None:
    done = taken_in(product)
    assert (done["files"], done["unchanged"], done["refused"]) == (4, 0, [])
    assert done["passages"] == len(reader.texts) >= 5

    answer = asked(product, HOLIDAY)
    assert answer["status"] == "answered"
    assert "25 days of holiday a year" in answer["answer"]
    [source] = answer["sources"]
    assert source["title"] == "time-off.md"
    assert source["source"] == "https://intranet.firm.example/handbook/time-off.md"
    text = (files / "time-off.md").read_text()
    assert source["quote"] in text[source["start"] : source["end"]]

    row = asked(product, PHONE)
    assert [each["title"] for each in row["sources"]] == ["people.csv"]
    assert "Name: Grace Hopper" in row["sources"][0]["quote"]
    entry = asked(product, PASSWORD)
    assert [each["title"] for each in entry["sources"]] == ["help-desk.xml"]


def test_what_is_not_known_is_not_answered(product: Product, reader: Reader) -> None:
    taken_in(product)
    nothing: dict[str, Any] = {"answer": None, "sources": []}
    before = len(reader.prompts)
    assert asked(product, "Xylophones, zebras?") == {"status": "nothing found", **nothing}
    assert len(reader.prompts) == before, "no model was asked to answer"
    near = "Who is the head of marketing?"
    assert asked(product, near) == {"status": "not answered", **nothing}
    assert len(reader.prompts) == before + 1
    elsewhere = asked(product, HOLIDAY, "--set", 'only=["expenses.txt"]')
    assert elsewhere["answer"] is None
    reader.makes_up = True
    assert asked(product, HOLIDAY) == {"status": "not supported", **nothing}


def test_only_what_has_changed_is_made_vectors_of(
    product: Product, reader: Reader, files: Path
) -> None:
    first = taken_in(product)
    reader.model.questions.clear()
    again = taken_in(product)
    assert (again["unchanged"], again["passages"], again["forgotten"]) == (4, 0, 0)
    assert reader.texts == []
    page = files / "time-off.md"
    page.write_text(page.read_text().replace("25 days of holiday", "30 days of holiday"))
    (files / "expenses.txt").unlink()
    changed = taken_in(product)
    assert (changed["unchanged"], changed["forgotten"]) == (2, 1)
    assert 0 < len(reader.texts) < first["passages"]
    assert "30 days" in asked(product, HOLIDAY)["answer"]
    meals = asked(product, "What is the daily allowance for meals in the country?")
    assert meals["answer"] is None


def test_a_file_that_cannot_be_read_keeps_no_other_back(
    product: Product, reader: Reader, files: Path
) -> None:
    taken_in(product)
    reader.model.questions.clear()
    (files / "plan.pdf").write_bytes(b"%PDF-1.7 \xff\xfe")
    (files / "broken.xml").write_text("<faq><entry>")
    (files / "time-off.md").write_bytes(b"\xff\xfe not text any more")
    (files / "news.md").write_text("The canteen opens at eleven in the morning.")
    done = taken_in(product)
    assert {each["file"]: each["type"] for each in done["refused"]} == {
        "plan.pdf": "UnknownKind",
        "broken.xml": "InvalidXml",
        "time-off.md": "InvalidParams",
    }
    assert (done["unchanged"], done["passages"], done["forgotten"]) == (3, 1, 0)
    assert "eleven" in asked(product, "When does the canteen open in the morning?")["answer"]
    assert "25 days" in asked(product, HOLIDAY)["answer"], "what was known before stays"


def test_nothing_is_forgotten_because_a_disk_is_away(
    product: Product, reader: Reader, files: Path
) -> None:
    taken_in(product)
    for path in files.iterdir():
        path.unlink()
    ended = product.cli_json("run", "take-in", "--json")
    assert (ended["status"], ended["error"]["type"]) == ("failed", "FolderUnclear")
    assert "25 days" in asked(product, HOLIDAY)["answer"]
    del reader


def test_another_model_is_refused_and_begins_anew_if_that_is_meant(
    product: Product, reader: Reader
) -> None:
    taken_in(product)
    path = product.flows_dir / "systems.yaml"
    path.write_text(path.read_text().replace("dimensions: 512", "dimensions: 256"))
    refused = taken_in(product)["refused"]
    assert [each["type"] for each in refused] == ["OtherModel"] * 4
    assert "rebuild: true" in refused[0]["why"]
    assert taken_in(product, "--set", "rebuild=true")["refused"] == []
    assert "25 days" in asked(product, HOLIDAY)["answer"]
    del reader


def test_what_the_readme_says_works(product: Product, reader: Reader) -> None:
    (product.folder / "examples").symlink_to(EXAMPLES)
    commands = documented_commands(APPLICATION)
    outputs = []
    for command in commands:
        done = product.cli(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        outputs.append(done.stdout)
    answers = [out for out, command in zip(outputs, commands, strict=True) if "ask" in command]
    assert ["status: answered" in re.sub(r"[\"']", "", each) for each in answers] == [
        True,
        True,
        False,
    ]
    assert len(commands) >= 7
    del reader
