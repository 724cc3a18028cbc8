"""A model on loopback, and nodes that ask it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.llm.chat import LLM_CHAT
from activities.llm.embed import LLM_EMBED
from examples.llm_service import Model, Says, vector_of
from examples.service import Answer, HttpService
from tests.attempts import claims_in_memory, lasting
from tests.shaping import act

__all__ = ["Answer", "Asked", "Model", "Says", "asked", "lasting_after", "vector_of"]


class Asked(Model):
    """A model with the two ways to it."""

    def __init__(self, service: HttpService) -> None:
        super().__init__(service, key="sk-right")
        self.service = service
        self.claims = claims_in_memory(threshold=1_000_000)
        self.openai: dict[str, Any] = {
            "base_url": f"{service.url}/v1",
            "model": "m-1",
            "api_key": "sk-right",
        }
        self.anthropic: dict[str, Any] = {
            "provider": "anthropic",
            "base_url": service.url,
            "model": "c-1",
            "api_key": "sk-right",
        }

    async def chat(self, *answers: Says | Answer, via: str = "openai", **params: Any) -> Any:
        """What `llm.chat` gives when the model says this."""
        self.says(*answers)
        given = {"prompt": "Hello?", **getattr(self, via), **params}
        if "messages" in given:
            del given["prompt"]
        return await act(LLM_CHAT, self.claims, **given)

    async def refused(self, error: str, *answers: Says | Answer, **params: Any) -> ApplicationError:
        """The error of that type that `llm.chat` ends with."""
        with pytest.raises(ApplicationError) as caught:
            await self.chat(*answers, **params)
        assert caught.value.type == error, caught.value
        return caught.value

    async def embed(self, *answers: Says | Answer, **params: Any) -> Any:
        """What `llm.embed` gives."""
        self.says(*answers)
        return await act(LLM_EMBED, self.claims, **{**self.openai, **params})


@contextmanager
def asked() -> Iterator[Asked]:
    with HttpService() as service:
        yield Asked(service)


def lasting_after(seconds: float, progress: Any) -> ActivityEnvironment:
    """A second attempt, after one that got so far."""
    env = lasting(seconds)
    env.info = dataclasses.replace(env.info, attempt=2, heartbeat_details=[progress])
    return env
