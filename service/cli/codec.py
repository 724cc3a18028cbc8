"""The codec server: by itself until Ctrl-C or SIGTERM, or beside a local Temporal server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.cli.screen import note, print_text
from service.codec_endpoint import codec_endpoint, codec_guard, listen
from service.errors import DevServerFailed
from service.settings import (
    Address,
    ClaimCheckSettings,
    CodecServerSettings,
    SettingsInvalid,
    load_codec_server_settings,
)
from service.storage import open_cloakroom

__all__ = ["LocalCodec", "serve_codec"]

_HOST = "127.0.0.1"
_UI_HOSTS = ("127.0.0.1", "localhost")


@dataclass(frozen=True, kw_only=True)
class LocalCodec:
    """The one of `flowrunner dev`, for the UI on that port. Its address is not a setting's."""

    port: int
    ui_port: int | None

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self.port}"

    @asynccontextmanager
    async def running(self, namespace: str, storage: ClaimCheckSettings) -> AsyncGenerator[None]:
        """Answer while the block runs. Raises `DevServerFailed` and `SettingsInvalid`."""
        origins = tuple(f"http://{host}:{self.ui_port}" for host in _UI_HOSTS if self.ui_port)
        guard = codec_guard(
            load_codec_server_settings(), host=_HOST, namespace=namespace, origins=origins
        )
        cloakroom = open_cloakroom(storage, namespace)
        async with cloakroom.store:
            try:
                listening = listen(Address(_HOST, self.port))
            except OSError as error:
                raise DevServerFailed(
                    f"port {self.port} cannot be used for the codec server: {error.strerror}.\n"
                    "Choose another one with --codec-port."
                ) from error
            async with codec_endpoint(listening, cloakroom, guard):
                yield


async def serve_codec(
    settings: CodecServerSettings, claim_check: ClaimCheckSettings, namespace: str
) -> None:
    """Raises `SettingsInvalid` before anything is answered."""
    address = settings.address
    guard = codec_guard(settings, host=address.host, namespace=namespace)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    cloakroom = open_cloakroom(claim_check, namespace)
    async with cloakroom.store:
        try:
            listening = listen(address)
        except OSError as error:
            raise SettingsInvalid(
                (f"FLOWRUNNER_CODEC_ADDRESS: {address} cannot be listened on: {error.strerror}",)
            ) from error
        async with codec_endpoint(listening, cloakroom, guard):
            print_text(_welcome(address, namespace, wants_token=guard.token is not None))
            await stopping.wait()
    note("stopped")


def _welcome(address: Address, namespace: str, *, wants_token: bool) -> str:
    token = ' --codec-auth "Bearer $FLOWRUNNER_CODEC_TOKEN"' if wants_token else ""
    return "\n".join(
        [
            f"The codec server listens on http://{address} for namespace {namespace!r}.",
            "In another terminal:",
            f"  temporal workflow show --workflow-id ID --codec-endpoint http://{address}{token}",
            "Ctrl-C stops it.",
        ]
    )
