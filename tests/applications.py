"""The applications in examples/: folders of flows that a worker serves as a user would."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.server.support import ROOT, Product

__all__ = ["APPLICATIONS", "EXAMPLES", "commands_in", "ended", "install", "text_of"]

EXAMPLES = ROOT / "examples"
APPLICATIONS = sorted(systems.parent for systems in EXAMPLES.glob("*/systems.py"))


def install(application: Path, flows: Path, addresses: Mapping[str, str]) -> None:
    """Put the application's flows where a worker reads them, with addresses of the test's own."""
    for path in application.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        for documented, here in addresses.items():
            text = text.replace(documented, here)
        (flows / path.name).write_text(text, encoding="utf-8")


def ended(product: Product, run_id: str) -> dict[str, Any]:
    """The run's end, waited for."""
    result: dict[str, Any] = product.cli_json("result", run_id, "--json")
    return result


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def documented_secrets(application: Path) -> dict[str, str]:
    """The settings by which the application's README gives the worker its secrets."""
    text = (application / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^export (FLOWRUNNER_SECRET_\w+)=(\S+)$", text, re.MULTILINE))


def documented_commands(application: Path) -> list[list[str]]:
    """The `flowrunner` commands of the application's README, but for `dev`."""
    text = (application / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [each for block in shown for each in commands_in(block) if each != ["dev"]]


def commands_in(text: str) -> list[list[str]]:
    """The arguments of every `flowrunner` command that stands in the text."""
    found = [
        line.partition("flowrunner ")[2] for line in text.splitlines() if "flowrunner " in line
    ]
    return [shlex.split(each) for each in found]
