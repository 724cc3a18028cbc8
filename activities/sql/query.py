"""Node type `sql.query`: statements on a PostgreSQL database or an SQLite file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Annotated, NotRequired, Self

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from activities.addresses import ADDRESS_REFUSED
from activities.attempt import Attempt
from activities.blobs import Kept
from activities.declaration import AnyImplementation, Params, declare
from activities.durations import PositiveSeconds
from activities.errors import EXTRA_MISSING, INVALID_PARAMS, NodeFailed, needing_extra
from activities.files.files import FILE_MISSING, FILE_REFUSED, FILE_TROUBLE
from activities.sql.placeholders import PlaceholderTrouble, names_in
from flowspec.catalogue import ErrorType, Objection, RetryDefaults
from flowspec.values import Json, JsonObject
from flowspec.wording import did_you_mean, nearest

__all__ = [
    "MOST_BYTES",
    "NODE_TYPES",
    "SQL_CONFLICT",
    "SQL_CONSTRAINT",
    "SQL_ERROR",
    "SQL_LOGIN_FAILED",
    "SQL_QUERY",
    "SQL_TIMEOUT",
    "SQL_TOO_LARGE",
    "SQL_UNCONFIRMED",
    "SQL_UNREACHABLE",
    "Done",
    "QueryParams",
    "QueryResult",
    "Statement",
]

MOST_BYTES = 32_000_000

_SCHEMES = ("sqlite", "postgresql", "postgres")
_EXPECTED = "expected postgresql://… or sqlite:PATH"

SQL_ERROR = ErrorType(
    name="SqlError",
    permanent=True,
    meaning="The database does not take a statement; the details have its code as `sqlstate`",
)
SQL_CONSTRAINT = ErrorType(
    name="ConstraintViolated",
    permanent=True,
    meaning="What was to be written would break a constraint: a key that is there already, a "
    "reference to nothing, a check",
)
SQL_CONFLICT = ErrorType(
    name="SqlConflict",
    permanent=False,
    meaning="Somebody else was at the same rows: a deadlock, a serialization failure, a lock that "
    "was not to be had; nothing was changed",
)
SQL_UNREACHABLE = ErrorType(
    name="SqlUnreachable",
    permanent=False,
    meaning="No name, no connection, no connection left, or it broke; nothing was changed",
)
SQL_UNCONFIRMED = ErrorType(
    name="SqlUnconfirmed",
    permanent=False,
    meaning="The connection broke at the very end: what was changed may have been committed, so "
    "that another attempt may do it twice",
)
SQL_TIMEOUT = ErrorType(
    name="SqlTimeout",
    permanent=False,
    meaning="It took longer than `timeout`, and was cancelled; nothing was changed",
)
SQL_LOGIN_FAILED = ErrorType(
    name="SqlLoginFailed",
    permanent=True,
    meaning="The database does not take the user and the password, is not there, or its "
    "certificate is not trusted",
)
SQL_TOO_LARGE = ErrorType(
    name="SqlTooLarge",
    permanent=True,
    meaning="There are more rows than `max_rows`, or more than 32 MB of them",
)

_Text = Annotated[str, Field(min_length=1, max_length=100_000)]
_Values = dict[str, Json] | Annotated[list[dict[str, Json]], Field(max_length=10_000)]


class Statement(Params):
    """One statement, done once, or once for each of several sets of values."""

    sql: _Text
    """The statement, as it is written here, with `:name` where a value belongs."""
    params: _Values = Field(default_factory=dict)
    """The values by name; a list of such objects does the statement once for each."""

    @model_validator(mode="after")
    def _has_every_value(self) -> Self:
        _check_values(self.sql, self.params)
        return self


class QueryParams(Params):
    """What to do where."""

    url: Annotated[str, Field(min_length=1)]
    """The database: `postgresql://USER:PASSWORD@HOST/DATABASE`, or `sqlite:PATH` for a file in one
    of the folders of `FLOWRUNNER_FILES_DIRS`. TLS is verified, unless the host is this machine or
    the URL ends in `?sslmode=require` or `?sslmode=disable`."""
    sql: _Text | None = None
    """A statement, as it is written here, with `:name` where a value belongs."""
    params: _Values = Field(default_factory=dict)
    """The values by name; a list of such objects does the statement once for each."""
    transaction: list[Statement] | None = Field(default=None, min_length=1, max_length=100)
    """Several statements instead, `{sql, params}` each: all are done, or none."""
    read_only: bool = False
    """Let the database refuse every change."""
    timeout: PositiveSeconds = Field(default="60s", validate_default=True)
    """How long all of it may take; what takes longer is cancelled."""
    max_rows: int = Field(default=1_000, ge=1, le=100_000)
    """The most rows that are taken into memory; more are an error."""
    save: bool = False
    """Put the rows into the object store as they come, however many."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.sql is None) == (self.transaction is None):
            raise ValueError("expected sql or transaction")
        if self.transaction is not None and (self.params or self.save):
            raise ValueError("with transaction, each statement has its own params, and none save")
        if self.save and isinstance(self.params, list):
            raise ValueError("with save, expected params to be one object")
        if self.sql is not None:
            _check_values(self.sql, self.params)
        return self

    @property
    def statements(self) -> list[Statement]:
        if self.transaction is not None:
            return self.transaction
        return [Statement(sql=self.sql or "", params=self.params)]


def _check_values(sql: str, params: _Values) -> None:
    for values in params if isinstance(params, list) else [params]:
        if objection := _objection(sql, values):
            raise ValueError(objection.message)


def _objection(sql: str, values: Mapping[str, object]) -> Objection | None:
    """What is wrong with a statement for these values."""
    try:
        wanted = names_in(sql)
    except PlaceholderTrouble as error:
        return Objection(path=("sql",), message=str(error))
    missing, unused = sorted(wanted - values.keys()), sorted(values.keys() - wanted)
    if missing:
        meant = nearest(missing[0], unused)
        text = f"sql wants a value for :{missing[0]}, which params does not have"
        return Objection(path=("sql",), message=text + did_you_mean(meant), suggestion=meant)
    if unused:
        text = f"params has {unused[0]!r}, but sql has no :{unused[0]}"
        return Objection(path=("params",), message=text)
    return None


def _objections(params: JsonObject) -> Iterator[Objection]:
    """What can be said before a run: which values there are is known, whatever they come to."""
    url, several = params.get("url"), params.get("transaction")
    if isinstance(url, str) and "${" not in url and _scheme(url) not in _SCHEMES:
        yield Objection(path=("url",), message=_EXPECTED)
    yield from _objections_to(params)
    for index, statement in enumerate(several if isinstance(several, list) else ()):
        for each in _objections_to(statement if isinstance(statement, dict) else {}):
            yield replace(each, path=("transaction", index, *each.path))


def _objections_to(statement: JsonObject) -> Iterator[Objection]:
    sql, params = statement.get("sql"), statement.get("params", {})
    if not isinstance(sql, str) or "${" in sql:
        return
    known = [
        values
        for values in (params if isinstance(params, list) else [params])
        if isinstance(values, dict) and not any("${" in name for name in values)
    ]
    yield from islice(filter(None, (_objection(sql, values) for values in known)), 1)


def _scheme(url: str) -> str:
    return url.partition(":")[0]


class Done(TypedDict):
    """What came of a statement."""

    rows: list[dict[str, Json]]
    columns: list[str]
    count: int


class QueryResult(TypedDict):
    """What came of it."""

    rows: NotRequired[
        Annotated[list[dict[str, Json]] | Kept, Field(description="The rows, each as an object")]
    ]
    columns: NotRequired[Annotated[list[str], Field(description="The names of its columns")]]
    count: Annotated[
        int, Field(description="How many rows there are, or were changed; with several, of all")
    ]
    results: NotRequired[
        Annotated[
            list[Done],
            Field(description="With `transaction`, `rows`, `columns` and `count` of each"),
        ]
    ]


async def query(params: QueryParams, attempt: Attempt) -> QueryResult:
    attempt.conceal(params.url)
    scheme = _scheme(params.url)
    if scheme == "sqlite":
        from activities.sql import sqlite

        return await sqlite.queried(params, attempt)
    if scheme in _SCHEMES:
        with needing_extra("sql"):
            from activities.sql import postgres

        return await postgres.queried(params, attempt)
    raise NodeFailed(INVALID_PARAMS, f"url: {_EXPECTED}")


SQL_QUERY = declare(
    name="sql.query",
    summary="Ask or change a database by SQL",
    description=(
        "On PostgreSQL (with the extra `sql`) or an SQLite file, each time in a transaction of its "
        "own. The text of `sql` takes no `${…}`, which is checked before a run starts: values go "
        "by `params` and are bound by the database, so that none can become SQL. Dates and times "
        "are texts in ISO 8601, `numeric` is text so that no digit is lost, bytes are base64, in "
        "both directions. No database can promise exactly once: if the connection breaks at the "
        "very end (`SqlUnconfirmed`), or the worker crashes, another attempt does it again. Write "
        "so that this does no harm, as by `ON CONFLICT`, or have `retry: {never: "
        "[SqlUnconfirmed]}`."
    ),
    example="""\
flow: paid-orders
input: {required: [since], properties: {since: {type: string, format: date}}}
secrets: [SHOP_DB]
nodes:
  find:
    type: sql.query
    params:
      url: ${secrets.SHOP_DB}
      sql: SELECT id, total FROM orders WHERE paid >= :since ORDER BY id
      params: {since: "${input.since}"}
      read_only: true
    next: note
  note:
    type: sql.query
    params:
      url: ${secrets.SHOP_DB}
      transaction:
        - {sql: "INSERT INTO reports (since) VALUES (:since) ON CONFLICT DO NOTHING",
           params: {since: "${input.since}"}}
        - {sql: "UPDATE reports SET orders = :orders WHERE since = :since",
           params: {since: "${input.since}", orders: "${nodes.find.output.count}"}}
output: ${nodes.find.output.rows}
""",
    params=QueryParams,
    result=QueryResult,
    handler=query,
    errors=(
        SQL_ERROR,
        SQL_CONSTRAINT,
        SQL_CONFLICT,
        SQL_UNREACHABLE,
        SQL_UNCONFIRMED,
        SQL_TIMEOUT,
        SQL_LOGIN_FAILED,
        SQL_TOO_LARGE,
        FILE_MISSING,
        FILE_REFUSED,
        FILE_TROUBLE,
        ADDRESS_REFUSED,
        EXTRA_MISSING,
    ),
    exclusive=(("sql", "transaction"),),
    require_one=(("sql", "transaction"),),
    secret_params=("url",),
    literal_params=("sql", "transaction.*.sql"),
    objections=_objections,
    retry=RetryDefaults(attempts=4, interval=1, factor=3, max_interval=60, jitter=0.2),
    attempt_timeout=600,
    heartbeat=30,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (SQL_QUERY,)
