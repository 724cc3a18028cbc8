"""Models asked by the product: the flows of the documentation, on a real worker."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from activities.llm.chat import LLM_CHAT
from activities.llm.embed import LLM_EMBED
from examples.llm_service import Model, Says, vector_of
from tests.project.markdown import ROOT, blocks
from tests.server.support import Answer, HttpService, Product, TemporalServer

PAGE = ROOT / "docs" / "howto" / "models.md"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400


@pytest.fixture(scope="module")
def asking(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    product = Product(address=temporal_server.address, folder=tmp_path_factory.mktemp("models"))
    try:
        product.start_worker(
            FLOWRUNNER_SECRET_OPENAI_KEY="sk-openai", FLOWRUNNER_SECRET_ANTHROPIC_KEY="sk-openai"
        )
        yield product
    finally:
        product.stop()


@pytest.fixture
def model(http_service: HttpService) -> Model:
    return Model(http_service, Says(text="Hi"), key="sk-openai")


def run(product: Product, service: HttpService, flow: str, *given: str) -> Any:
    """What comes of a flow that asks at the service instead of where it is said to."""
    document = yaml.safe_load(flow)
    for node in document["nodes"].values():
        if node["type"].startswith("llm."):
            path = "" if node["params"].get("provider") == "anthropic" else "/v1"
            node["params"]["base_url"] = service.url + path
    product.write_flow(document["flow"], yaml.safe_dump(document, sort_keys=False))
    words = [word for each in given for word in ("--set", each)]
    ended = product.cli_json("run", document["flow"], "--json", *words)
    assert ended["status"] == "completed", ended
    return ended["output"]


def shown(name: str) -> str:
    [flow] = [
        each.text
        for each in blocks("yaml")
        if each.page == PAGE and each.text.startswith(f"flow: {name}\n")
    ]
    return flow


def test_the_examples_of_the_reference(
    asking: Product, http_service: HttpService, model: Model
) -> None:
    later = Answer(status=429, headers={"Retry-After": "1"}, body={})
    model.says(later, Says(text='{"topic": "order", "urgent": true}'))
    flow = LLM_CHAT.node_type.example
    assert run(asking, http_service, flow, "mail=Hurry") == {"topic": "order", "urgent": True}
    assert len(model.questions) == 2
    keys = {each.headers["Idempotency-Key"] for each in http_service.requests}
    assert len(keys) == 1, "each attempt asks the same"
    vectors = run(asking, http_service, LLM_EMBED.node_type.example, 'texts=["a b", "c"]')
    assert vectors == [pytest.approx(vector_of(text)) for text in ("a b", "c")]


def test_the_flows_of_the_page(asking: Product, http_service: HttpService, model: Model) -> None:
    assert run(asking, http_service, shown("summary"), "text=long {{x}}") == "Hi"
    assert model.questions[-1]["messages"][1]["content"].endswith("long {{x}}")

    assert run(asking, http_service, at_home(), "question=?") == "Hi"
    assert model.questions[-1]["keep_alive"] == "10m"

    model.says(Says(text="Cheese"), Says(text="Cows"))
    assert run(asking, http_service, shown("two-questions"), "place=Gouda") == "Cows"
    roles = [each["role"] for each in model.questions[-1]["messages"]]
    assert roles == ["user", "assistant", "user"]

    model.says(Says(text='{"number": 7}'), Says(text='{"number": "7", "total": 1.5}'))
    invoice = run(asking, http_service, shown("read-invoice"), "text=no 7")
    assert invoice["invoice"] == {"number": "7", "total": 1.5}
    assert invoice["cost"] == pytest.approx((20 * 0.25 + 10 * 2) / 1_000_000)

    alike = run(asking, http_service, shown("alike"), "one=red shoes", "other=shoes red")
    assert alike == pytest.approx(1)


def at_home() -> str:
    flow = shown("at-home").replace("nodes:", "secrets: [OPENAI_KEY]\nnodes:")
    return flow.replace("params:", "params:\n      api_key: ${secrets.OPENAI_KEY}")


def test_an_image_goes_from_the_store_to_the_model(
    asking: Product, http_service: HttpService, model: Model
) -> None:
    http_service.on("GET", "/cat", Answer(body=PNG, headers={"Content-Type": "image/png"}))
    output = run(asking, http_service, shown("describe"), f"url={http_service.url}/cat")
    assert output == "Hi"
    [question] = model.questions
    image = question["messages"][0]["content"][1]["image_url"]["url"]
    assert image == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
