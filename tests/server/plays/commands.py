"""Plays of the node types that run programs, which say back whatever they are given."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from flowspec.values import Json, JsonObject
from tests.server.plays.play import Plays, S, Setup

__all__ = ["PLAYS", "SETTINGS"]

SETTINGS: Final[Mapping[str, str]] = {
    "FLOWRUNNER_SHELL_ALLOW": "sh",
    "FLOWRUNNER_CONTAINER_ALLOW": "localhost/*",
    "FLOWRUNNER_CONTAINER_ENGINE": str(Path(__file__).with_name("engine.sh")),
}
"""What a worker needs for them. What a real engine does with a secret, `tests/unit` looks at."""

_SAY: Final = 'tee out; echo "$WORD"; cat f; (cat out f; echo "$WORD") >&2'


def _plays(more: JsonObject) -> Setup:
    def plays(_stack: ExitStack, _folder: Path) -> Plays:
        given: JsonObject = {**more, "stdin": f"a {S}", "env": {"WORD": S}, "files": {"f": S}}

        def saying(ending: str, **params: Json) -> JsonObject:
            return {**given, "command": ["sh", "-c", f"{_SAY}; {ending}"], **params}

        return Plays(
            succeed=(
                saying("true", collect=["out", "f"]),
                saying("true", save=True),
            ),
            fail=(
                saying("exit 3"),
                saying("true", parse="json"),
                saying("exec sleep 60", time="500ms"),
            ),
        )

    return plays


PLAYS: Final[Mapping[str, Setup]] = {
    "shell": _plays({}),
    "container": _plays({"image": "localhost/play:1"}),
}
