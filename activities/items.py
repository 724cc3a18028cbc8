"""Parameters that are lists, whose items take values by need as `Blob`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel

from activities.blobs import blob_of, blob_parameters
from activities.standins import StandIns
from claimcheck.claim import Claim

if TYPE_CHECKING:
    from activities.claims import Claims

__all__ = ["item_blobs", "leave_items"]


def item_blobs(model: type[BaseModel]) -> dict[str, frozenset[str]]:
    """For the model's own fields of type `list[Item]`, the names under which values are given to
    the item's fields of type `Blob`."""
    return {
        name: names
        for name, field in model.model_fields.items()
        if (item := _item(field.annotation)) and (names := blob_parameters(item))
    }


def _item(annotation: object) -> type[BaseModel] | None:
    if get_origin(annotation) is list:
        (inside,) = get_args(annotation)
        return inside if isinstance(inside, type) and issubclass(inside, BaseModel) else None
    if get_origin(annotation) is dict:
        return None
    return next((found for each in get_args(annotation) if (found := _item(each))), None)


async def leave_items(
    model: type[BaseModel], params: dict[str, Any], claims: Claims, stand_ins: StandIns
) -> dict[str, Any]:
    """The parameters with stand-ins for the claims that items take as blobs.

    Raises `ClaimCheckError`.
    """
    left = dict(params)
    for name, blobs in item_blobs(model).items():
        found = await claims.opened(params.get(name))
        if isinstance(found, list):
            left[name] = [await _left(each, blobs, claims, stand_ins) for each in found]
    return left


async def _left(item: Any, blobs: frozenset[str], claims: Claims, stand_ins: StandIns) -> Any:
    found = await claims.opened(item)
    if not isinstance(found, dict):
        return found
    return {
        name: stand_ins.text_for(blob_of(value, claims))
        if name in blobs and isinstance(value, Claim)
        else value
        for name, value in found.items()
    }
