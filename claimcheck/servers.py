"""Which Temporal namespaces have blobs under one name.

A store knows namespaces by their names, and any number of Temporal servers may have one of that
name, as `default`. Who removes what one of them does not retain must know that there is no other.
So whoever puts blobs notes the id that Temporal gave the namespace, as a holder of the blobs of
a workflow that cannot be: the one without an id.
"""

from __future__ import annotations

from claimcheck.keys import BlobKey, digest_of, folder_of, holder_folder, segment
from claimcheck.stores.contract import BlobStore

__all__ = ["NOBODY", "note_server", "noted_servers", "strike_server"]

NOBODY = segment("")
"""The owner of these notes; nothing of it is ever swept."""


async def note_server(store: BlobStore, namespace: str, id: str) -> None:
    """Note that the Temporal namespace of this name and id has blobs here."""
    await store.put(b"", under=_folder(namespace, id))


async def noted_servers(store: BlobStore, namespace: str) -> frozenset[str]:
    """The ids of all Temporal namespaces of this name that have blobs here."""
    prefix = f"{folder_of(namespace, '')}/"
    keys = [BlobKey.parse(blob.key) async for blob in store.list_keys(prefix)]
    return frozenset(key.holder for key in keys if key.holder is not None)


async def strike_server(store: BlobStore, namespace: str, id: str) -> None:
    """Note that a Temporal namespace is gone, or has no blobs here any more."""
    await store.delete(f"{_folder(namespace, id)}/{digest_of(b'')}")


def _folder(namespace: str, id: str) -> str:
    return holder_folder(folder_of(namespace, ""), id)
