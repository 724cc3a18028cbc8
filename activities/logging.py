"""The worker's log: structlog, with everything that other libraries log routed through it."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

from activities.redaction import Redactor, current_redactor

__all__ = ["LogFormat", "configure_logging"]

LogFormat = Literal["console", "json"]

_QUIET = ("asyncio", "httpcore2", "httpx2", "temporalio")


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


def _processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderers(format: LogFormat, *, colours: bool) -> list[Processor]:
    """The text of exceptions is made first, so that it is redacted like the rest."""
    shared: list[Processor] = [structlog.processors.format_exc_info, _redact]
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


def _is_news(record: logging.LogRecord) -> bool:
    """The SDK reports failed attempts with a traceback; the node's own line says it better."""
    return getattr(record, "__temporal_error_identifier", None) != "ActivityFailure"
