"""Node type `template`: a text from a template and data."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.declaration import AnyImplementation, Params, declare
from activities.errors import NodeFailed
from flowspec.catalogue import ErrorType, RetryDefaults
from flowspec.values import Json

__all__ = [
    "INVALID_TEMPLATE",
    "NODE_TYPES",
    "TEXT_TOO_LARGE",
    "TemplateParams",
    "TemplateResult",
    "fill",
]

INVALID_TEMPLATE = ErrorType(
    name="InvalidTemplate",
    permanent=True,
    meaning="The template cannot be read, or the data does not have what it names",
)
TEXT_TOO_LARGE = ErrorType(
    name="TextTooLarge",
    permanent=True,
    meaning="The template takes too many steps, or makes too long a text",
)


class TemplateParams(Params):
    """What to fill with what."""

    template: str = Field(max_length=1_000_000)
    """The template: `{{name}}`, `{{#list}}…{{/list}}`, `{{^empty}}…{{/empty}}`, `{{! comment}}`."""
    data: Json = Field(default_factory=dict)
    """What the names in it mean. Of what comes from outside nothing is read as a template."""
    format: Literal["text", "html"] = "text"
    """For `html`, `{{name}}` writes `<`, `>`, `&` and quotes so that a page shows them, and only
    `{{{name}}}` writes them as they are. For `text` the two are the same."""
    missing: Literal["fail", "empty"] = "fail"
    """What to do where `{{name}}` is not in the data. A section without its name is left out in
    any case."""


class TemplateResult(TypedDict):
    """What came of it."""

    text: Annotated[str, Field(description="The text")]


async def fill(params: TemplateParams, _attempt: Attempt) -> TemplateResult:
    return {"text": await asyncio.to_thread(_rendered, params)}


def _rendered(params: TemplateParams) -> str:
    from activities.shaping.mustache import TemplateError, TemplateTooLarge, render

    is_html = params.format == "html"
    try:
        return render(params.template, params.data, is_html=is_html, missing=params.missing)
    except TemplateError as error:
        details: Json = {"line": error.line, "column": error.column}
        raise NodeFailed(INVALID_TEMPLATE, f"the template, {error}", details=details) from error
    except TemplateTooLarge as error:
        raise NodeFailed(TEXT_TOO_LARGE, f"the template: {error}") from error


TEMPLATE = declare(
    name="template",
    summary="Make a text from a template",
    description=(
        "The templates are Mustache: `{{customer.name}}` is replaced, `{{#items}}…{{/items}}` is "
        "repeated for each item of a list (`{{.}}` is the item itself), written once for an object "
        "or another value, and left out for what is missing, null, false or empty; "
        "`{{^items}}…{{/items}}` is the opposite. A name is looked for in the innermost section "
        "first. There are no partials, functions or other delimiters. Hand values over as `data`: "
        "a `${…}` inside the template is put into it before it is read, so its text could be tags."
    ),
    example="""\
flow: invoice-mail
input: {required: [customer, items], properties: {customer: {type: object}, items: {type: array}}}
nodes:
  mail:
    type: template
    params:
      format: html
      data: {customer: "${input.customer}", items: "${input.items}"}
      template: |
        <p>Dear {{customer.name}},</p>
        <ul>
        {{#items}}
        <li>{{title}}: {{price}} €</li>
        {{/items}}
        </ul>
        {{^items}}
        <p>Nothing is due.</p>
        {{/items}}
output: ${nodes.mail.output.text}
""",
    params=TemplateParams,
    result=TemplateResult,
    handler=fill,
    errors=(INVALID_TEMPLATE, TEXT_TOO_LARGE),
    tier="local",
    retry=RetryDefaults(attempts=3),
    attempt_timeout=60,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (TEMPLATE,)
