"""The model that the flows of this folder ask: it makes vectors, and it answers by quoting.

    python -m examples.handbook.systems
    python -m examples.handbook.systems --makes-up

It runs on loopback and prints what it is asked. It knows no language: an answer is the sentence of
the passages that has most of the question's words. With `--makes-up` it quotes what stands nowhere.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from typing import Any

from examples.llm_service import Model, Says
from examples.service import DEFAULT_PORT, HttpService, until_interrupted

__all__ = ["KEY", "Reader"]

KEY = "model-key"

_NUMBERED = re.compile(r"^\[(\d+)\] .*\n", re.MULTILINE)
_SMALL = """
    a after am an and any are at be can do does for from have how i if in is it many me much my
    of on or our that the their there they this to was we what when where which who why with you
    your
"""


class Reader(HttpService):
    """A model on loopback; runs inside a `with`."""

    def __init__(self, port: int = 0, told: Callable[[str], None] | None = None) -> None:
        super().__init__(port)
        self.makes_up = False
        self._told = told or (lambda _line: None)
        self.model = Model(self, self._says, key=KEY)

    @property
    def texts(self) -> list[str]:
        """Every text that a vector was made of."""
        return [text for asked in self.model.questions for text in asked.get("input", [])]

    @property
    def prompts(self) -> list[str]:
        """What it was to answer."""
        asked = self.model.questions
        return [str(each["messages"][-1]["content"]) for each in asked if "messages" in each]

    def _says(self, asked: Any) -> Says:
        if "input" in asked:
            self._told(f"vectors of {len(asked['input'])} texts")
            return Says()
        prompt = str(asked["messages"][-1]["content"])
        self._told(prompt)
        answer = _answer(prompt)
        if self.makes_up:
            answer = _quoting(1, "Everybody may go home at noon.")
        self._told(json.dumps(answer))
        return Says(text=json.dumps(answer))


def _answer(prompt: str) -> dict[str, Any]:
    context, _, question = prompt.rpartition("Question: ")
    wanted = _words(question)
    best, number, quote = 0, 0, ""
    _, *parts = _NUMBERED.split(context)
    for place, text in zip(parts[::2], parts[1::2], strict=True):
        for sentence in re.split(r"(?<=[.!?])\s+|\n\s*\n", text):
            common = len(wanted & _words(sentence))
            if common > best:
                best, number, quote = common, int(place), sentence.strip()
    if best < 2:
        return {"answered": False, "answer": "", "quotes": []}
    return _quoting(number, quote)


def _quoting(passage: int, text: str) -> dict[str, Any]:
    answer = f"It says: {' '.join(text.split())}"
    return {"answered": True, "answer": answer, "quotes": [{"passage": passage, "text": text}]}


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower())) - frozenset(_SMALL.split())


def main() -> None:
    parser = argparse.ArgumentParser(description="The model that the flows here ask.")
    parser.add_argument("--makes-up", action="store_true")
    arguments = parser.parse_args()
    with Reader(DEFAULT_PORT, told=lambda line: print(line, flush=True)) as reader:
        reader.makes_up = arguments.makes_up
        print(f"A model at {reader.url}/v1; Ctrl-C ends it", flush=True)
        until_interrupted()
        print("ended")


if __name__ == "__main__":
    main()
