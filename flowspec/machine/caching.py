"""What the key of a cached result is made of, where it must not be made of the parameters."""

from __future__ import annotations

from flowspec.expressions import compile_template
from flowspec.expressions.paths import path_text
from flowspec.values import Json

__all__ = ["keyed"]


def keyed(params: Json) -> Json:
    """The parameters as a template for the key: of a text with a secret in it, the text itself
    and whatever else it reads; of the secret, its name alone."""
    if isinstance(params, dict):
        return {key: keyed(value) for key, value in params.items()}
    if isinstance(params, list):
        return [keyed(value) for value in params]
    return _keyed_text(params) if isinstance(params, str) else params


def _keyed_text(text: str) -> Json:
    paths = [reference.path for reference in compile_template(text).references]
    if not any(path[0] == "secrets" for path in paths):
        return text
    others = dict.fromkeys(path_text(path) for path in paths if path[0] != "secrets")
    return [text.replace("${", "$${"), *(f"${{default({path}, null)}}" for path in others)]
