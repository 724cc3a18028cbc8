"""Whether a failed attempt is followed by another, and when."""

from __future__ import annotations

from activities.call import RetrySettings
from activities.errors import NodeFailed

__all__ = ["LONGEST_WAIT", "is_final", "next_delay"]

LONGEST_WAIT = 24 * 3600.0
"""The longest a server's `Retry-After` is obeyed, so that none can hold a run for years."""


def is_final(failed: NodeFailed, retry: RetrySettings) -> bool:
    """`never` comes first; an error named in `only` is tried again even if it is permanent."""
    name = failed.error.name
    if name in retry.never:
        return True
    if retry.only:
        return name not in retry.only
    return failed.error.permanent


def next_delay(
    retry: RetrySettings, attempt: int, retry_after: float | None, chance: float
) -> float | None:
    """Seconds until the next attempt, or None to leave it to Temporal's own back-off.

    None as well after the last attempt.
    `chance` is a random number from 0 to 1, spread by `jitter` to both sides of the interval.
    """
    if retry.attempts is not None and attempt >= retry.attempts:
        return None
    if retry_after is None and not retry.jitter:
        return None
    spread = _interval(retry, attempt) * (1 + retry.jitter * (2 * chance - 1))
    return max(spread, min(retry_after or 0.0, LONGEST_WAIT))


def _interval(retry: RetrySettings, attempt: int) -> float:
    try:
        grown = retry.interval * retry.factor ** (attempt - 1)
    except OverflowError:
        return retry.max_interval
    return min(grown, retry.max_interval)
