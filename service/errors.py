"""What can go wrong at the edges; the text of each says what to do."""

from __future__ import annotations

__all__ = [
    "DevServerFailed",
    "NamespaceMissing",
    "ServiceError",
    "TemporalUnreachable",
]


class ServiceError(Exception):
    """The root of this package's errors; the text is for people."""


class TemporalUnreachable(ServiceError):
    """No server, or one that does not let us in."""


class NamespaceMissing(TemporalUnreachable):
    """The server is there, the namespace is not."""


class DevServerFailed(ServiceError):
    """The local Temporal server could not be started, or has stopped by itself."""
