"""The parameter `paginate` of `http.request`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import jmespath  # type: ignore[import-untyped]
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]
from pydantic import AfterValidator, Field, model_validator

from activities.declaration import Params

__all__ = ["Paginate"]

_MOST_PAGES = 10_000
_MOST_ITEMS = 1_000_000
_COUNTED = ("page", "offset")
_READ = ("url", "cursor")


def _check_path(path: str) -> str:
    try:
        jmespath.compile(path)
    except JMESPathError as error:
        raise ValueError(f"{path!r} is not a JMESPath: {error}") from error
    return path


Path = Annotated[str, Field(min_length=1), AfterValidator(_check_path)]


class Paginate(Params):
    """How one page leads to the next."""

    by: Literal["link", "url", "cursor", "page", "offset"]
    """What leads on: the `next` of the header `Link`, a URL in the answer, a cursor in the answer,
    the number of the page, or how many items there were before."""
    next: Path | None = None
    """With `url` and `cursor`: where in the answer it is (JMESPath). The last page has none there,
    or null, false or an empty text."""
    param: str | None = Field(default=None, min_length=1)
    """With `cursor`, `page` and `offset`: the query parameter that takes it; as `by`, if left
    out."""
    first: int | None = Field(default=None, ge=0)
    """With `page` and `offset`: where to begin; 1 and 0 if left out."""
    size: int | None = Field(default=None, ge=1)
    """With `page` and `offset`: a page with fewer items is the last. If left out, only one
    without any is."""
    items: Path | None = None
    """Where in the answer the list of items is (JMESPath); if left out, the answer is the list."""
    max_pages: int = Field(default=100, ge=1, le=_MOST_PAGES)
    """After so many pages no more are asked for."""
    max_items: int = Field(default=10_000, ge=1, le=_MOST_ITEMS)
    """After so many items no more are asked for; what a page has beyond is left out."""

    @model_validator(mode="after")
    def _fits_by(self) -> Self:
        if (self.next is None) == (self.by in _READ):
            raise ValueError(f"expected `next` with by: url and by: cursor only, found {self.by}")
        if self.param is not None and self.by in ("link", "url"):
            raise ValueError(f"expected no `param` with by: {self.by}")
        if (self.first, self.size) != (None, None) and self.by not in _COUNTED:
            raise ValueError("expected `first` and `size` with by: page and by: offset only")
        return self

    @property
    def begin(self) -> int | None:
        """The number of the first page, or of its first item."""
        if self.by not in _COUNTED:
            return None
        return self.first if self.first is not None else int(self.by == "page")
