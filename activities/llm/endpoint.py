"""Where a model is asked, and what asking it costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from activities.declaration import Params
from activities.durations import Seconds
from activities.http.fields import HttpUrl, Timeouts, check_headers
from flowspec.values import Json, JsonObject

__all__ = ["Endpoint", "InputPrice", "Price", "Provider", "Spent", "Usage"]

_PER = 1_000_000
_CONNECT = 10.0

Provider = Literal["openai", "anthropic"]


def _check_key(key: str) -> str:
    try:
        check_headers({"key": key})
    except ValueError:
        raise ValueError("it has a line break or another control character") from None
    return key


def _check_extra(extra: dict[str, Json]) -> dict[str, Json]:
    if "stream" in extra:
        raise ValueError("answers are not streamed: leave out `stream`")
    return extra


class Endpoint(Params):
    """A model, and where it is asked."""

    provider: Provider = "openai"
    """Whose API the endpoint speaks: OpenAI's, as most servers and services do, or Anthropic's."""
    base_url: HttpUrl | None = None
    """Where it is, as the provider's own libraries take it, such as `http://localhost:11434/v1`;
    left out, the provider's."""
    model: str = Field(min_length=1, max_length=300)
    """The model's name."""
    api_key: Annotated[str, Field(min_length=1), AfterValidator(_check_key)] | None = None
    """The key; a server of one's own may need none."""
    timeout: Seconds = Field(default="5m", validate_default=True)
    """How long one answer may take."""
    extra: Annotated[dict[str, Json], AfterValidator(_check_extra)] = Field(default_factory=dict)
    """More for the body of the request, as the endpoint names it; it goes before what stands
    there by other parameters."""

    def limits(self) -> Timeouts:
        """Each part of the exchange may take as long as the whole, but for reaching the server."""
        limits = Timeouts.all_of(self.timeout)
        return limits.model_copy(update={"connect": min(_CONNECT, self.timeout)})


class InputPrice(Params):
    """What a million tokens cost."""

    input: float = Field(ge=0)
    """What the model reads."""


class Price(InputPrice):
    """What a million tokens cost, in a currency of your choice."""

    output: float = Field(ge=0)
    """What it writes."""
    cached_input: float | None = Field(default=None, ge=0)
    """What it has read before and the endpoint remembers; left out, the same as `input`."""


class Usage(TypedDict):
    """What was used, as far as the endpoint says so; every answer counts, also those that were
    not good enough, and those of attempts before."""

    input_tokens: Annotated[int, Field(description="Read, those of `cached_tokens` among them")]
    output_tokens: Annotated[int, Field(description="Written, thoughts among them")]
    cached_tokens: Annotated[int, Field(description="Read from what the endpoint remembers")]
    calls: Annotated[int, Field(description="How many answers there were")]


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Tokens of some answers. `told` is False if the endpoint did not say how many of each."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    calls: int = 0
    told: bool = True

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            calls=self.calls + other.calls,
            told=self.told and other.told,
        )

    def usage(self) -> Usage:
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cached_tokens": self.cached_tokens,
            "calls": self.calls,
        }

    def cost(self, price: InputPrice | None) -> float | None:
        """None without a price, or if nobody knows what was used."""
        if price is None or not self.told:
            return None
        if not isinstance(price, Price):
            return round(self.input_tokens * price.input / _PER, 10)
        cached = price.input if price.cached_input is None else price.cached_input
        fresh = self.input_tokens - self.cached_tokens
        read = fresh * price.input + self.cached_tokens * cached
        return round((read + self.output_tokens * price.output) / _PER, 10)

    def progress(self) -> JsonObject:
        """What the next attempt is to know, for `of_progress`."""
        return {"spent": asdict(self)}

    @classmethod
    def of_progress(cls, progress: Json) -> Spent:
        """What the attempt before has spent."""
        spent = progress.get("spent") if isinstance(progress, dict) else None
        return cls(**spent) if isinstance(spent, dict) else cls()  # type: ignore[arg-type]
