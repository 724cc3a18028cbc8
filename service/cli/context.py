"""What a command is handed: the composition, and a connection when it asks for one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from service.cli.composition import Composition

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowHandle

__all__ = ["composition_of", "connected", "handle_of", "run_async"]

T = TypeVar("T")


def composition_of(context: typer.Context) -> Composition:
    composition = context.obj
    assert isinstance(composition, Composition)
    return composition


async def connected() -> Client:
    """The client that the environment describes, which reads large values from their store.

    Raises `SettingsInvalid`, `TemporalUnreachable`.
    """
    from claimcheck.codec import ClaimCodec
    from claimcheck.payloads import data_converter
    from service.client import connect
    from service.settings import load_claim_check_settings, load_temporal_settings
    from service.storage import open_cloakroom
    from service.telemetry import quiet_runtime

    temporal = load_temporal_settings()
    cloakroom = open_cloakroom(load_claim_check_settings(), temporal.namespace)
    converter = data_converter(ClaimCodec(cloakroom, role="client"))
    return await connect(temporal, runtime=quiet_runtime(), converter=converter)


async def handle_of(workflow_id: str) -> WorkflowHandle[Any, Any]:
    """The newest run of that id, there or not."""
    return (await connected()).get_workflow_handle(workflow_id)


def run_async(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)
