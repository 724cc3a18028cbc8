"""The connection to Temporal, and what is said when there is none."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode, TLSConfig

from service.errors import NamespaceMissing, TemporalUnreachable
from service.settings import TemporalSettings, TlsSettings

__all__ = ["connect"]

_SECONDS = 5
_TIMEOUT = timedelta(seconds=_SECONDS)
_SILENT = f"no answer within {_SECONDS} seconds"
_STRANGER = "what answers there does not seem to be a Temporal server"
_REFUSED = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED)


async def connect(
    settings: TemporalSettings,
    *,
    runtime: Runtime | None = None,
    converter: DataConverter = DataConverter.default,
) -> Client:
    """A client that has reached the server and found its namespace.

    Raises `TemporalUnreachable`, and its subclass `NamespaceMissing`, within about five seconds.
    """
    try:
        # The SDK's own timeout covers the TCP connection, not a server that then says nothing.
        async with asyncio.timeout(_SECONDS):
            client = await Client.connect(
                settings.address,
                namespace=settings.namespace,
                api_key=settings.api_key.get_secret_value() if settings.api_key else None,
                tls=_tls(settings.tls) if settings.tls else False,
                rpc_metadata=settings.grpc_meta,
                data_converter=converter,
                runtime=runtime,
                connect_timeout=_TIMEOUT,
                grpc_compression=_compression(settings.address),
            )
    except TimeoutError as error:
        raise TemporalUnreachable(_unreachable(settings, _SILENT)) from error
    except RuntimeError as error:  # what the SDK raises for whatever keeps it from connecting
        raise TemporalUnreachable(_unreachable(settings, _cause(str(error)))) from error
    await _find_namespace(client, settings)
    return client


async def _find_namespace(client: Client, settings: TemporalSettings) -> None:
    request = DescribeNamespaceRequest(namespace=settings.namespace)
    try:
        await client.workflow_service.describe_namespace(request, timeout=_TIMEOUT)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise NamespaceMissing(_namespace_missing(settings)) from error
        if error.status in _REFUSED:
            raise TemporalUnreachable(_refused(settings, error.message)) from error
        raise TemporalUnreachable(_unreachable(settings, error.message)) from error


def _tls(settings: TlsSettings) -> TLSConfig:
    return TLSConfig(
        domain=settings.server_name,
        server_root_ca_cert=settings.server_ca_cert,
        client_cert=settings.client_cert,
        client_private_key=settings.client_key.get_secret_value() if settings.client_key else None,
    )


def _compression(address: str) -> GrpcCompression:
    host = address.rpartition(":")[0].strip("[]")
    local = host in ("localhost", "::1") or host.startswith("127.")
    return GrpcCompression.NONE if local else GrpcCompression.GZIP


def _unreachable(settings: TemporalSettings, cause: str) -> str:
    return (
        f"Temporal cannot be reached at {settings.address} (namespace {settings.namespace!r}): "
        f"{cause}\n"
        "Start a local server with `flowrunner dev`, or set TEMPORAL_ADDRESS to one that runs."
    )


def _refused(settings: TemporalSettings, cause: str) -> str:
    return (
        f"Temporal at {settings.address} refused access to namespace {settings.namespace!r}: "
        f"{cause}\n"
        "Check TEMPORAL_API_KEY or the TEMPORAL_TLS_* certificates, and TEMPORAL_NAMESPACE."
    )


def _namespace_missing(settings: TemporalSettings) -> str:
    return (
        f"Temporal at {settings.address} has no namespace {settings.namespace!r}.\n"
        "Set TEMPORAL_NAMESPACE to one it has, or create it: "
        f"temporal operator namespace create --namespace {settings.namespace}"
    )


def _cause(text: str) -> str:
    """The SDK's error in words: it comes as the debug print of nested Rust values."""
    known = (
        ("ConnectionRefused", "nothing listens there (connection refused)"),
        ("dns error", "the name of the host is not known"),
        ("InvalidContentType", "the server does not speak TLS; is TEMPORAL_TLS right?"),
        ("UnknownIssuer", "the server's certificate is from an authority that is not known here"),
        ("CertificateRequired", "the server wants a client certificate"),
        ("TimedOut", _SILENT),
        ("deadline has elapsed", _SILENT),
        ("Unimplemented", _STRANGER),
        ("h2 protocol error", _STRANGER),
        ("connection closed", _STRANGER),
        ("connection was not ready", _STRANGER),
        ("broken pipe", _STRANGER),
        ("ConnectionReset", _STRANGER),
    )
    return next((words for sign, words in known if sign in text), text)
