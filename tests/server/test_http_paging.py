"""`http.request` through all the pages of a list, in each of the ways that services have."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import pytest
from temporalio.exceptions import ApplicationError

from activities.claims import Claims
from activities.http.request import HTTP_REQUEST
from tests import attempts
from tests.server.support import Answer, HttpService, Product, Received

Ask = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def claims() -> Claims:
    return attempts.claims_in_memory(threshold=100_000)


class Beats:
    """What the last heartbeat said, as the next attempt is given it."""

    def __init__(self) -> None:
        self.last: Any = None
        self.count = 0

    def __call__(self, *details: Any) -> None:
        self.count += 1
        (self.last,) = details


@pytest.fixture
def beats() -> Beats:
    return Beats()


@pytest.fixture
def ask(claims: Claims, beats: Beats, http_service: HttpService) -> Ask:
    """Perform `http.request` on `/list`, as a worker does; gives the output."""

    async def perform(paginate: Any, *, before: Any = None, **params: Any) -> dict[str, Any]:
        asked = {"url": f"{http_service.url}/list", "paginate": paginate, **params}
        call = {"node": "call", "flow": "f", "run_id": "r", "key": "k", "params": asked}
        env = attempts.lasting(60)
        env.on_heartbeat = beats
        details = () if before is None else (before,)
        env.info = dataclasses.replace(env.info, heartbeat_details=details)
        done = await attempts.perform(HTTP_REQUEST, call, claims=claims, env=env)
        output = await claims.loaded(done["output"])
        assert isinstance(output, dict)
        return output

    return perform


def query(got: Received) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(got.query).items()}


def serve(service: HttpService, answer: Callable[[Mapping[str, str]], Answer]) -> None:
    service.on("GET", "/list", lambda got: answer(query(got)))


async def failure(asked: Awaitable[Any], name: str) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await asked
    assert caught.value.type == name, caught.value
    return caught.value


# Each way


async def test_the_link_header_is_followed_to_its_end(ask: Ask, http_service: HttpService) -> None:
    def answer(asked: Mapping[str, str]) -> Answer:
        page = int(asked.get("p", "1"))
        link = f'<{http_service.url}/list?p=1>; rel="first", </list?p={page + 1}>; rel="next"'
        headers = {"Link": link} if page < 3 else {"Link": '</list?p=1>; rel="first"'}
        return Answer(body=[page * 10, page * 10 + 1], headers=headers)

    serve(http_service, answer)
    result = await ask({"by": "link"}, query={"tag": "x"}, auth={"bearer": "t0ken"})
    assert result["items"] == [10, 11, 20, 21, 30, 31]
    assert (result["pages"], result["complete"], result["status"]) == (3, True, 200)
    assert "json" not in result
    assert [got.query for got in http_service.requests] == ["tag=x", "p=2", "p=3"]
    sent = [got.headers["Authorization"] for got in http_service.requests]
    assert sent == ["Bearer t0ken"] * 3


async def test_a_url_in_the_answer_is_followed(ask: Ask, http_service: HttpService) -> None:
    def answer(asked: Mapping[str, str]) -> Answer:
        page = int(asked.get("p", "1"))
        more = f"{http_service.url}/list?p={page + 1}" if page < 3 else ""
        return Answer(body={"data": {"rows": [page]}, "paging": {"next": more}})

    serve(http_service, answer)
    result = await ask({"by": "url", "next": "paging.next", "items": "data.rows"})
    assert result["items"] == [1, 2, 3]


async def test_a_cursor_is_handed_back(ask: Ask, http_service: HttpService) -> None:
    def answer(asked: Mapping[str, str]) -> Answer:
        after = int(asked.get("after", "0"))
        body: dict[str, Any] = {"items": [after], "meta": {"cursor": after + 1}}
        return Answer(body=body if after < 2 else {"items": None, "meta": {}})

    serve(http_service, answer)
    paginate = {"by": "cursor", "next": "meta.cursor", "param": "after", "items": "items"}
    result = await ask(paginate, query={"limit": 1})
    assert (result["items"], result["pages"]) == ([0, 1], 3)
    asked = [query(got) for got in http_service.requests]
    assert asked == [
        {"limit": "1"},
        {"limit": "1", "after": "1"},
        {"limit": "1", "after": "2"},
    ]


@pytest.mark.parametrize(
    ("paginate", "asked"),
    [
        ({"by": "page"}, ["1", "2", "3", "4"]),
        ({"by": "page", "size": 2}, ["1", "2", "3"]),
        ({"by": "page", "first": 0, "param": "p"}, ["0", "1", "2", "3"]),
        ({"by": "offset"}, ["0", "2", "4", "5"]),
        ({"by": "offset", "size": 2}, ["0", "2", "4"]),
        ({"by": "offset", "first": 1, "param": "skip"}, ["1", "3", "5"]),
    ],
)
async def test_pages_and_items_are_counted(
    ask: Ask, http_service: HttpService, paginate: dict[str, Any], asked: list[str]
) -> None:
    name = paginate.get("param", paginate["by"])
    rows = list("abcde")

    def answer(got: Mapping[str, str]) -> Answer:
        number = int(got[name])
        start = number if paginate["by"] == "offset" else (number - paginate.get("first", 1)) * 2
        return Answer(body=rows[start : start + 2])

    serve(http_service, answer)
    result = await ask(paginate)
    skipped = paginate.get("first", 0) if paginate["by"] == "offset" else 0
    assert result["items"] == rows[skipped:]
    assert result["complete"] is True
    assert [query(got)[name] for got in http_service.requests] == asked


# Caps


def endless(service: HttpService, size: int = 2) -> None:
    serve(service, lambda asked: Answer(body=[int(asked["page"])] * size))


@pytest.mark.parametrize(
    ("caps", "items", "pages"),
    [
        ({"max_pages": 3}, [1, 1, 2, 2, 3, 3], 3),
        ({"max_items": 4}, [1, 1, 2, 2], 2),
        ({"max_items": 3}, [1, 1, 2], 2),
    ],
)
async def test_a_list_without_end_is_cut_and_says_so(
    ask: Ask, http_service: HttpService, caps: dict[str, int], items: list[int], pages: int
) -> None:
    endless(http_service)
    result = await ask({"by": "page", **caps})
    assert (result["items"], result["pages"], result["complete"]) == (items, pages, False)
    assert len(http_service.requests) == pages


async def test_a_list_that_just_fits_is_complete(ask: Ask, http_service: HttpService) -> None:
    serve(http_service, lambda asked: Answer(body=["a"] * (2 if asked["page"] == "1" else 1)))
    result = await ask({"by": "page", "size": 2, "max_pages": 2, "max_items": 3})
    assert (len(result["items"]), result["complete"]) == (3, True)


# What goes wrong


@pytest.mark.parametrize(
    ("body", "paginate", "message"),
    [
        ({"rows": []}, {"by": "link"}, "the answer of"),
        ({"rows": 1}, {"by": "link", "items": "rows"}, "rows in the answer of"),
        ({"rows": []}, {"by": "link", "items": "row"}, "row in the answer of"),
        ("text", {"by": "link"}, "is not JSON"),
        ({"n": {}, "i": []}, {"by": "cursor", "next": "n", "items": "i"}, "neither text nor"),
        ({"i": []}, {"by": "link", "items": "length(i)"}, "length(i) in the answer of"),
        ({"i": 1}, {"by": "link", "items": "sort(i)"}, "sort(i) cannot be found in the answer"),
        ({"n": "/list\x00", "i": []}, {"by": "url", "next": "n", "items": "i"}, "has no URL"),
    ],
)
async def test_an_answer_that_is_no_page_is_a_permanent_error(
    ask: Ask, http_service: HttpService, body: Any, paginate: dict[str, Any], message: str
) -> None:
    serve(http_service, lambda _: Answer(body=body))
    failed = await failure(ask(paginate), "HttpInvalidResponse")
    assert message in failed.message
    assert failed.non_retryable


async def test_a_page_that_leads_to_itself_is_not_asked_for_ever(
    ask: Ask, http_service: HttpService
) -> None:
    serve(http_service, lambda _: Answer(body={"items": [1], "next": "same"}))
    paginate = {"by": "cursor", "next": "next", "items": "items"}
    failed = await failure(ask(paginate), "HttpInvalidResponse")
    assert "the same again" in failed.message
    assert len(http_service.requests) == 2


@pytest.mark.parametrize("to", ["http://127.0.0.2:1/list", "//evil.example/", "https://127.0.0.1/"])
async def test_a_page_at_another_origin_is_not_asked_for(
    ask: Ask, http_service: HttpService, to: str
) -> None:
    serve(http_service, lambda _: Answer(body=[1], headers={"Link": f'<{to}>; rel="next"'}))
    failed = await failure(ask({"by": "link"}, auth={"bearer": "t0ken"}), "HttpRedirect")
    assert "another origin" in failed.message


@pytest.mark.parametrize(
    ("paginate", "more", "message"),
    [
        ({"by": "cursor"}, {}, "expected `next` with by: url and by: cursor only"),
        ({"by": "page", "next": "a"}, {}, "expected `next` with by: url and by: cursor only"),
        ({"by": "link", "param": "a"}, {}, "expected no `param`"),
        ({"by": "link", "size": 3}, {}, "expected `first` and `size`"),
        ({"by": "url", "next": "a["}, {}, "is not a JMESPath"),
        ({"by": "page", "max_pages": 0}, {}, "params.paginate.max_pages"),
        ({"by": "page"}, {"save": True}, "expected `paginate` or `save`"),
    ],
)
async def test_parameters_that_do_not_fit_are_refused(
    ask: Ask, http_service: HttpService, paginate: Any, more: dict[str, Any], message: str
) -> None:
    assert message in (await failure(ask(paginate, **more), "InvalidParams")).message
    assert http_service.requests == []


async def test_each_page_has_an_idempotency_key_of_its_own(
    ask: Ask, http_service: HttpService
) -> None:
    http_service.on(
        "POST", "/list", lambda got: Answer(body=[] if "page=3" in got.query else [got.query])
    )
    await ask({"by": "page"}, method="POST", json={"q": 1})
    keys = [got.headers["Idempotency-Key"] for got in http_service.requests]
    assert keys == ["k", "k/page-2", "k/page-3"]
    assert {got.body for got in http_service.requests} == {b'{"q": 1}'}


# Going on


async def test_the_next_attempt_goes_on_after_the_pages_there_are(
    ask: Ask, http_service: HttpService, beats: Beats, claims: Claims
) -> None:
    broken = True

    def answer(asked: Mapping[str, str]) -> Answer:
        page = int(asked["page"])
        if page == 4 and broken:
            return Answer(status=503)
        return Answer(body=[f"{page} " + "x" * 9000] * 2 if page < 6 else [])

    serve(http_service, answer)
    await failure(ask({"by": "page"}), "HttpServerError")
    assert len(http_service.requests) == 4
    said = beats.last
    assert (said["pages"], said["next"]) == (3, 4)
    assert len(str(said)) < 5000, "items are in the store"
    broken = False
    http_service.requests.clear()
    result = await ask({"by": "page"}, before=await claims.loaded(said))
    assert [query(got)["page"] for got in http_service.requests] == ["4", "5", "6"]
    assert [item[0] for item in result["items"]] == list("1122334455")
    assert (result["pages"], result["complete"]) == (6, True)


async def test_small_items_are_told_as_they_are(
    ask: Ask, http_service: HttpService, beats: Beats
) -> None:
    serve(http_service, lambda asked: Answer(body=[asked["page"]] if asked["page"] < "3" else []))
    await ask({"by": "page"})
    assert beats.last == {"pages": 2, "next": 3, "items": [["1", "2"]]}


async def test_what_leads_on_is_not_told_if_it_holds_a_secret(
    ask: Ask, http_service: HttpService, beats: Beats
) -> None:
    def answer(asked: Mapping[str, str]) -> Answer:
        more = "" if "p" in asked else f"/list?key={asked['key']}&p=2"
        return Answer(body={"i": [asked["key"]], "n": more})

    serve(http_service, answer)
    key = {"api_key": {"name": "key", "value": "s3cr3t-key", "in": "query"}}
    result = await ask({"by": "url", "next": "n", "items": "i"}, auth=key)
    assert result["items"] == ["***", "***"]
    assert query(http_service.requests[1]) == {"key": "s3cr3t-key", "p": "2"}
    assert beats.last == {"pages": 1}


# As shipped

FLOW = """\
flow: orders
input: {required: [url], properties: {url: {type: string}}}
nodes:
  list:
    type: http.request
    params:
      url: ${input.url}/list
      query: {limit: 2}
      paginate: {by: page, items: data}
    retry: {attempts: 5, interval: 100ms, factor: 1}
output: {count: "${len(nodes.list.output.items)}", pages: "${nodes.list.output.pages}"}
"""


def test_a_run_collects_all_pages_and_asks_for_none_twice(
    product: Product, http_service: HttpService
) -> None:
    failing = [Answer(status=503), Answer(status=503)]

    def answer(asked: Mapping[str, str]) -> Answer:
        if asked["page"] == "3" and failing:
            return failing.pop()
        return Answer(body={"data": ["x" * 20_000] * (2 if int(asked["page"]) <= 5 else 0)})

    serve(http_service, answer)
    flow = product.write_flow("orders", FLOW)
    done = product.cli_json("run", str(flow), "--set", f"url={http_service.url}", "--json")
    assert done["output"] == {"count": 10, "pages": 6}, done
    asked = [query(got)["page"] for got in http_service.requests]
    assert asked == ["1", "2", "3", "3", "3", "4", "5", "6"]
