"""Whether the server has the search attributes that runs are labelled with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

__all__ = ["missing_search_attributes"]

_TIMEOUT = timedelta(seconds=5)


async def missing_search_attributes(client: Client, wanted: Mapping[str, str]) -> str | None:
    """None when the namespace has all of `wanted` (`{name: type}`, types as the CLI names them).

    Else what is wrong and the command that mends it, for people.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        found = await client.operator_service.list_search_attributes(request, timeout=_TIMEOUT)
    except RPCError as error:
        return f"it cannot be seen which search attributes there are: {error.message}"
    lacking = {
        name: kind
        for name, kind in wanted.items()
        if _plain(found.custom_attributes.get(name, 0)) != kind.lower()
    }
    if not lacking:
        return None
    flags = " ".join(f"--name {name} --type {kind}" for name, kind in lacking.items())
    return (
        f"namespace {client.namespace!r} lacks the search attributes {', '.join(lacking)}; to have "
        "runs found by them: temporal operator search-attribute create "
        f"--namespace {client.namespace} {flags} (then start the worker again)"
    )


def _plain(value: int) -> str:
    name = IndexedValueType.Name(IndexedValueType.ValueType(value))
    return name.removeprefix("INDEXED_VALUE_TYPE_").replace("_", "").lower()
