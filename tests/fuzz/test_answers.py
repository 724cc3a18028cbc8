"""What models answer, and what queries are made of."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from activities.errors import NodeFailed
from activities.llm.anthropic import ANTHROPIC
from activities.llm.chat import ChatParams
from activities.llm.dialect import Asked
from activities.llm.openai import OPENAI
from activities.sql.placeholders import PlaceholderTrouble, numbered
from activities.store.filters import Condition, fits
from flowspec.values import Json
from tests.fuzz.hostile import changed_json, changed_text, json_values

ASKED = Asked(params=ChatParams(model="m", prompt="p"), messages=[])
OPENAI_ANSWER: Json = {
    "model": "m",
    "choices": [
        {
            "finish_reason": "tool_calls",
            "message": {
                "content": "hello",
                "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": '{"a": 1}'}}],
            },
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {}},
}
ANTHROPIC_ANSWER: Json = {
    "model": "m",
    "stop_reason": "tool_use",
    "content": [
        {"type": "text", "text": "hello"},
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 1},
}


@settings(max_examples=150)
@given(changed_json([OPENAI_ANSWER, ANTHROPIC_ANSWER]), st.sampled_from([OPENAI, ANTHROPIC]))
def test_what_a_model_answers_is_a_reply_or_refused(answer: Any, dialect: Any) -> None:
    if not isinstance(answer, dict):
        return
    try:
        reply = dialect.reply(answer, ASKED)
    except (ValidationError, NodeFailed):
        return
    for call in reply.calls:
        assert isinstance(call["name"], str)
        assert call["arguments"] is None or isinstance(call["arguments"], dict)
    json.dumps([reply.text, reply.stop, reply.model, reply.calls])


CONDITION: Json = {
    "field": "a.0.b",
    "gt": 1,
    "and": [{"field": "c", "prefix": "x"}, {"or": [{"exists": True}, {"not": {"eq": None}}]}],
    "in": [1, "a", None],
}


@settings(max_examples=150)
@given(changed_json([CONDITION]), json_values(["a", "b", "c"]))
def test_a_filter_decides_or_is_refused(told: Any, value: Json) -> None:
    try:
        condition = Condition.model_validate(told)
    except ValidationError:
        return
    assert isinstance(fits(value, condition), bool)


SQL = [
    "select * from a where b = :b and c::text = ':x' -- :y\n",
    "select $a$ :x $a$, e'\\'' /* /* */ */",
]
SQL_TOKENS = ["'", '"', "$$", "$a$", ":x", "::", "/*", "*/", "--", "\n", "e'", "\\", "$1", ";", "é"]


@settings(max_examples=150)
@given(changed_text(SQL, SQL_TOKENS))
def test_values_are_found_in_sql_or_it_is_refused(sql: str) -> None:
    try:
        text, names = numbered(sql)
    except PlaceholderTrouble:
        return
    assert len(names) == len(set(names))
    assert all(f"${number}" in text for number in range(1, len(names) + 1))
