"""What can go wrong between a value and the store; each says what to do about it."""

from __future__ import annotations

__all__ = [
    "BlobDamaged",
    "BlobMissing",
    "BlobTooLarge",
    "ClaimCheckError",
    "ClaimInvalid",
    "KeyUnknown",
    "SealBroken",
    "StoreFull",
    "StoreRefused",
    "StoreUnavailable",
]


class ClaimCheckError(Exception):
    """The root of this package's errors.

    `passing` says whether the same call may succeed later without anyone giving other values.
    """

    passing = False


class StoreUnavailable(ClaimCheckError):
    """The store does not answer, or not in time, or with an error of its own."""

    passing = True


class StoreRefused(StoreUnavailable):
    """The store is there and lets us not in: credentials, permissions, a bucket that is missing.

    Passing, for whoever runs the store can mend it, and no value is lost until then.
    """


class StoreFull(StoreUnavailable):
    """There is no room left in the store."""


class BlobMissing(ClaimCheckError):
    """The store answers, and has no blob under the key."""


class BlobDamaged(ClaimCheckError):
    """What the store gave is not what was put there."""


class BlobTooLarge(ClaimCheckError):
    """The blob is larger than what the reader is willing to take into memory."""


class ClaimInvalid(ClaimCheckError):
    """The claim is not one of ours, or not for this namespace; nothing was read for it."""


class SealBroken(ClaimCheckError):
    """An encrypted payload is not what was encrypted, or stands where it was not meant to."""


class KeyUnknown(ClaimCheckError):
    """It was encrypted with a key that is not in the key ring.

    Passing, for the key may be added to the ring.
    """

    passing = True
