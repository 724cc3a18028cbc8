"""The names of blobs: `v1/<namespace>/<workflow id>/<sha256 of what is stored>`.

A contract: keys are in histories for as long as those are kept.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple
from urllib.parse import quote

from claimcheck.errors import ClaimInvalid

__all__ = [
    "PROBE_FOLDER",
    "BlobKey",
    "digest_of",
    "folder_of",
    "holder_folder",
    "namespace_folder",
    "notes_folder",
    "segment",
]

VERSION = "v1"
_HELD_BY = "held-by"
_LONGEST_SEGMENT = 120
_NAMELESS = "%00"
# As long as a segment may be, in characters; then what may stand in it: never `.` or `..`.
_SEGMENT = re.compile(
    rf"(?=[^/]{{1,{_LONGEST_SEGMENT}}}/)"
    r"(?:~[0-9a-f]{64}|(?!\.{1,2}/)(?:[A-Za-z0-9_.-]|%[0-9A-F]{2})+)"
)
_KEY = re.compile(
    rf"{VERSION}/(?P<namespace>{_SEGMENT.pattern})/(?P<workflow>{_SEGMENT.pattern})"
    rf"(?:/{_HELD_BY}/(?P<holder>{_SEGMENT.pattern}))?/(?P<digest>[0-9a-f]{{64}})"
)

PROBE_FOLDER = f"{VERSION}/%2Ehealth/probes"
"""Where a store tries itself out. No namespace is written like this: `segment` quotes no dot."""


class BlobKey(NamedTuple):
    """A key in its parts, as they stand in it; `holder` only in a note that the blobs of a
    workflow are held by another one as well."""

    namespace: str
    workflow: str
    digest: str
    holder: str | None = None

    @classmethod
    def parse(cls, text: str) -> BlobKey:
        """Raises `ClaimInvalid` for anything that is not exactly a key of ours."""
        found = _KEY.fullmatch(text)
        if found is None:
            raise ClaimInvalid(f"{text[:200]!r} is not the key of a blob")
        return cls(**found.groupdict())


def segment(name: str) -> str:
    """A namespace or workflow id as one part of a key: readable where it can be."""
    if not name:
        return _NAMELESS
    quoted = quote(name, safe="").replace("~", "%7E")
    if quoted in (".", ".."):
        quoted = quoted.replace(".", "%2E")
    if len(quoted) <= _LONGEST_SEGMENT and quoted != _NAMELESS:
        return quoted
    return f"~{hashlib.sha256(name.encode()).hexdigest()}"


def namespace_folder(namespace: str) -> str:
    """What all keys of a namespace begin with."""
    return f"{VERSION}/{segment(namespace)}"


def folder_of(namespace: str, workflow_id: str) -> str:
    """Where the blobs of a workflow's values are."""
    return f"{namespace_folder(namespace)}/{segment(workflow_id)}"


def holder_folder(owner_folder: str, holder: str) -> str:
    """Where it is noted that `holder`, a workflow id, holds blobs of that folder as well."""
    return f"{notes_folder(owner_folder)}/{segment(holder)}"


def notes_folder(owner_folder: str) -> str:
    """Where all of that is noted for a folder."""
    return f"{owner_folder}/{_HELD_BY}"


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
