"""The command `flowrunner`."""

from service.cli.app import build, run
from service.cli.composition import Composition
from service.cli.exits import ExitCode

__all__ = ["Composition", "ExitCode", "build", "run"]
