"""The parameter `multipart` of `http.request`."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from activities.blobs import Blob
from activities.declaration import Params
from activities.http.fields import Scalar

__all__ = ["Part"]

_CONTENT_TYPE = re.compile(r"[\x21-\x7e][\x20-\x7e]*")


def _check_type(text: str | None) -> str | None:
    if text is not None and not _CONTENT_TYPE.fullmatch(text):
        raise ValueError("expected a content type such as text/csv")
    return text


class Part(Params):
    """One field of the form: a value or a file."""

    name: str = Field(min_length=1)
    """The field's name."""
    value: Scalar | None = None
    """What is in the field."""
    file: Blob | None = None
    """What is in the file, however large: a text, bytes kept by `save`, any other value as its
    JSON."""
    filename: str | None = Field(default=None, min_length=1)
    """What the file is called; as the field, if left out."""
    content_type: Annotated[str | None, AfterValidator(_check_type)] = None
    """What it is; for a file what is known of it, if left out."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.value is None) == (self.file is None):
            raise ValueError("expected exactly one of value and file")
        if self.filename is not None and self.file is None:
            raise ValueError("expected filename only with file")
        return self
