"""Failures that others have written, read whatever is in them.

The SDK reads the details of a failure before workflow code sees it, and what it cannot read, such
as a payload of some codec we have not, would fail the workflow task again and again.
"""

from __future__ import annotations

from temporalio.api.failure.v1 import Failure
from temporalio.converter import (
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    FailureConverter,
    PayloadConverter,
)

__all__ = ["UNREADABLE", "reads_whatever"]

UNREADABLE = "left out: not JSON"
"""What stands for the details of an error that nobody here can read."""


class _Reading(DefaultFailureConverter):
    def from_failure(self, failure: Failure, payload_converter: PayloadConverter) -> BaseException:
        try:
            return super().from_failure(failure, payload_converter)
        except Exception:  # whatever a payload of somebody else's makes the SDK raise
            return super().from_failure(
                _without_details(failure, payload_converter), payload_converter
            )


class _ReadingSealed(_Reading, DefaultFailureConverterWithEncodedAttributes):
    pass


def reads_whatever(given: type[FailureConverter]) -> type[FailureConverter]:
    """The failure converter that is to stand for the given one of the SDK."""
    sealed = issubclass(given, DefaultFailureConverterWithEncodedAttributes)
    return _ReadingSealed if sealed else _Reading


def _without_details(failure: Failure, converter: PayloadConverter) -> Failure:
    left = Failure()
    left.CopyFrom(failure)
    if left.HasField("application_failure_info"):
        told = converter.to_payloads_wrapper([UNREADABLE])
        left.application_failure_info.details.CopyFrom(told)
    if left.HasField("timeout_failure_info"):
        left.timeout_failure_info.ClearField("last_heartbeat_details")
    if left.HasField("canceled_failure_info"):
        left.canceled_failure_info.ClearField("details")
    return left
