"""No secret that a node is given turns up in anything that Flowrunner or Temporal keep or show.

Driven by the catalogue: a new node type is probed by itself, and has to say in `plays/` how it
is made to succeed and to fail.
"""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import pytest
import yaml
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from activities.catalogue import catalogue
from claimcheck import FilesystemStore
from claimcheck.envelope import unwrap
from flowspec.catalogue import NodeType
from flowspec.check import check
from flowspec.values import Json, JsonObject
from tests.server.plays import PLAYS, SETTINGS
from tests.server.plays.play import CANARY, SECRET, S
from tests.server.support import PATIENCE, Product, TemporalServer, asked, free_port

CATALOGUE: Final = catalogue()
TAKING: Final = [one for one in CATALOGUE.values() if one.secret_params]
MARK: Final = "Mk3OpenMarker8Yt"
"""Stands in values that are no secret, to see that the search finds what is there."""


# -- what there is to try ------------------------------------------------------------------------


def _params(node_type: NodeType) -> Mapping[str, Any]:
    properties = node_type.params_schema().get("properties", {})
    assert isinstance(properties, dict)
    return properties


def _takes_secret(node_type: NodeType, param: str) -> bool:
    return "*" in node_type.secret_params or param in node_type.secret_params


def _holds_text(schema: Any) -> bool:
    """Whether some part of a value can be any text."""
    if not isinstance(schema, dict):
        return bool(schema)
    if any(key in schema for key in ("anyOf", "oneOf", "allOf")):
        return any(
            _holds_text(one) for key in ("anyOf", "oneOf", "allOf") for one in schema.get(key, ())
        )
    kinds = schema.get("type", "any")
    inner = [*schema.get("properties", {}).values()]
    inner += [schema[key] for key in ("items", "additionalProperties") if key in schema]
    if any(_holds_text(one) for one in inner):
        return True
    narrow = any(key in schema for key in ("enum", "const", "pattern", "format"))
    return not narrow and ("string" in kinds or kinds == "any")


def _carries(params: JsonObject, param: str) -> bool:
    return S in json.dumps(params.get(param))


REFUSED = [
    (one.name, param)
    for one in CATALOGUE.values()
    for param in (_params(one) or ["any"])
    if not _takes_secret(one, param)
]


def _flow(node_type: str, params: JsonObject, **node: Json) -> str:
    flow: JsonObject = {
        "flow": "leaks",
        "secrets": ["LEAK"],
        "nodes": {"it": {"type": node_type, "params": params, **node}},
        "output": "${nodes.it.output}",
    }
    return yaml.safe_dump(flow, sort_keys=False)


@pytest.mark.parametrize(("name", "param"), REFUSED)
def test_a_parameter_that_takes_no_secret_is_refused_one(name: str, param: str) -> None:
    found = check(_flow(name, {param: S}), CATALOGUE)
    assert "FR602" in [problem.code for problem in found.problems]


@pytest.mark.parametrize("node_type", TAKING, ids=lambda one: one.name)
def test_every_node_type_that_takes_secrets_is_played(node_type: NodeType, tmp_path: Path) -> None:
    advice = (
        f"{node_type.name} takes secrets in {', '.join(node_type.secret_params)}: add to PLAYS in "
        "tests/server/plays how it succeeds and how it fails with one in each of them"
    )
    assert node_type.name in PLAYS, advice
    with ExitStack() as stack:
        plays = PLAYS[node_type.name](stack, tmp_path)
    assert plays.succeed or plays.only_fails, advice
    assert plays.fail, advice
    bare = [
        param
        for param, schema in _params(node_type).items()
        if _takes_secret(node_type, param)
        and _holds_text(schema)
        and not any(_carries(params, param) for params in (*plays.succeed, *plays.fail))
    ]
    assert bare == [], f"{advice}; nothing has one in {', '.join(bare)}"


def test_every_play_is_of_a_node_type_that_takes_secrets() -> None:
    assert set(PLAYS) <= {one.name for one in TAKING}


# -- where to look -------------------------------------------------------------------------------


def _spellings(mark: str) -> list[bytes]:
    """What to look for, in lower case; any base64 that the mark is in holds one of three texts."""
    raw = mark.encode()
    inside = [
        base64.b64encode(bytes(offset) + raw).decode()[
            -(-8 * offset // 6) : 8 * (offset + len(raw)) // 6
        ]
        for offset in range(3)
    ]
    wide = mark.lower().encode("utf-16-le")
    texts = (mark, mark[::-1], raw.hex(), *inside)
    return [*(text.lower().encode() for text in texts), wide]


def _holds(data: bytes, mark: str) -> bool:
    low = data.lower()
    return any(spelling in low for spelling in _spellings(mark))


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A product whose worker has the secret, and all that is left by what runs on it."""

    product: Product
    server: TemporalServer
    metrics: str

    async def left(self) -> dict[str, bytes]:
        """Everything there is that no single run owns, by what it is called."""
        url = f"http://{self.metrics}/metrics"
        told = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read())
        database = self.server.process.log.parent
        return {
            "worker log": b"".join(one.output().encode() for one in self.product.workers),
            "metrics": told,
            "blobs": b"\n".join([blob async for blob in self._blobs()]),
            "database": b"\n".join(one.read_bytes() for one in _files(database)),
            "files": b"\n".join(one.read_bytes() for one in _files(self.product.folder)),
        }

    async def _blobs(self) -> Any:
        """Every value in the store, opened."""
        async with FilesystemStore(self.product.blobs) as store:
            async for blob in store.list_keys(""):
                yield blob.key.encode()
                raw = await store.get(blob.key, limit=2**28)
                if raw.strip() and blob.size:
                    under = blob.key.rpartition("/")[0]
                    yield unwrap(raw, context=under, keys=None, limit=2**28)

    async def start(self, flow: str, given: JsonObject | None = None) -> WorkflowHandle[Any, Any]:
        client = await self.product.client()
        return await client.start_workflow(
            "flow",
            {"flow": flow, "input": given or {}},
            id=f"leak-{uuid.uuid4().hex[:12]}",
            task_queue=self.product.task_queue,
        )

    async def watch(self, run: WorkflowHandle[Any, Any]) -> tuple[bool, dict[str, bytes]]:
        """Whether the run completed, and what could be seen of it until then and afterwards."""
        plain = (await self.product.plain_client()).get_workflow_handle(run.id)
        seen: dict[bytes, None] = {}
        async with asyncio.timeout(3 * PATIENCE):
            while True:
                description = await plain.describe()
                seen[description.raw_description.SerializeToString(deterministic=True)] = None
                if description.status is not WorkflowExecutionStatus.RUNNING:
                    break
                await asyncio.sleep(0.05)
        return description.status is WorkflowExecutionStatus.COMPLETED, {
            "description": b"\n".join(seen),
            "details": (await _details(run)).encode(),
            "history": await _history(plain),
        }

    def shown(self, run: str) -> bytes:
        """What the command shows people of the run."""
        told = b""
        for words in (("result", run, "--json"), ("logs", run), ("status", run, "--json")):
            done = self.product.cli(*words)
            told += f"{done.stdout}\n{done.stderr}\n".encode()
        return told


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


async def _details(run: WorkflowHandle[Any, Any]) -> str:
    """What the UI shows of the run beside its history."""
    try:
        return str(await asked(run, "__temporal_workflow_metadata"))
    except RPCError as error:
        return str(error)


async def _history(run: WorkflowHandle[Any, Any]) -> bytes:
    """As it is, and with every payload in it decoded."""
    text = (await run.fetch_history()).to_json()
    found = [text.encode()]

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(data := value.get("data"), str):
                found.append(base64.b64decode(data))
            value = [*value.values()]
        if isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(json.loads(text))
    return b"\n".join(found)


@pytest.fixture(scope="module", params=["1", "1MB"], ids=["all in blobs", "all inline"])
def ground(
    request: pytest.FixtureRequest,
    temporal_server: TemporalServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ground]:
    metrics = f"127.0.0.1:{free_port()}"
    product = Product(
        address=temporal_server.address,
        folder=tmp_path_factory.mktemp("leaks"),
        settings={"CLAIM_CHECK_THRESHOLD": request.param},
    )
    try:
        product.start_worker(
            FLOWRUNNER_SECRET_LEAK=SECRET,
            FLOWRUNNER_LOG_LEVEL="debug",
            FLOWRUNNER_METRICS_ADDRESS=metrics,
            **SETTINGS,
        )
        yield Ground(product=product, server=temporal_server, metrics=metrics)
    finally:
        product.stop()


def _leaks(places: Mapping[str, bytes]) -> list[str]:
    return [place for place, data in places.items() if _holds(data, CANARY)]


# -- the search itself ---------------------------------------------------------------------------


async def test_the_search_finds_what_is_there(ground: Ground) -> None:
    flow = """\
flow: open
input: {required: [text], properties: {text: {type: string}}}
nodes:
  say: {type: log, params: {message: "it is ${input.text}"}, next: ask}
  ask:
    type: http.request
    params: {url: "http://127.0.0.1:1/${input.text}"}
    retry: {attempts: 2, interval: 1s}
    next: {failure: cry}
  cry: {type: fail, params: {message: "it was ${input.text}"}}
"""
    run = await ground.start(flow, {"text": MARK})
    completed, seen = await ground.watch(run)
    assert not completed
    shown = await asyncio.to_thread(ground.shown, run.id)
    places = {**seen, **await ground.left(), "command": shown}
    found = {place for place, data in places.items() if _holds(data, MARK)}
    stored = ground.product.settings["CLAIM_CHECK_THRESHOLD"] == "1"
    wanted = {"history", "command", "worker log", "database", *(["blobs"] if stored else [])}
    assert wanted <= found, wanted - found


@pytest.mark.parametrize(
    "text",
    [
        CANARY,
        CANARY.upper(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(f"ann:{SECRET}".encode()).decode(),
        base64.b64encode(f"abc:{SECRET}".encode()).decode(),
        SECRET.encode().hex(),
        json.dumps({"a": SECRET}),
    ],
    ids=range(7),
)
def test_the_search_knows_what_a_secret_may_look_like(text: str) -> None:
    assert _holds(f"before{text}after".encode(), CANARY)
    assert not _holds(f"before{text}after".encode(), MARK)


# -- the node types ------------------------------------------------------------------------------


@pytest.mark.parametrize("node_type", TAKING, ids=lambda one: one.name)
async def test_no_secret_is_left_by_nodes_that_succeed_or_fail(
    node_type: NodeType, ground: Ground, tmp_path: Path
) -> None:
    setup = PLAYS.get(node_type.name)
    if setup is None:
        pytest.skip("another test says that it has no plays")
    twice: JsonObject = {"attempts": 2, "interval": "300ms"}
    with ExitStack() as stack:
        plays = setup(stack, tmp_path)
        every = [*plays.succeed, *plays.fail]
        flows = [_flow(node_type.name, params, retry=twice) for params in every]
        runs = [await ground.start(flow) for flow in flows]
        ended = await asyncio.gather(*(ground.watch(run) for run in runs))
    for params, (completed, seen) in zip(every, ended, strict=True):
        assert _leaks(seen) == [], params
        assert completed is (params in plays.succeed), (params, seen["history"].decode())
    for run in (runs[0], runs[-1]):
        assert not _holds(await asyncio.to_thread(ground.shown, run.id), CANARY)
    assert _leaks(await ground.left()) == []


@pytest.mark.parametrize("node_type", TAKING, ids=lambda one: one.name)
async def test_no_secret_is_left_where_it_is_all_there_is_of_a_parameter(
    node_type: NodeType, ground: Ground
) -> None:
    """Most of these fail, for the secret is no URL, no number and no path."""
    once: dict[str, Json] = {"retry": {"attempts": 1}, "attempt_timeout": "10s"}
    params = [one for one in _params(node_type) if _takes_secret(node_type, one)]
    flows = [_flow(node_type.name, _example_with(node_type, one), **once) for one in params]
    for flow in flows:
        problems = check(flow, CATALOGUE).problems
        assert [str(one) for one in problems if one.severity == "error"] == []
    runs = [await ground.start(flow) for flow in flows]
    ended = await asyncio.gather(*(ground.watch(run) for run in runs))
    assert [one for one, (_, seen) in zip(params, ended, strict=True) if _leaks(seen)] == []
    assert _leaks(await ground.left()) == []


def _example_with(node_type: NodeType, param: str) -> JsonObject:
    """The parameters of the documented example, but for that one, and for what it excludes."""
    excluded = {one for group in node_type.exclusive if param in group for one in group}
    example = _find(yaml.safe_load(node_type.example), node_type.name)
    given = {key: _plain(example[key]) for key in example if key not in excluded}
    properties = cast(JsonObject, node_type.params_schema()["properties"])
    for key, value in given.items():
        if value == "x" and cast(JsonObject, properties[key]).get("type") == "array":
            given[key] = [value]
    return {**given, param: S}


def _find(value: Any, name: str) -> JsonObject:
    nodes = [*value.get("nodes", {}).values()]
    for node in nodes:
        if node["type"] == name:
            params: JsonObject = node.get("params", {})
            return params
        if "nodes" in node:
            return _find(node, name)
    raise AssertionError(f"the example of {name} has no node of its type")


def _plain(value: Json) -> Json:
    """Without anything to compute."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return "x" if isinstance(value, str) and "${" in value else value
