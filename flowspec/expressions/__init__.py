"""The expressions inside `${…}`: pure, deterministic, and bounded in what they may cost."""

from flowspec.expressions.budget import Budget
from flowspec.expressions.errors import BudgetExceeded, ExpressionError, MissingValue
from flowspec.expressions.expression import Expression, compile_condition, compile_expression
from flowspec.expressions.function import Function
from flowspec.expressions.functions import FUNCTIONS
from flowspec.expressions.reader import Reader
from flowspec.expressions.references import (
    CONTEXT_NAMES,
    Reference,
    scope_for,
    unknown_names,
)
from flowspec.expressions.templates import Template, compile_template, evaluate_at, problems_in

__all__ = [
    "CONTEXT_NAMES",
    "FUNCTIONS",
    "Budget",
    "BudgetExceeded",
    "Expression",
    "ExpressionError",
    "Function",
    "MissingValue",
    "Reader",
    "Reference",
    "Template",
    "compile_condition",
    "compile_expression",
    "compile_template",
    "evaluate_at",
    "problems_in",
    "scope_for",
    "unknown_names",
]
