"""What the claim check tells of itself, through the meter of Temporal's SDK.

With a worker that offers Prometheus metrics they stand beside Temporal's own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal

from temporalio.common import MetricMeter

from claimcheck.errors import ClaimCheckError

__all__ = ["Meters"]

Operation = Literal["put", "get"]


class Meters:
    """Counters and a histogram; without a meter they count for nobody."""

    def __init__(self, meter: MetricMeter | None = None) -> None:
        meter = meter or MetricMeter.noop
        self._values = meter.create_counter(
            "claimcheck_values", "Values put into the store and read from it"
        )
        self._bytes = meter.create_counter(
            "claimcheck_bytes", "Bytes of those values, before compression", "bytes"
        )
        self._stored = meter.create_counter(
            "claimcheck_stored_bytes", "Bytes written to the store, as they are there", "bytes"
        )
        self._hits = meter.create_counter(
            "claimcheck_cache_hits", "Values read from memory instead of the store"
        )
        self._failures = meter.create_counter(
            "claimcheck_failures", "Calls to the store that failed, by error"
        )
        # A duration is in the unit, and in the buckets, that Temporal's own latencies are in.
        self._latency = meter.create_histogram_timedelta(
            "claimcheck_latency", "How long the store took to answer", "duration"
        )

    def stored(self, size: int, written: int) -> None:
        self._values.add(1, {"operation": "put"})
        self._bytes.add(size, {"operation": "put"})
        self._stored.add(written)

    def fetched(self, size: int) -> None:
        self._values.add(1, {"operation": "get"})
        self._bytes.add(size, {"operation": "get"})

    def cache_hit(self) -> None:
        self._hits.add(1)

    @contextmanager
    def timed(self, operation: Operation) -> Iterator[None]:
        began = time.perf_counter()
        yield
        took = timedelta(seconds=time.perf_counter() - began)
        self._latency.record(took, {"operation": operation})

    @contextmanager
    def failures(self, operation: Operation) -> Iterator[None]:
        try:
            yield
        except ClaimCheckError as error:
            self._failures.add(1, {"operation": operation, "error": type(error).__name__})
            raise
