"""The worker's log: one shape for ours and others' lines, with the node and without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from activities.attempt import Attempt
from activities.log import LOG
from activities.logging import LogFormat, configure_logging
from activities.parameters import read_params
from activities.redaction import Redactor, current_redactor
from claimcheck.errors import KeyUnknown, StoreUnavailable


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def logging_to(format: LogFormat = "json", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    configure_logging(format, level, stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_ours_and_other_libraries_lines_have_one_shape() -> None:
    stream = logging_to()
    with structlog.contextvars.bound_contextvars(flow="f", node="n", attempt=2):
        structlog.stdlib.get_logger("ours").info("hello", extra_thing=1)
        logging.getLogger("theirs").warning("careful, %s", "you")
    ours, theirs = lines(stream)
    assert ours["timestamp"]
    assert ours | {"timestamp": ""} == {
        "event": "hello",
        "level": "info",
        "logger": "ours",
        "timestamp": "",
        "extra_thing": 1,
        "flow": "f",
        "node": "n",
        "attempt": 2,
    }
    assert (theirs["event"], theirs["level"]) == ("careful, you", "warning")
    assert (theirs["logger"], theirs["node"]) == ("theirs", "n")


def test_the_level_holds_for_all_and_the_sdk_is_heard_from_warnings_on() -> None:
    stream = logging_to(level="info")
    structlog.stdlib.get_logger("ours").debug("no")
    logging.getLogger("temporalio.worker").info("no")
    logging.getLogger("httpx2").info("no: the url may hold a key")
    logging.getLogger("temporalio.worker").warning("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


def _log_as_the_sdk_does(error: Exception, cause: Exception | None = None) -> None:
    try:
        raise error from cause
    except Exception:
        logging.getLogger("temporalio.worker._workflow").exception(
            "Failed handling activation on workflow with run ID %s", "0198-af"
        )


def test_a_run_that_lacks_a_key_or_the_store_is_one_line_that_says_which() -> None:
    stream = logging_to()
    _log_as_the_sdk_does(KeyUnknown("add it to CLAIM_CHECK_KEYS"))
    _log_as_the_sdk_does(RuntimeError("decoding failed"), StoreUnavailable("not there"))
    for line, error in zip(
        lines(stream),
        ("KeyUnknown: add it to CLAIM_CHECK_KEYS", "StoreUnavailable: not there"),
        strict=True,
    ):
        assert line["event"] == "a run cannot go on, and is tried again"
        assert (line["run_id"], line["error"], line["level"]) == ("0198-af", error, "error")
        assert "exception" not in line


def test_any_other_error_keeps_its_traceback() -> None:
    stream = logging_to()
    _log_as_the_sdk_does(RuntimeError("a bug"))
    (line,) = lines(stream)
    assert "Failed handling activation" in line["event"]
    assert "Traceback" in line["exception"]


_CORE = "temporalio.core-sdk_core::temporalio_sdk_core::worker::workflow"


@pytest.mark.parametrize(
    ("failure", "heard"),
    [
        ('message: "Encoded failure", r#type: "KeyUnknown"', False),
        ('message: "Failed encoding completion: the bucket"', False),
        ('message: "[TMPRL1100] Nondeterminism error"', True),
        ('message: "no", r#type: "RuntimeError"', True),
    ],
)
def test_the_sdks_second_line_of_what_is_told_already_is_left_out(
    failure: str, heard: bool
) -> None:
    stream = logging_to()
    logging.getLogger(_CORE).warning("[sdk_core] Failing workflow task {'failure': '%s'}", failure)
    assert len(lines(stream)) == heard


def test_the_sdks_traceback_of_a_failed_attempt_is_left_out() -> None:
    stream = logging_to()
    logging.getLogger("temporalio.activity").warning(
        "Completing activity as failed",
        extra={"__temporal_error_identifier": "ActivityFailure"},
    )
    assert lines(stream) == []


@pytest.mark.parametrize("format", ["json", "console"])
def test_no_secret_reaches_the_log_by_any_way(format: LogFormat) -> None:
    stream = logging_to(format)
    token = current_redactor.set(Redactor(["hunter22"]))
    try:
        logger = structlog.stdlib.get_logger("ours")
        logger.info("a hunter22", value=["hunter22"], thing=ValueError("hunter22"))
        logging.getLogger("theirs").warning("b %s", "hunter22")
        try:
            raise ValueError("c hunter22")
        except ValueError:
            logger.exception("broke")
            logging.getLogger("theirs").exception("broke too")
    finally:
        current_redactor.reset(token)
    assert "hunter22" not in stream.getvalue()
    assert stream.getvalue().count("***") >= 6


def test_console_lines_are_plain_without_a_terminal() -> None:
    stream = logging_to("console")
    structlog.stdlib.get_logger("ours").info("hello", node="n")
    assert "\x1b" not in stream.getvalue()
    assert "hello" in stream.getvalue()


async def test_the_log_node_writes_at_its_level_and_gives_back_what_it_wrote() -> None:
    stream = logging_to()
    attempt = Attempt(node="n", flow="f", run_id="r", key="k")
    params = read_params(LOG, {"message": "50% done", "level": "warning", "data": {"a": [1]}})
    result = await LOG.handler(params, attempt)
    assert result == {"message": "50% done", "level": "warning", "data": {"a": [1]}}
    [line] = lines(stream)
    assert (line["event"], line["level"], line["data"]) == ("50% done", "warning", {"a": [1]})


async def test_of_what_is_long_the_log_node_writes_the_beginning_and_gives_back_all() -> None:
    stream = logging_to()
    attempt = Attempt(node="n", flow="f", run_id="r", key="k")
    params = read_params(LOG, {"message": "x" * 20_000, "data": ["y" * 20_000]})
    result: Any = await LOG.handler(params, attempt)
    assert (len(result["message"]), result["data"]) == (20_000, ["y" * 20_000])
    [line] = lines(stream)
    assert line["event"].endswith("… (20,000 characters in all)")
    assert line["data"].startswith('["yyy')
    assert len(stream.getvalue()) < 3_000
