"""What a worker reads for single families of node types."""

from __future__ import annotations

from service.settings.environment import EnvironmentSettings

__all__ = ["NodeSettings"]


class NodeSettings(EnvironmentSettings):
    """What the operator lets node types do on the worker's machine, and where they keep things."""
