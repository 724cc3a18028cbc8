"""Node types `agent` and `agent.turn`: their parameters, results and errors.

An `agent` has no handler: it stands for a loop of turns and tools (see `flowspec.agents`).
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from activities.agent.conversation import Asked, Result
from activities.agent.toolbox import Offered
from activities.attempt import Attempt
from activities.declaration import Acted, AnyImplementation, Params, declare
from activities.llm.chat import LLM_CHAT, Stop
from activities.llm.endpoint import Endpoint, Price, Usage
from activities.llm.errors import ENDPOINT_ERRORS, INVALID_OUTPUT
from activities.llm.messages import Part
from activities.schemas import schema_of_params, schema_of_result
from activities.shaping.validate import INVALID_SCHEMA
from flowspec.catalogue import ErrorType, NodeType
from flowspec.values import Json

__all__ = [
    "AGENT",
    "AGENT_TURN",
    "BUDGET_SPENT",
    "NODE_TYPES",
    "AgentParams",
    "AgentResult",
    "Turn",
    "TurnParams",
]

BUDGET_SPENT = ErrorType(
    name="BudgetSpent",
    permanent=True,
    meaning="The agent has not come to an end within its `budget`; the details hold `budget`, "
    "which says what is spent, and the `transcript`, `usage` and `cost` so far",
)

_Prompt = Annotated[str, Field(min_length=1, max_length=1_000_000)]


class Budget(Params):
    """Where an agent has to come to an end. Its time is bounded by the node's `timeout`."""

    steps: int = Field(default=20, ge=1, le=1_000)
    """How many turns the model has."""
    tokens: int | None = Field(default=None, ge=1)
    """How many tokens, read and written in all turns together; no turn begins after that many."""
    cost: float | None = Field(default=None, gt=0)
    """What it may cost, by `price`; no turn begins after that."""


class AgentParams(Endpoint):
    """What an agent is to do, and with which model."""

    prompt: _Prompt | list[Part]
    """What it is to do: a text, or a list of `{type: text, text: …}` and
    `{type: image, image: …}`."""
    system: _Prompt | None = None
    """What it is, and how it goes about it."""
    schema_: dict[str, Json] | None = Field(default=None, alias="schema")
    """A JSON Schema, as in a flow's `input`: its last answer is JSON that fits it, in `json`."""
    structured: Literal["native", "prompt"] = "native"
    """As with `llm.chat`."""
    repair: int = Field(default=2, ge=0, le=10)
    """As with `llm.chat`."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """How much chance there is in its answers."""
    max_tokens: int | None = Field(default=None, ge=1)
    """The longest answer of one turn, in tokens."""
    price: Price | None = None
    """What a million tokens cost, for `cost` in the result and in `budget`."""
    budget: Budget = Budget()
    """Where it has to come to an end; 20 turns if left out."""
    longest_result: int = Field(default=20_000, ge=100, le=1_000_000)
    """How many characters of what a tool gives the model is told; the beginning of what is
    longer."""


class AgentResult(TypedDict):
    """What the agent came to, and how."""

    text: Annotated[str, Field(description="Its last answer")]
    json: NotRequired[Annotated[Json, Field(description="With `schema`, the answer, which fits")]]
    stop: Annotated[Stop, Field(description="Why the last answer ended, as with `llm.chat`")]
    transcript: Annotated[
        list[dict[str, Json]],
        Field(description="All that was said, as `messages` of `llm.chat` takes it"),
    ]
    steps: Annotated[int, Field(description="How many turns there were")]
    usage: Usage
    cost: Annotated[float | None, Field(description="By `price`; null without")]


class Turn(TypedDict):
    """What came of a turn: `calls` has what each tool is given, call by call."""

    calls: dict[str, list[Json]]
    asked: list[Asked]
    result: AgentResult


class TurnParams(AgentParams):
    """What an agent has, and where it stands."""

    tools: dict[str, Offered] = Field(default_factory=dict)
    """The tools, by the ids of their nodes."""
    servers: dict[str, list[Offered]] = Field(default_factory=dict)
    """The tools of MCP servers, by the ids of the nodes that call them."""
    so_far: Turn | None = None
    """The turn before."""
    results: dict[str, Result] = Field(default_factory=dict)
    """What became of the calls it made, by the ids of the nodes."""


async def turn(params: TurnParams, attempt: Attempt) -> Acted[Turn]:
    from activities.agent.turns import take

    return await take(params, attempt)


AGENT_TURN = declare(
    name="agent.turn",
    summary="One turn of an agent",
    description=(
        "What an `agent` is made of, so that each turn is a step of its own; in a flow, write "
        "`agent`."
    ),
    example="""\
flow: one-turn
nodes:
  ask: {type: agent.turn, params: {model: llama3, prompt: "What can you do?"}}
output: ${nodes.ask.output.result.text}
""",
    params=TurnParams,
    result=Turn,
    handler=turn,
    actions=("tools", "again", "answered"),
    errors=(*ENDPOINT_ERRORS, INVALID_OUTPUT, INVALID_SCHEMA, BUDGET_SPENT),
    secret_params=("api_key",),
    schema_params=("schema",),
    retry=LLM_CHAT.node_type.retry,
    attempt_timeout=LLM_CHAT.node_type.attempt_timeout,
    heartbeat=LLM_CHAT.node_type.heartbeat,
)

AGENT = NodeType(
    name="agent",
    summary="Let a model work with tools until it has an answer",
    description=(
        "The model is given the `prompt` and may call the `tools` of the node: nodes of any type, "
        "flows, and all tools of an MCP server, several at once. What they give is told to it, and "
        "so on until it answers without calling one. Each turn and each call is a step of its own: "
        "after a crash the agent goes on where it was, and no answer is paid for twice. A call "
        "that fails is told to the model, and so is one whose arguments do not fit. It is bounded "
        "by `budget` and by the node's `timeout`. The model's words are input from outside: give "
        "it tools that may do only what anybody who can write to it may do, and let people decide "
        "by a tool of type `approval`."
    ),
    params_schema=schema_of_params(AgentParams),
    output_schema=schema_of_result(AgentResult),
    example="""\
flow: weather-desk
input: {required: [question], properties: {question: {type: string}}}
secrets: [OPENAI_KEY]
nodes:
  answer:
    type: agent
    params:
      model: gpt-5-mini
      api_key: ${secrets.OPENAI_KEY}
      system: You answer questions about the weather, in one sentence.
      prompt: ${input.question}
      budget: {steps: 10, tokens: 50000}
    timeout: 5m
    tools:
      forecast:
        type: http.request
        description: The weather of a city in the next days
        parameters: {required: [city], properties: {city: {type: string}}}
        params: {url: "https://weather.example/v1/${call.city}"}
output: ${nodes.answer.output.text}
""",
    tier="inline",
    errors=AGENT_TURN.node_type.errors,
    secret_params=("api_key",),
    schema_params=("schema",),
)

NODE_TYPES: tuple[AnyImplementation, ...] = (AGENT_TURN,)
