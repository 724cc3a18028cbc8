"""What the commands of `flowrunner secrets` do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches

import typer

from flowspec.values import Json
from service.cli.screen import columns, note, print_json, print_text
from service.errors import InputWrong
from service.settings import load_secret_settings
from service.vault import open_vault
from vault.document import Entry
from vault.errors import ValueUnfit, VaultError
from vault.values import LONGEST, is_secret_name, read_value
from vault.vault import Vault

__all__ = ["list_secrets", "remove_secret", "rotate_vault", "set_secret"]


def set_secret(name: str, *, as_argument: bool) -> None:
    if as_argument:
        raise InputWrong(
            "a value is never an argument: other users of this machine can see it there, and the "
            "shell keeps it. It may be known now, so better have it changed. Type it when you are "
            f"asked, or: flowrunner secrets set {name if is_secret_name(name) else 'NAME'} < FILE"
        )
    _check_name(name)
    with _vault() as vault:
        try:
            known = vault.write(name, read_value(_given(name)))
        except ValueUnfit as error:
            raise InputWrong(f"the value {error}") from error
    note(f"{name} has been {'changed' if known else 'set'} in {vault.path}")


def list_secrets(*, json: bool) -> None:
    with _vault() as vault:
        entries, unreadable = vault.entries(), vault.unreadable()
    if json:
        print_json(
            [_entry_json(name, entry, name not in unreadable) for name, entry in entries.items()]
        )
    elif entries:
        print_text(columns([("NAME", "SET", "KEY"), *_rows(entries, unreadable)]))
        for trouble in unreadable.values():
            note(trouble)
    else:
        note(f"the vault {vault.path} has no secrets")


def _rows(
    entries: Mapping[str, Entry], unreadable: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    for name, entry in entries.items():
        mark = "  cannot be read" if name in unreadable else ""
        yield name, f"{entry.set.astimezone():%Y-%m-%d %H:%M:%S}", f"{entry.key}{mark}"


def remove_secret(name: str) -> None:
    with _vault() as vault:
        if not vault.remove(name):
            raise InputWrong(_unknown(name, vault.entries(), vault))
    note(f"{name} has been removed from {vault.path}")


def rotate_vault() -> None:
    with _vault() as vault:
        count = vault.rotate()
    note(f"{count} secrets in {vault.path} are encrypted with the key {vault.first_key!r}")


@contextmanager
def _vault() -> Iterator[Vault]:
    """The vault that the environment describes; its errors are raised as ours."""
    vault = open_vault(load_secret_settings())
    if vault is None:
        raise InputWrong(
            "FLOWRUNNER_VAULT: nothing is set; set it to the path of the vault, which need not "
            "exist yet, and FLOWRUNNER_VAULT_KEYS to its keys (`flowrunner secrets new-key` makes "
            "one)"
        )
    try:
        yield vault
    except VaultError as error:
        raise InputWrong(str(error)) from error


def _given(name: str) -> bytes:
    if not sys.stdin.isatty():
        return sys.stdin.buffer.read(LONGEST + len("\r\n") + 1)
    asked: str = typer.prompt(
        f"Value of {name}", hide_input=True, confirmation_prompt="Once more", err=True
    )
    return asked.encode("utf-8", "surrogateescape")


def _check_name(name: str) -> None:
    if is_secret_name(name):
        return
    meant = name.upper().replace("-", "_")
    hint = f"; did you mean {meant}?" if is_secret_name(meant) else ""
    raise InputWrong(
        f"no secret can be called {name!r}: a name has a capital letter, then capitals, digits "
        f"and _{hint}"
    )


def _unknown(name: str, entries: Mapping[str, Entry], vault: Vault) -> str:
    near = get_close_matches(name.upper(), entries, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"there is no secret {name!r} in {vault.path}{hint}"


def _entry_json(name: str, entry: Entry, readable: bool) -> Json:
    moment = entry.set.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"name": name, "set": moment, "key": entry.key, "readable": readable}
