"""What people write who come from other languages, and what to write here."""

from __future__ import annotations

import keyword

__all__ = [
    "FUNCTION_ALIASES",
    "LANGUAGE_WORDS",
    "refused_number",
    "refused_operator",
    "refused_word",
]

_OPERATORS = {
    "&&": "write 'and' instead of &&",
    "||": "write 'or' instead of ||; for a fallback write default(a, b)",
    "!": "write 'not' instead of !",
    "===": "write == instead of ===",
    "!==": "write != instead of !==",
    "??": "write default(a, b) instead of a ?? b",
    "?.": "write default(a.b, null) or has(a.b) instead of a?.b",
    "?": "write 'b if a else c' instead of 'a ? b : c'",
    "**": "there is no **; multiply numbers, and merge(a, b) objects",
    "<<": "there are no bit shifts",
    ">>": "there are no bit shifts",
    "&": "write 'and' instead of &; there are no bit operators",
    "|": "write 'or' instead of |; there are no bit operators and no pipes: call f(x)",
    "^": "there is no ^ operator",
    "~": "there is no ~ operator",
    "@": "there is no @ operator",
    "=": "an expression changes nothing; write == to compare",
    ":=": "an expression changes nothing; give the value to a variable in a set node",
    "->": "there are no functions of your own; list what to compute: [x.a for x in list]",
    "=>": "there are no functions of your own; list what to compute: [x.a for x in list]",
    ";": "one expression stands alone; use several nodes or several ${…}",
    "#": "an expression has no comments; write them in the YAML around it",
    "\\": "a backslash stands in a text only",
    "$": "names stand without $ in an expression: input.name",
    "`": "a text is written \"…\" or '…'",
    "...": "there is no ... here; join lists with +, objects with merge(a, b)",
    '"': 'this text is never closed: its second " is missing (a line break is written \\n)',
    "'": "this text is never closed: its second ' is missing (a line break is written \\n)",
}
_ALLOWED = frozenset("()[]{},:.+-*/%<>") | {"//", "<=", ">=", "==", "!="}
LANGUAGE_WORDS = frozenset({"and", "or", "not", "in", "if", "else", "for"})
_WORDS = {
    "True": "write true",
    "False": "write false",
    "None": "write null",
    "is": "write == to compare",
    "lambda": "there are no functions of your own; list what to compute: [x.a for x in list]",
    "await": "an expression waits for nothing; that is a node's work",
    "async": "an expression waits for nothing; that is a node's work",
    "elif": "write 'a if x else b if y else c'",
}
FUNCTION_ALIASES = {
    "now": "an expression never reads the clock; use run.started, or a time from a node's output",
    "today": 'an expression never reads the clock; use start_of(run.started, "day")',
    "random": "an expression gives the same value every time; let a node make what is random",
    "uuid": "an expression gives the same value every time; use stable_id(text)",
    "env": "an expression reads no environment; pass it as input, or declare a secret",
    "map": "write [… for x in list]",
    "filter": "write [x for x in list if …]",
    "reduce": "there is sum, min, max, any, all, join and group_by",
    "format": "put ${…} into a text, or use format_number, format_time or pad_left",
    "substring": "write text[from:to]",
    "substr": "write text[from:to]",
    "slice": "write list[from:to]",
    "concat": "join with +",
    "append": "write list + [item]",
    "push": "write list + [item]",
    "if": "write 'a if condition else b'",
    "length": "use len(…)",
    "size": "use len(…)",
    "count": "use len(…)",
    "strip": "use trim(…)",
    "includes": "use contains(…), or 'a in b'",
    "coalesce": "use default(…)",
    "exists": "use has(…)",
    "parseInt": "use int(…)",
    "parseFloat": "use float(…)",
    "string": "use str(…)",
    "toString": "use str(…)",
    "toUpperCase": "use upper(…)",
    "toLowerCase": "use lower(…)",
    "capitalize": "use title(…)",
    "startswith": "use starts_with(…)",
    "startsWith": "use starts_with(…)",
    "endswith": "use ends_with(…)",
    "endsWith": "use ends_with(…)",
    "entries": "use items(…)",
    "sorted": "use sort(…)",
    "reversed": "use reverse(…)",
    "match": "use matches(…) or extract(…)",
    "test": "use matches(…)",
    "sub": "use replace_all(…)",
    "dumps": "use to_json(…)",
    "stringify": "use to_json(…)",
    "loads": "use json(…)",
    "parse_json": "use json(…)",
    "from_json": "use json(…)",
    "type": "use type_of(…)",
    "typeof": "use type_of(…)",
    "sha256": "use hash(text)",
    "md5": 'use hash(text, "md5")',
    "jmespath": "use jmes(query, value)",
    "jq": "use jmes(query, value)",
    "dict": "write {key: value for x in list}, or merge(a, b)",
    "list": "write [… for x in list], keys(…) or values(…)",
    "set": "use unique(…)",
    "enumerate": "write [[i, list[i]] for i in range(len(list))]",
}


def refused_operator(text: str) -> str | None:
    """Why an operator is not part of the language; None if it is."""
    if text in _ALLOWED:
        return None
    return _OPERATORS.get(text, f"{text!r} means nothing here")


def refused_word(text: str) -> str | None:
    """Why a word cannot be a name here; None if it can, or belongs to the language."""
    if text in _WORDS:
        return f"{_WORDS[text]} instead of {text}" if text[0].isupper() else _WORDS[text]
    if text in LANGUAGE_WORDS or not keyword.iskeyword(text):
        return None
    return f'{text!r} cannot be a name here; as a key write x.{text} or x["{text}"]'


def refused_number(text: str) -> str:
    """Why a number is not one that JSON has."""
    if text[-1] in "smhdw" and text.rstrip("smhdw").isdigit():
        return f'{text!r} is no number; a duration is a text: "{text}"'
    if text.startswith("0") and text.isdigit():
        return f"a number does not begin with 0: write {text.lstrip('0') or '0'}"
    return f"{text!r} is neither a number as JSON has them nor a name"
