"""Node type `llm.embed`: its parameters, its result and its errors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.declaration import AnyImplementation, declare
from activities.llm.endpoint import Endpoint, InputPrice, Usage
from activities.llm.errors import ENDPOINT_ERRORS
from flowspec.catalogue import RetryDefaults

__all__ = ["NODE_TYPES", "EmbedParams", "EmbedResult", "EmbeddingModel"]

_MOST_TEXTS = 2_000
_MOST_AT_ONCE = 2_048


class EmbeddingModel(Endpoint):
    """A model that makes vectors of texts."""

    provider: Literal["openai"] = "openai"
    """Whose API the endpoint speaks; Anthropic has none for this."""
    dimensions: int | None = Field(default=None, ge=1, le=100_000)
    """How long vectors are to be, for models that leave the choice."""
    batch: int = Field(default=100, ge=1, le=_MOST_AT_ONCE)
    """How many texts to send at once."""
    price: InputPrice | None = None
    """What a million tokens cost, for `cost` in the result."""


class EmbedParams(EmbeddingModel):
    """Texts, and the model for them."""

    input: str | Annotated[list[str], Field(max_length=_MOST_TEXTS)]
    """A text, or up to 2000 of them."""


class EmbedResult(TypedDict):
    """What came of the texts."""

    vectors: Annotated[
        list[list[float]], Field(description="One for each text, in their order; one for a text")
    ]
    model: Annotated[str, Field(description="Who made them, as the endpoint says")]
    dimensions: Annotated[int, Field(description="How long each is; 0 if there are none")]
    usage: Usage
    cost: Annotated[
        float | None,
        Field(description="By `price`; null without, or if the endpoint tells no usage"),
    ]


async def vectors(params: EmbedParams, attempt: Attempt) -> EmbedResult:
    from activities.llm.embedding import embed

    texts = [params.input] if isinstance(params.input, str) else params.input
    made = await embed(texts, params, attempt)
    return {
        "vectors": made.vectors,
        "model": made.model,
        "dimensions": made.dimensions,
        "usage": made.spent.usage(),
        "cost": made.spent.cost(params.price),
    }


LLM_EMBED = declare(
    name="llm.embed",
    summary="Make vectors of texts",
    description=(
        "Of texts that mean much the same a model makes vectors that are close to each other. Any "
        "endpoint that speaks as OpenAI's embeddings do. Vectors can only be compared with those "
        "of the same model and the same `dimensions`. What the endpoint refuses for now is asked "
        "again, all batches from the beginning."
    ),
    example="""\
flow: vectors
input: {required: [texts], properties: {texts: {type: array, items: {type: string}}}}
secrets: [OPENAI_KEY]
nodes:
  embed:
    type: llm.embed
    params:
      model: text-embedding-3-small
      api_key: ${secrets.OPENAI_KEY}
      input: ${input.texts}
output: ${nodes.embed.output.vectors}
""",
    params=EmbedParams,
    result=EmbedResult,
    handler=vectors,
    errors=ENDPOINT_ERRORS,
    secret_params=("api_key",),
    retry=RetryDefaults(attempts=5, interval=2, factor=3, max_interval=120, jitter=0.2),
    attempt_timeout=1800,
    heartbeat=30,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (LLM_EMBED,)
