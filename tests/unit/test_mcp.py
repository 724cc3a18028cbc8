"""Tools of a real MCP server: called, listed, and what is said when that does not work."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.addresses import AddressPolicy
from activities.attempt import Attempt, Options, Resources
from activities.declaration import AnyImplementation
from activities.errors import NodeFailed
from activities.mcp.call import MCP_CALL
from activities.mcp.options import LocalServer, McpOptions, read_servers
from activities.mcp.tools import MCP_TOOLS
from activities.parameters import read_params
from flowspec.values import Json, JsonObject
from tests.attempts import claims_in_memory, lasting
from tests.mcp_server import PNG, Serving, declared, serving
from tests.server.support import Answer, HttpService, Received, until

TOOLS = [
    *(
        "add",
        "asked",
        "crash",
        "echo",
        "environment",
        "fail",
        "forecast",
        "much",
        "refuse",
        "show",
        "wait",
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("mcp"), "--pages") as found:
        yield found


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("mcp"), "--legacy") as found:
        yield found


@pytest.fixture(params=["server", "older"])
def either(request: pytest.FixtureRequest) -> Serving:
    found: Serving = request.getfixturevalue(request.param)
    return found


async def act(
    node: AnyImplementation,
    *,
    options: Options | None = None,
    beat: Callable[[Json], None] | None = None,
    policy: AddressPolicy | None = None,
    **params: Any,
) -> Any:
    async with Resources() as resources:
        attempt = Attempt(
            node="n",
            flow="f",
            run_id="r",
            key="k-1",
            resources=resources,
            addresses=policy or AddressPolicy(guarded=False),
            claims=claims_in_memory(),
            options=options or Options(),
            beat=beat or (lambda _: None),
        )

        async def handle() -> Any:
            return await node.handler(read_params(node, params), attempt)

        async with asyncio.timeout(25):  # none of these takes longer
            return await lasting(60).run(handle)


async def call(tool: str, arguments: JsonObject | None = None, **more: Any) -> Any:
    return await act(MCP_CALL, tool=tool, arguments=arguments or {}, **more)


async def failure(node: AnyImplementation, error: str, **params: Any) -> NodeFailed:
    with pytest.raises(NodeFailed) as caught:
        await act(node, **params)
    assert caught.value.error.name == error, caught.value
    return caught.value


def details(failed: NodeFailed) -> JsonObject:
    assert isinstance(failed.details, dict), failed.details
    return failed.details


# -- calling -------------------------------------------------------------------------------------


async def test_a_tool_is_called(either: Serving) -> None:
    done = await call("add", {"a": 1, "b": 2}, url=either.url)
    text = {"type": "text", "text": "3"}
    assert done == {"content": [text], "text": "3", "data": {"result": 3}}


async def test_arguments_arrive_as_they_are(server: Serving) -> None:
    value: JsonObject = {"a": None, "b": [1.5, "é"], "c": {}}
    done = await call("echo", {"value": value}, url=server.url)
    assert json.loads(done["text"]) == value
    assert done["data"] is None


async def test_the_server_learns_who_asks_and_by_which_key(either: Serving) -> None:
    done = await call("asked", url=either.url, headers={"X-Team": "é"}, bearer="t0ken")
    seen = done["data"]
    assert seen["headers"]["authorization"] == "Bearer t0ken"
    assert seen["headers"]["x-team"].encode("latin-1").decode() == "é"
    assert seen["key"] == "k-1"


async def test_both_ways_to_begin_are_known(server: Serving, older: Serving) -> None:
    new, old = [await call("asked", url=one.url) for one in (server, older)]
    assert new["data"]["protocol"] == "2026-07-28"
    assert old["data"]["protocol"] < "2026"
    assert "mcp-session-id" in old["data"]["headers"]


async def test_a_call_asks_for_no_list_of_tools(server: Serving) -> None:
    before = len(server.events())
    await call("add", {"a": 1, "b": 2}, url=server.url)
    assert server.events()[before:] == ["server/discover", "tools/call"]


async def test_what_a_tool_shows_comes_in_parts_and_bytes_are_kept(either: Serving) -> None:
    done = await call("show", url=either.url)
    first, image, audio, text, blob, link = done["content"]
    assert (done["text"], done["data"]) == ("first\nsecond", {"n": 1})
    assert first == {"type": "text", "text": "first"}
    assert (image["type"], image["media_type"]) == ("image", "image/png")
    assert (image["image"].size, image["image"].claim.metadata["content-type"]) == (
        len(PNG),
        "image/png",
    )
    assert (audio["type"], audio["media_type"], audio["data"].size) == (
        "audio",
        "audio/wav",
        len(PNG),
    )
    named = {"uri": "file:///a.txt", "media_type": "text/plain"}
    assert text == {"type": "resource", **named, "text": "second"}
    assert (blob["type"], blob["uri"], blob["data"].size) == ("resource", "file:///b", 2)
    seen = {"name": "c", "description": "see there"}
    assert link == {"type": "link", "uri": "https://a.example/c", **seen}


async def test_progress_goes_into_heartbeats(either: Serving) -> None:
    beats: list[Json] = []
    await call("wait", {"steps": 2}, url=either.url, beat=beats.append)
    assert beats == [
        {"progress": 1.0, "total": 2.0, "message": "step 1"},
        {"progress": 2.0, "total": 2.0, "message": "step 2"},
    ]


async def test_a_call_that_is_cancelled_ends_at_the_server(either: Serving) -> None:
    begun = asyncio.Event()
    calling = asyncio.create_task(
        call("wait", {"steps": 1000}, url=either.url, beat=lambda _: begun.set())
    )
    await asyncio.wait_for(begun.wait(), 10)
    before = either.events().count("cancelled")
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    until(lambda: either.events().count("cancelled") > before, what="the end of the tool")


async def test_a_call_out_of_time_ends_at_the_server(server: Serving) -> None:
    before = server.events().count("cancelled")
    params = {"tool": "wait", "arguments": {"steps": 1000}, "timeout": "500ms"}
    failed = await failure(MCP_CALL, "HttpTimeout", url=server.url, **params)
    assert "took longer than 500ms" in failed.message
    until(lambda: server.events().count("cancelled") > before, what="the end of the tool")


# -- listing -------------------------------------------------------------------------------------


async def test_all_pages_of_the_tools_are_listed(either: Serving) -> None:
    done = await act(MCP_TOOLS, url=either.url)
    assert sorted(tool["name"] for tool in done["tools"]) == TOOLS
    assert done["server"] == {"name": "tests", "version": "1.2"}
    add = next(tool for tool in done["tools"] if tool["name"] == "add")
    assert add["description"] == "Adds two numbers"
    assert add["parameters"]["required"] == ["a", "b"]


async def test_a_list_that_does_not_end_is_refused() -> None:
    def answer(request: Received) -> Answer:
        asked = request.json()
        result = {**_BARE, "tools": [], "nextCursor": "again"}
        if asked["method"] != "tools/list":
            result = {**_BARE, "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
        return Answer(body={"jsonrpc": "2.0", "id": asked["id"], "result": result})

    with HttpService() as service:
        service.on("POST", "/mcp", answer)
        failed = await failure(MCP_TOOLS, "HttpInvalidResponse", url=f"{service.url}/mcp")
    assert "does not end" in failed.message
    assert len(service.requests) == 101


_BARE: JsonObject = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


async def test_only_allowed_tools_are_listed_and_called(server: Serving) -> None:
    allow = ["a*", "echo"]
    done = await act(MCP_TOOLS, url=server.url, allow=allow)
    assert [tool["name"] for tool in done["tools"]] == ["add", "echo", "asked"]
    assert (await call("echo", {"value": "x"}, url=server.url, allow=allow))["text"] == "x"
    before = server.events()
    failed = await failure(MCP_CALL, "ToolNotAllowed", url=server.url, allow=allow, tool="fail")
    assert "'fail'" in failed.message
    assert server.events() == before


# -- failing -------------------------------------------------------------------------------------


async def test_a_tool_that_says_it_failed_is_told_with_what_it_says(either: Serving) -> None:
    params: JsonObject = {"tool": "fail", "arguments": {"why": "no such city"}}
    failed = await failure(MCP_CALL, "ToolFailed", url=either.url, **params)
    assert failed.message == "the tool 'fail' failed: Error executing tool fail: no such city"
    assert details(failed)["text"] == "Error executing tool fail: no such city"
    assert failed.error.permanent


async def test_an_unknown_tool_is_told_with_those_there_are(either: Serving) -> None:
    failed = await failure(MCP_CALL, "ToolUnknown", url=either.url, tool="nope")
    names = details(failed)["tools"]
    assert isinstance(names, list)
    assert sorted(map(str, names)) == TOOLS


@pytest.mark.parametrize(
    ("code", "error", "permanent"),
    [
        (-32603, "McpError", False),
        (-32000, "McpConnectionLost", False),
        (-32602, "McpRefused", True),
        (7, "McpRefused", True),
    ],
)
async def test_errors_of_the_protocol_are_told_apart(
    code: int, error: str, permanent: bool, either: Serving
) -> None:
    params: JsonObject = {"tool": "refuse", "arguments": {"code": code}}
    failed = await failure(MCP_CALL, error, url=either.url, **params)
    assert failed.error.permanent is permanent
    assert "not like that" in failed.message
    assert details(failed) == {
        "code": code,
        "message": "not like that",
        "data": {"hint": "otherwise"},
    }


async def test_an_answer_may_not_be_too_large(either: Serving) -> None:
    params: JsonObject = {"tool": "much", "arguments": {"size": 16_000_001}}
    failed = await failure(MCP_CALL, "ResponseTooLarge", url=either.url, **params)
    assert "16,000,000" in failed.message


async def test_an_answer_that_grows_when_it_is_unpacked_is_measured_then() -> None:
    bomb = gzip.compress(bytes(20_000_000))
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    with HttpService() as service:
        service.on("POST", "/mcp", Answer(body=bomb, headers=headers))
        await failure(MCP_TOOLS, "ResponseTooLarge", url=f"{service.url}/mcp")


async def test_a_server_that_dies_in_the_middle_is_transient(tmp_path: Path) -> None:
    with serving(tmp_path, "--json") as found:
        assert (await call("echo", {"value": "x"}, url=found.url))["text"] == "x"
        params: JsonObject = {"tool": "crash", "arguments": {"last_words": "x"}}
        lost = await failure(MCP_CALL, "HttpNetworkError", url=found.url, **params)
        gone = await failure(MCP_CALL, "HttpNetworkError", url=found.url, **params)
    assert not lost.error.permanent
    assert "/mcp" in gone.message


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, {"error": "invalid_token"}, "HttpClientError"),
        (
            403,
            {"jsonrpc": "2.0", "id": None, "error": {"code": -1, "message": "x"}},
            "HttpClientError",
        ),
        (404, "not here", "HttpClientError"),
        (400, {"jsonrpc": "2.0", "id": None, "error": {"code": -1, "message": "x"}}, "McpRefused"),
        (429, "slower", "HttpTryLater"),
        (
            503,
            {"jsonrpc": "2.0", "id": None, "error": {"code": -1, "message": "x"}},
            "HttpServerError",
        ),
        (200, "<html>", "HttpInvalidResponse"),
        (200, {"jsonrpc": "2.0", "id": 1, "result": 5}, "HttpInvalidResponse"),
        (302, None, "HttpRedirect"),
    ],
)
async def test_answers_that_are_no_success_are_told_apart(
    status: int, body: Json, error: str
) -> None:
    headers = {"Location": "http://other.example/mcp"} if status == 302 else {"Retry-After": "7"}
    with HttpService() as service:
        service.on("POST", "/mcp", Answer(status=status, body=body, headers=headers))
        failed = await failure(MCP_TOOLS, error, url=f"{service.url}/mcp")
    assert (failed.retry_after == 7) is (status in (401, 403, 404, 429, 503))


def _old_server(called: Callable[[Received], Answer]) -> Callable[[Received], Answer]:
    """One that begins with `initialize`, answers what else comes before with a bare 404, and then
    everything by `called`."""

    def answer(request: Received) -> Answer:
        asked = request.json()
        if "mcp-session-id" in {name.lower() for name in request.headers}:
            return called(request) if "id" in asked else Answer(status=202)
        if asked["method"] != "initialize":
            return Answer(status=404)
        result: Json = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "serverInfo": {"name": "n", "version": "1"},
        }
        said: Json = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
        return Answer(body=said, headers={"Mcp-Session-Id": "s"})

    return answer


async def test_a_forgotten_session_is_begun_anew_by_the_next_attempt() -> None:
    with HttpService() as service:
        service.on("POST", "/mcp", _old_server(lambda _: Answer(status=404)))
        failed = await failure(MCP_TOOLS, "McpConnectionLost", url=f"{service.url}/mcp")
    assert not failed.error.permanent
    assert "forgotten" in failed.message


async def test_trouble_at_the_beginning_is_not_told_of_what_fails_later() -> None:
    def refuse(request: Received) -> Answer:
        error: Json = {"code": -32601, "message": "no tools here"}
        return Answer(body={"jsonrpc": "2.0", "id": request.json()["id"], "error": error})

    with HttpService() as service:
        service.on("POST", "/mcp", _old_server(refuse))
        failed = await failure(MCP_TOOLS, "McpRefused", url=f"{service.url}/mcp")
    assert "no tools here" in failed.message


async def test_private_addresses_are_refused_where_they_are_guarded(server: Serving) -> None:
    failed = await failure(
        MCP_CALL, "AddressRefused", url=server.url, tool="add", policy=AddressPolicy()
    )
    assert "FLOWRUNNER_HTTP_ALLOW" in failed.message


@pytest.mark.parametrize("url", ["ftp://a.example/", "http://ann:pw@a.example/", "x"])
async def test_only_plain_urls_are_asked(url: str) -> None:
    await failure(MCP_TOOLS, "HttpInvalidUrl", url=url)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "expected url or server"),
        ({"url": "http://a.example", "server": "s"}, "expected url or server"),
        ({"server": "s", "bearer": "t"}, "only with url"),
        ({"url": "http://a", "bearer": "t", "headers": {"authorization": "x"}}, "found both"),
        ({"url": "http://a", "bearer": "t\r\nX: y"}, "line break"),
        ({"url": "http://a", "headers": {"Mcp-Session-Id": "x"}}, "set by the node itself"),
        ({"url": "http://a", "allow": []}, "allow"),
    ],
)
async def test_parameters_that_do_not_fit_are_refused(params: JsonObject, said: str) -> None:
    failed = await failure(MCP_TOOLS, "InvalidParams", **params)
    assert said in failed.message


@pytest.mark.parametrize("node", [MCP_CALL, MCP_TOOLS])
async def test_what_is_missing_is_told_when_it_is_needed(
    node: AnyImplementation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("activities.mcp.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    params: JsonObject = {"tool": "add"} if node is MCP_CALL else {}
    failed = await failure(node, "ExtraMissing", url="http://a.example/", **params)
    assert "pip install 'flowrunner[mcp]'" in failed.message


# -- servers of the operator ---------------------------------------------------------------------


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """The server over standard input and output as `own`, and some that do not work."""
    servers = {
        "own": declared(tmp_path / "events"),
        "nowhere": {"command": [str(tmp_path / "nothing")]},
        "ends": {"command": ["sh", "-c", "echo starting >&2; echo oh dear >&2"]},
        "mute": {"command": ["sleep", "1000"]},
    }
    path = tmp_path / "servers.json"
    path.write_text(json.dumps(servers))
    return Options(McpOptions(servers=read_servers(path)))


async def test_a_declared_server_is_started_and_ended(options: Options, tmp_path: Path) -> None:
    done = await call("environment", server="own", options=options)
    seen = done["data"]
    assert seen["GREETING"] == "hello"
    assert seen["PASSWORD"] == "c0rrect horse"
    assert set(seen) <= {
        *("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "PYTHONPATH", "GREETING"),
        *("PASSWORD", "LC_CTYPE"),
    }
    assert (tmp_path / "events").read_text().splitlines() == ["server/discover", "tools/call"]


async def test_the_tools_of_a_declared_server_are_listed(options: Options) -> None:
    done = await act(MCP_TOOLS, server="own", allow=["add"], options=options)
    assert [tool["name"] for tool in done["tools"]] == ["add"]


async def test_a_declared_server_is_told_of_the_end_of_time(
    options: Options, tmp_path: Path
) -> None:
    begun = asyncio.Event()
    calling = asyncio.create_task(
        call("wait", {"steps": 1000}, server="own", options=options, beat=lambda _: begun.set())
    )
    await asyncio.wait_for(begun.wait(), 20)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert "notifications/cancelled" in (tmp_path / "events").read_text()


async def test_the_last_words_of_a_server_that_ends_are_told_without_secrets(
    options: Options,
) -> None:
    words = "the password is c0rrect horse"
    params: JsonObject = {"tool": "crash", "arguments": {"last_words": words}}
    failed = await failure(MCP_CALL, "McpConnectionLost", server="own", options=options, **params)
    assert failed.message.endswith("its last words: the password is ***")
    assert "the password is ***" in str(details(failed)["stderr"])
    assert "c0rrect" not in str(failed.details)


@pytest.mark.parametrize(
    ("server", "error", "said"),
    [
        ("other", "McpServerUnknown", "declares 'ends', 'mute', 'nowhere', 'own'"),
        ("nowhere", "McpServerNotStarted", "No such file"),
        ("ends", "McpConnectionLost", "its last words: oh dear"),
        ("mute", "HttpTimeout", "took longer than 1s"),
    ],
)
async def test_servers_that_do_not_work_are_told_apart(
    server: str, error: str, said: str, options: Options
) -> None:
    failed = await failure(MCP_TOOLS, error, server=server, timeout="1s", options=options)
    assert said in failed.message


async def test_an_answer_of_a_declared_server_may_not_be_too_large(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    from activities.mcp import content

    monkeypatch.setattr(content, "MOST_BYTES", 1_000)
    params: JsonObject = {"tool": "much", "arguments": {"size": 1_001}}
    await failure(MCP_CALL, "ResponseTooLarge", server="own", options=options, **params)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "servers.yaml:1 is not YAML"),
        ("- a", "the whole: "),
        ("a: {command: []}", "a.command: "),
        ("a: {command: [x], secrets: {A: 5}}", "a.secrets.A: "),
        ("a: {command: [x], secretes: {A: hush}}", "a.secretes: "),
    ],
)
def test_declarations_that_cannot_be_read_are_explained(
    text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "servers.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        read_servers(path)
    assert "hush" not in str(caught.value)
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        read_servers(tmp_path / "other.yaml")


def test_nothing_declared_is_no_server(tmp_path: Path) -> None:
    path = tmp_path / "servers.yaml"
    path.write_text("")
    assert read_servers(path) == {}
    assert LocalServer(command=["x"]).env == {}


def test_the_servers_image_is_one() -> None:
    assert base64.b64encode(PNG).startswith(b"iVBOR")
