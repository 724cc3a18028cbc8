"""What goes wrong on the way, told by the errors of `http.request`."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from activities.errors import INVALID_PARAMS, NodeFailed
from activities.http.errors import INVALID_RESPONSE, NETWORK_ERROR, TIMEOUT, TLS_ERROR
from activities.http.fields import Timeouts
from flowspec.durations import format_duration

__all__ = ["mapped_errors"]


@contextmanager
def mapped_errors(name: str, limits: Timeouts) -> Iterator[None]:
    """`name` is what the exchange is called, `limits` are those it keeps to."""
    try:
        yield
    except TimeoutError as error:
        total = format_duration(limits.total or 0)
        raise NodeFailed(TIMEOUT, f"{name} took longer than {total}") from error
    except httpx2.TimeoutException as error:
        part = _TIMEOUT_PARTS.get(type(error), "read")
        limit = format_duration(getattr(limits, part))
        raise NodeFailed(TIMEOUT, f"{name}: no progress in {limit} (timeouts.{part})") from error
    except httpx2.DecodingError as error:
        raise NodeFailed(INVALID_RESPONSE, f"{name}: the body is damaged: {error}") from error
    except httpx2.LocalProtocolError as error:
        raise NodeFailed(INVALID_PARAMS, f"{name} cannot be sent: {error}") from error
    except httpx2.TransportError as error:
        raise _network_trouble(name, error) from error


_TIMEOUT_PARTS: dict[type[Exception], str] = {
    httpx2.ConnectTimeout: "connect",
    httpx2.WriteTimeout: "write",
    httpx2.PoolTimeout: "pool",
}


def _network_trouble(name: str, error: httpx2.TransportError) -> NodeFailed:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message or str(cause)
            return NodeFailed(TLS_ERROR, f"{name}: the certificate is not trusted: {why}")
        cause = cause.__cause__ or cause.__context__
    return NodeFailed(NETWORK_ERROR, f"{name}: {str(error) or type(error).__name__}")
