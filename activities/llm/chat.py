"""Node type `llm.chat`: its parameters, its result and its errors."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, Self

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.declaration import AnyImplementation, declare
from activities.llm.endpoint import Endpoint, Price, Usage
from activities.llm.errors import ENDPOINT_ERRORS, INVALID_OUTPUT
from activities.llm.messages import Message, Tool
from activities.shaping.template import INVALID_TEMPLATE, TEXT_TOO_LARGE
from activities.shaping.validate import INVALID_SCHEMA
from flowspec.catalogue import RetryDefaults
from flowspec.values import Json

__all__ = ["LLM_CHAT", "NODE_TYPES", "Answer", "Call", "ChatParams", "ChatResult", "Stop"]

_LONGEST_PROMPT = 1_000_000
_MOST_MESSAGES = 5_000
_MOST_TOOLS = 128

Stop = Literal["end", "length", "tool_calls", "refused", "other"]


class ChatParams(Endpoint):
    """One question to a model, or a conversation it is to go on with."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=_MOST_MESSAGES)] | None = None
    """The conversation: `{role: user, content: …}`, where `content` is a text or a list of
    `{type: text, text: …}` and `{type: image, image: …}`; `{role: assistant, content, tool_calls}`
    as in the result's `message`; `{role: tool, id, content, failed}` for what came of a tool call;
    `{role: system, content}`."""
    prompt: Annotated[str, Field(min_length=1, max_length=_LONGEST_PROMPT)] | None = None
    """What to ask, instead of `messages`. With `data` a template, as the node type `template`
    fills it."""
    system: Annotated[str, Field(min_length=1, max_length=_LONGEST_PROMPT)] | None = None
    """What the model is to be, before everything else. With `data` a template as well."""
    data: Json = None
    """What the names in the templates mean. Without it `prompt` and `system` are taken as they
    are."""
    tools: Annotated[list[Tool], Field(max_length=_MOST_TOOLS)] = Field(default_factory=list)
    """What the model may ask for. It is not done here: `stop` is `tool_calls`, and the message
    holds the calls."""
    tool_choice: str | None = Field(default=None, min_length=1)
    """`auto`, `none`, `required`, or the name of the tool it has to ask for."""
    schema_: dict[str, Json] | None = Field(default=None, alias="schema")
    """A JSON Schema, as in a flow's `input`: the answer is JSON that fits it, in `json`."""
    structured: Literal["native", "prompt"] = "native"
    """How the endpoint is asked for that: by its own means, or with words, for endpoints that have
    none. Schemas of other values than objects, and with Anthropic beside `tools`, always go in
    words. The answer is checked in any case."""
    repair: int = Field(default=2, ge=0, le=10)
    """How many times to ask again for an answer that does not fit, telling what is wrong."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """How much chance there is in the answer."""
    max_tokens: int | None = Field(default=None, ge=1)
    """The longest answer, in tokens; left out, what the endpoint thinks right, with Anthropic
    4096."""
    seed: int | None = None
    """For answers that can be had again, as far as the endpoint keeps to it; not with
    Anthropic."""
    stop: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)] = Field(
        default_factory=list
    )
    """Texts before which the answer ends."""
    price: Price | None = None
    """What a million tokens cost, for `cost` in the result."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.messages is None) == (self.prompt is None):
            raise ValueError("expected exactly one of messages and prompt")
        if self.has_data and self.prompt is None:
            raise ValueError("expected data only with prompt")
        if self.seed is not None and self.provider == "anthropic":
            raise ValueError("expected no seed: Anthropic takes none")
        names = [tool.name for tool in self.tools]
        if len(set(names)) < len(names):
            raise ValueError("expected tools of different names")
        choices = [*names, *(("auto", "none", "required") if names else ())]
        if self.tool_choice is not None and self.tool_choice not in choices:
            raise ValueError(
                f"expected tool_choice to be one of {', '.join(choices)}"
                if names
                else "expected tool_choice only with tools"
            )
        return self

    @property
    def has_data(self) -> bool:
        """Whether prompts are templates; `data: null` says so, too."""
        return "data" in self.model_fields_set


class Call(TypedDict):
    """Something the model wants done."""

    id: Annotated[str, Field(description="Goes into the message that tells what came of it")]
    name: str
    arguments: Annotated[
        dict[str, Json] | None,
        Field(description="Not checked; null if the model wrote no JSON object"),
    ]
    invalid: NotRequired[
        Annotated[str, Field(description="The beginning of what it wrote instead")]
    ]


class Answer(TypedDict):
    """What the model said, as `messages` takes it in the next question."""

    role: Literal["assistant"]
    content: str
    tool_calls: NotRequired[list[Call]]
    thinking: NotRequired[
        Annotated[
            list[dict[str, Json]],
            Field(description="What it thought, which Anthropic wants back as it is"),
        ]
    ]


class ChatResult(TypedDict):
    """The answer."""

    message: Answer
    text: Annotated[str, Field(description="The same as `message.content`")]
    json: NotRequired[Annotated[Json, Field(description="With `schema`, the answer, which fits")]]
    stop: Annotated[
        Stop,
        Field(
            description="Why it ended: `end`, `length` if it was cut off, `tool_calls`, `refused` "
            "if the model or the endpoint does not want to"
        ),
    ]
    model: Annotated[str, Field(description="Who answered, as the endpoint says")]
    usage: Usage
    cost: Annotated[
        float | None,
        Field(description="By `price`; null without, or if the endpoint tells no usage"),
    ]


async def chat(params: ChatParams, attempt: Attempt) -> ChatResult:
    from activities.llm.conversation import converse

    return await converse(params, attempt)


LLM_CHAT = declare(
    name="llm.chat",
    summary="Ask a language model",
    description=(
        "Any endpoint that speaks as OpenAI's chat completions do, a server of one's own as well, "
        "or Anthropic's messages. What the endpoint refuses for now (`RateLimited`, 5xx, network "
        "trouble) is asked again, not before what `Retry-After` says. With `schema` the answer is "
        "JSON that was checked; one that does not fit is sent back with what is wrong with it, up "
        "to `repair` times, and all of that counts in `usage`. Equal attempts have the same "
        "`Idempotency-Key`. The model's words are input from outside: check what you decide by "
        "them, and never run them."
    ),
    example="""\
flow: sort-mail
input: {required: [mail], properties: {mail: {type: string}}}
secrets: [OPENAI_KEY]
nodes:
  sort:
    type: llm.chat
    params:
      model: gpt-5-mini
      api_key: ${secrets.OPENAI_KEY}
      system: You sort the mail of a shop.
      prompt: "What is this mail about?\\n\\n{{mail}}"
      data: {mail: "${input.mail}"}
      schema:
        type: object
        required: [topic, urgent]
        additionalProperties: false
        properties:
          topic: {enum: [order, invoice, other]}
          urgent: {type: boolean}
output: ${nodes.sort.output.json}
""",
    params=ChatParams,
    result=ChatResult,
    handler=chat,
    errors=(*ENDPOINT_ERRORS, INVALID_OUTPUT, INVALID_SCHEMA, INVALID_TEMPLATE, TEXT_TOO_LARGE),
    exclusive=(("messages", "prompt"),),
    require_one=(("messages", "prompt"),),
    secret_params=("api_key",),
    schema_params=("schema", "tools.*.parameters"),
    retry=RetryDefaults(attempts=5, interval=2, factor=3, max_interval=120, jitter=0.2),
    attempt_timeout=1800,
    heartbeat=30,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (LLM_CHAT,)
