"""Where large values are kept, and how; and what the codec server reads besides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, SecretStr

from service.settings.contradictions import (
    HOMELESS,
    contradictions,
    default_folder,
    r2_endpoint,
)
from service.settings.environment import (
    EnvironmentSettings,
    SettingsInvalid,
    setting,
)
from service.settings.keys import KeysFile, KeysValue, key_ring
from service.settings.places import absolute
from service.settings.sizes import parse_size
from service.settings.worker import Address, AddressValue

if TYPE_CHECKING:
    from claimcheck.keyring import KeyRing

__all__ = ["ClaimCheckSettings", "CodecServerSettings"]

_MEGABYTE = 1024 * 1024
_R2_REGION = "auto"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_PREFIX = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_LONGEST_PREFIX = 400
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_ACCOUNT = re.compile(r"[0-9a-f]{32}")
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?"
_URL = re.compile(rf"https?://{_HOST}(?:/[^\s?#@]*)?")
_ORIGIN = re.compile(rf"https?://{_HOST}")


def _like(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if pattern.fullmatch(value):
            return value
        raise ValueError(f"not {what}")

    return check


def _read_size(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else value


def _read_lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _read_prefix(value: str) -> str:
    bare = value.strip("/")
    if len(bare) > _LONGEST_PREFIX or not _PREFIX.fullmatch(bare):
        raise ValueError("not a folder")
    return bare


def _read_origins(value: object) -> object:
    if not isinstance(value, str):
        return value
    origins = tuple(origin for part in value.split(",") if (origin := part.strip()))
    if not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError("not origins")
    return origins


_Size = Annotated[int, BeforeValidator(_read_size)]
_Account = Annotated[str, AfterValidator(_like(_ACCOUNT, "an account id"))]
_Bucket = Annotated[str, AfterValidator(_like(_BUCKET, "a bucket"))]
_Endpoint = Annotated[str, AfterValidator(_like(_URL, "a URL"))]
_Region = Annotated[str, AfterValidator(_like(_REGION, "a region"))]
_Folder = Annotated[Path, AfterValidator(absolute)]


class ClaimCheckSettings(EnvironmentSettings):
    """Everything about large values; the worker and the command must agree on it.

    `key_ring` and `folder` read what the fields only name.
    """

    type: Annotated[Literal["filesystem", "s3", "r2"], BeforeValidator(_read_lower)] = setting(
        "BLOB_STORAGE_TYPE",
        "The kind of store that large values are kept in. The files of `filesystem` are only for "
        "workers and commands that share a disk.",
        "`filesystem`, `s3` or `r2`",
        default="filesystem",
    )
    path: _Folder | None = setting(
        "BLOB_STORAGE_PATH",
        "The folder of the store `filesystem`.",
        "an absolute path",
        default=None,
        shown="`$XDG_DATA_HOME/flowrunner/blobs` or `~/.local/share/flowrunner/blobs`; on macOS "
        "`~/Library/Application Support/flowrunner/blobs`",
    )
    bucket: _Bucket | None = setting(
        "BLOB_STORAGE_BUCKET",
        "The bucket of the stores `s3` and `r2`; it must exist.",
        "the name of a bucket alone, such as `flowrunner-blobs`",
        default=None,
    )
    prefix: Annotated[str, AfterValidator(_read_prefix)] | None = setting(
        "BLOB_STORAGE_PREFIX",
        "The folder within the bucket.",
        f"a folder such as `flowrunner/blobs`, of at most {_LONGEST_PREFIX} letters, digits, "
        "dots, dashes, underscores and slashes",
        default=None,
        shown="the whole bucket",
    )
    endpoint: _Endpoint | None = setting(
        "BLOB_STORAGE_ENDPOINT",
        "Where the store of the bucket is, if not at AWS.",
        "a URL such as `http://127.0.0.1:9000`",
        default=None,
        shown="AWS, or with `R2_ACCOUNT_ID` that account's",
    )
    region: _Region | None = setting(
        "BLOB_STORAGE_REGION",
        "The region of the bucket.",
        "a region such as `eu-central-1`",
        default=None,
        shown="`auto` for `r2`, else what AWS's own tools would take",
    )
    access_key_id: SecretStr | None = setting(
        "BLOB_STORAGE_ACCESS_KEY_ID",
        "The credentials for the bucket, together with the next one.",
        "an access key id",
        default=None,
        shown="what AWS's own tools would take",
    )
    secret_access_key: SecretStr | None = setting(
        "BLOB_STORAGE_SECRET_ACCESS_KEY",
        "The secret that belongs to the access key id.",
        "a secret access key",
        default=None,
        shown="what AWS's own tools would take",
    )
    account: _Account | None = setting(
        "R2_ACCOUNT_ID",
        "The Cloudflare account of the store `r2`: takes the place of `BLOB_STORAGE_ENDPOINT`.",
        "the 32 hexadecimal digits of an account id",
        default=None,
    )
    threshold: _Size = setting(
        "CLAIM_CHECK_THRESHOLD",
        "Values whose JSON is larger are kept in the store, and only references to them travel.",
        "a size from `1` byte to `1MB`, such as `51200` or `50KB`",
        default=50 * 1024,
        ge=1,
        le=_MEGABYTE,
        shown="`50KB`",
    )
    cache: _Size = setting(
        "CLAIM_CHECK_CACHE",
        "How much of what it has read from the store a process keeps in memory; `0` for nothing.",
        "a size such as `128MB`",
        default=128 * _MEGABYTE,
        ge=0,
        shown="`128MB`",
    )
    keys: KeysValue | None = setting(
        "CLAIM_CHECK_KEYS",
        "The keys that values are encrypted with, separated by commas: the first one encrypts, "
        "all decrypt. A secret; `flowrunner blobs new-key` makes a key.",
        "keys such as `k1:…`, the base64 of 32 bytes after a name",
        default=None,
        shown="no encryption",
    )
    keys_file: KeysFile | None = setting(
        "CLAIM_CHECK_KEYS_FILE",
        "The same from a file that nobody else can read, a key a line; what follows a `#` is a "
        "comment.",
        "an absolute path",
        default=None,
    )
    encrypt: Annotated[Literal["on", "off"], BeforeValidator(_read_lower)] | None = setting(
        "CLAIM_CHECK_ENCRYPT",
        "`off` only decrypts: for the time until all processes have the keys.",
        "`on` or `off`",
        default=None,
        shown="`on` if there are keys",
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, object]) -> Iterator[str]:
        return contradictions(given)

    @property
    def folder(self) -> Path:
        """The folder of the store `filesystem`."""
        folder = self.path or default_folder()
        if folder is None:
            raise SettingsInvalid((HOMELESS,))
        return folder

    @property
    def store_endpoint(self) -> str | None:
        """The URL of the bucket's store; None for AWS."""
        return r2_endpoint(self.account) if self.type == "r2" and self.account else self.endpoint

    @property
    def store_region(self) -> str | None:
        return self.region or (_R2_REGION if self.type == "r2" else None)

    def key_ring(self) -> KeyRing | None:
        """Reads the file of the keys, if that is where they are. Raises `SettingsInvalid`."""
        encrypting = self.encrypt != "off"
        return key_ring("CLAIM_CHECK_KEYS", self.keys, self.keys_file, encrypting=encrypting)


class CodecServerSettings(EnvironmentSettings):
    """What the codec server needs besides the claim check's settings."""

    address: AddressValue = setting(
        "FLOWRUNNER_CODEC_ADDRESS",
        "Where the codec server listens.",
        "`HOST:PORT`, for example `127.0.0.1:8234`",
        default=Address("127.0.0.1", 8234),
    )
    token: SecretStr | None = setting(
        "FLOWRUNNER_CODEC_TOKEN",
        "What callers have to send as `Authorization: Bearer …`. A secret; needed unless the "
        "address is one that this machine alone can reach.",
        "a token",
        default=None,
    )
    origins: Annotated[tuple[str, ...], BeforeValidator(_read_origins)] = setting(
        "FLOWRUNNER_CODEC_ORIGINS",
        "The web pages that may ask it, separated by commas: where Temporal's UI is.",
        "origins such as `https://temporal.example.com`, without a path",
        default=("http://localhost:8233", "http://127.0.0.1:8233"),
        shown="the UI of `flowrunner dev`: `http://localhost:8233,http://127.0.0.1:8233`",
    )
