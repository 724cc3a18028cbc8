"""`secrets set`, `list`, `rm`, `rotate` and `new-key`: the vault."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.options import JsonFlag, command

__all__ = ["register"]

_PANEL = "Services"


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Keep the secrets of flows in an encrypted file, the vault.", no_args_is_help=True
    )
    command(
        group,
        set_,
        "flowrunner secrets set HR_TOKEN",
        "flowrunner secrets set DEPLOY_KEY < id_ed25519",
        name="set",
        surplus=True,
    )
    command(group, list_, "flowrunner secrets list", name="list")
    command(group, rm, "flowrunner secrets rm HR_TOKEN")
    command(group, rotate, "flowrunner secrets rotate")
    command(
        group,
        new_key,
        "flowrunner secrets new-key",
        "flowrunner secrets new-key 2027-01 >> vault-keys",
        name="new-key",
    )
    app.add_typer(group, name="secrets", rich_help_panel=_PANEL)


_Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The secret's name, as flows declare it.")
]


def set_(context: typer.Context, name: _Name) -> None:
    """Set a secret: its value is asked for without being shown, or read from standard input.

    One line end at the end of standard input is left out. The vault is FLOWRUNNER_VAULT; it is
    made if it does not exist. Running workers have the value from their next use of it.
    """
    from service.cli.vault import set_secret

    set_secret(name, as_argument=bool(context.args))


def list_(json: JsonFlag = False) -> None:
    """List the secrets in the vault: name, when it was set, and the key it is encrypted with."""
    from service.cli.vault import list_secrets

    list_secrets(json=json)


def rm(name: _Name) -> None:
    """Remove a secret from the vault."""
    from service.cli.vault import remove_secret

    remove_secret(name)


def rotate() -> None:
    """Encrypt all secrets in the vault anew, with the first key of FLOWRUNNER_VAULT_KEYS.

    It can be broken off at any time: the vault is the old one then, or the new one. After it the
    other keys are needed no more, except for backups of the vault.
    """
    from service.cli.vault import rotate_vault

    rotate_vault()


def new_key(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="What the key is known by; today's date if left out."),
    ] = None,
) -> None:
    """Print a new key for FLOWRUNNER_VAULT_KEYS. It is a secret.

    Whoever has it and the vault can read all secrets; whoever loses it has lost them.
    """
    from service.cli.storage import print_new_key

    print_new_key(name)
