"""What a package imports to declare node types of its own: the public interface of Flowrunner.

Everything listed here keeps its meaning from release to release; nothing else does.
"""

from __future__ import annotations

from activities.attempt import Attempt
from activities.declaration import Acted, AnyImplementation, Implementation, Params, declare
from activities.errors import NodeFailed
from activities.plugins import flaws
from flowspec.catalogue import ErrorType, RetryDefaults
from flowspec.values import Json

__all__ = [
    "Acted",
    "AnyImplementation",
    "Attempt",
    "ErrorType",
    "Implementation",
    "Json",
    "NodeFailed",
    "Params",
    "RetryDefaults",
    "declare",
    "flaws",
]
