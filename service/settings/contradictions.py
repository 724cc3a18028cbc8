"""What the claim check's variables say against each other, all of it at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["HOMELESS", "contradictions", "default_folder", "r2_endpoint"]

_IN_A_BUCKET = (
    "BLOB_STORAGE_BUCKET",
    "BLOB_STORAGE_PREFIX",
    "BLOB_STORAGE_ENDPOINT",
    "BLOB_STORAGE_REGION",
    "BLOB_STORAGE_ACCESS_KEY_ID",
    "BLOB_STORAGE_SECRET_ACCESS_KEY",
)
_CREDENTIALS = ("BLOB_STORAGE_ACCESS_KEY_ID", "BLOB_STORAGE_SECRET_ACCESS_KEY")

HOMELESS = (
    "BLOB_STORAGE_PATH: nothing is set, and this user has no home to keep blobs in; set it to a "
    "folder, or BLOB_STORAGE_TYPE to s3 or r2"
)


def contradictions(given: Mapping[str, object]) -> Iterator[str]:
    """A line for each variable that does not fit the others; `given` holds those set, by name.

    A bad type of store is told elsewhere: nothing is said of what would fit it.
    """
    kind = str(given.get("BLOB_STORAGE_TYPE", "filesystem")).lower()
    if kind == "filesystem":
        yield from _against_filesystem(given)
    elif kind in ("s3", "r2"):
        yield from _against_bucket(kind, given)
    if kind == "r2":
        yield from _against_r2(given)
    yield from _against_keys(given)


def default_folder() -> Path | None:
    """Where this system keeps a user's data; None if the user has no home."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    own = Path(os.environ.get("XDG_DATA_HOME", ""))
    if sys.platform == "darwin":
        data = home / "Library" / "Application Support"
    else:
        data = own if own.is_absolute() else home / ".local" / "share"
    return data / "flowrunner" / "blobs"


def _against_filesystem(given: Mapping[str, object]) -> Iterator[str]:
    for name in _IN_A_BUCKET:
        if name in given:
            yield (
                f"{name}: is set, but BLOB_STORAGE_TYPE is filesystem, which has no bucket; set "
                "BLOB_STORAGE_TYPE to s3 or r2, or unset this"
            )
    # Others have use for this name too: who says `filesystem` means it.
    if "R2_ACCOUNT_ID" in given and "BLOB_STORAGE_TYPE" not in given:
        yield (
            "R2_ACCOUNT_ID: is set, but BLOB_STORAGE_TYPE is not; set that to r2 if it is where "
            "large values are to be kept, else to filesystem"
        )
    if "BLOB_STORAGE_PATH" not in given and default_folder() is None:
        yield HOMELESS


def _against_bucket(kind: str, given: Mapping[str, object]) -> Iterator[str]:
    if "BLOB_STORAGE_BUCKET" not in given:
        yield (
            f"BLOB_STORAGE_BUCKET: nothing is set, but BLOB_STORAGE_TYPE is {kind}; set it to the "
            "name of the bucket"
        )
    if "BLOB_STORAGE_PATH" in given:
        yield (
            f"BLOB_STORAGE_PATH: is set, but BLOB_STORAGE_TYPE is {kind}, which keeps nothing in "
            "files; set BLOB_STORAGE_TYPE to filesystem, or unset this (a folder in the bucket is "
            "BLOB_STORAGE_PREFIX)"
        )
    present = [name for name in _CREDENTIALS if name in given]
    if len(present) == 1:
        (missing,) = set(_CREDENTIALS) - set(present)
        yield (
            f"{missing}: nothing is set, but {present[0]} is; set both, or neither to take the "
            "credentials that AWS's own tools would take"
        )


def _against_r2(given: Mapping[str, object]) -> Iterator[str]:
    account, endpoint = given.get("R2_ACCOUNT_ID"), given.get("BLOB_STORAGE_ENDPOINT")
    if account is None and endpoint is None:
        yield (
            "R2_ACCOUNT_ID: nothing is set, but BLOB_STORAGE_TYPE is r2; set it to the id of the "
            "Cloudflare account, or BLOB_STORAGE_ENDPOINT to the URL of the store"
        )
    if account is None or endpoint is None:
        return
    if str(endpoint).rstrip("/") != r2_endpoint(str(account)):
        yield (
            f"BLOB_STORAGE_ENDPOINT: found {str(endpoint)!r}, but R2_ACCOUNT_ID stands for "
            f"{r2_endpoint(str(account))!r}; unset one of the two"
        )


def _against_keys(given: Mapping[str, object]) -> Iterator[str]:
    named = [name for name in ("CLAIM_CHECK_KEYS", "CLAIM_CHECK_KEYS_FILE") if name in given]
    if len(named) == 2:
        yield "CLAIM_CHECK_KEYS_FILE: is set, but CLAIM_CHECK_KEYS is set too; unset one of the two"
    if not named and str(given.get("CLAIM_CHECK_ENCRYPT", "")).lower() == "on":
        yield (
            "CLAIM_CHECK_ENCRYPT: found 'on', but there are no keys; set CLAIM_CHECK_KEYS or "
            "CLAIM_CHECK_KEYS_FILE (`flowrunner blobs new-key` makes a key)"
        )


def r2_endpoint(account: str) -> str:
    return f"https://{account}.r2.cloudflarestorage.com"
