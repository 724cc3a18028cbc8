"""The worker's log: structlog, with everything that other libraries log routed through it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

from activities.redaction import Redactor, current_redactor
from claimcheck.errors import ClaimCheckError

__all__ = ["LogFormat", "configure_logging"]

LogFormat = Literal["console", "json"]

_QUIET = ("asyncio", "httpcore2", "httpx2", "temporalio")
_SILENT = ("mcp",)
"""They tell of trouble that the node tells of itself, with a traceback."""
_RUN_ID = re.compile(r"run ID (\S+)")
_CORE_FAILS = "Failing workflow task"


def configure_logging(format: LogFormat, level: str, *, stream: TextIO | None = None) -> None:
    """Log to `stream` (standard error by default), from `level` on; may be called again.

    Lines logged while a node is performed carry its flow, run, node and attempt, and no secret
    the node was given. Temporal's SDK is heard from warnings on.
    """
    stream = stream or sys.stderr
    before = _processors()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(format, colours=stream.isatty()),
            ],
        )
    )
    handler.addFilter(_is_news)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    quiet = max(logging.WARNING, root.level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(quiet)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderers(format: LogFormat, *, colours: bool) -> list[Processor]:
    """The text of exceptions is made first, so that it is redacted like the rest."""
    shared: list[Processor] = [_in_one_line, structlog.processors.format_exc_info, _redact]
    if format == "console":
        return [*shared, structlog.dev.ConsoleRenderer(colors=colours)]
    json = structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    return [*shared, _in_order, json]


def _in_order(_logger: object, _method: str, event: EventDict) -> EventDict:
    first = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    return {**first, **event}


def _redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    redactor = current_redactor.get()
    return event if redactor is None else _redacted(event, redactor)


def _redacted(event: MutableMapping[str, Any], redactor: Redactor) -> EventDict:
    return {
        key: value if isinstance(value, bool | int | float | None) else _plain(value, redactor)
        for key, value in event.items()
    }


def _plain(value: Any, redactor: Redactor) -> Any:
    plain = value if isinstance(value, str | list | dict) else str(value)
    return redactor.value(plain)


def _in_one_line(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Where a run meets a store or a key that is not there, no traceback tells more than the error:
    who reads the log has to mend that, and no program."""
    known = (
        _known(event.get("exc_info")) if event.get("logger", "").startswith("temporalio") else None
    )
    if known is None:
        return event
    kept = {key: value for key, value in event.items() if key != "exc_info"}
    told = "a run cannot go on, and is tried again"
    run = _RUN_ID.search(str(event.get("event")))
    named = {"run_id": run[1]} if run else {}
    return {**kept, "event": told, **named, "error": f"{type(known).__name__}: {known}"}


def _known(exc_info: object) -> ClaimCheckError | None:
    error = exc_info[1] if isinstance(exc_info, tuple) else None
    return next((one for one in _causes(error) if isinstance(one, ClaimCheckError)), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_news(record: logging.LogRecord) -> bool:
    """Not what another line says better: the node's own of a failed attempt, `_in_one_line`'s of
    a run that cannot go on."""
    if getattr(record, "__temporal_error_identifier", None) == "ActivityFailure":
        return False
    return not (record.name.startswith("temporalio.core") and _is_told(record.getMessage()))


def _is_told(message: str) -> bool:
    if _CORE_FAILS not in message:
        return False
    ours = (f'type: "{kind.__name__}"' for kind in _kinds(ClaimCheckError))
    return "Failed encoding completion" in message or any(each in message for each in ours)


def _kinds(root: type[ClaimCheckError]) -> Iterator[type[ClaimCheckError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _kinds(kind)
