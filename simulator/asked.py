"""What a run asks of others, answered: by mocks, by node types that need nothing, or by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from flowspec.catalogue import NodeType
from flowspec.expressions import ExpressionError, evaluate_at
from flowspec.jsonschemas import dotted, violations
from flowspec.machine import Call, Child, ForeignCall, Machine
from flowspec.values import Json, JsonObject
from flowspec.wording import did_you_mean, nearest
from simulator.answers import Answer, Failure
from simulator.attempts import Course, course_of
from simulator.samples import completed, sample_of
from simulator.trace import Performed
from simulator.world import Unmocked

if TYPE_CHECKING:
    from simulator.run import Run

__all__ = ["Asked", "MockWrong", "Underway"]


_MOST_STEPS = 20_000


class MockWrong(Exception):
    """What a mock answers cannot be; the text says why."""


@dataclass(kw_only=True)
class Underway:
    """An activity, whose course is known from its beginning; what is seen of it is not yet."""

    performed: Performed
    course: Course

    @property
    def answer(self) -> JsonObject:
        answer = self.course.answer
        assert answer is not None
        return {"output": answer.output, "action": answer.action}

    def settle(self) -> None:
        seen, answer, error = self.performed, self.course.answer, self.course.error
        seen.attempts, seen.ended = list(self.course.attempts), self.course.ended
        seen.outcome = "success" if error is None else "failure"
        seen.error = error
        if answer is not None:
            seen.output, seen.action, seen.assumed = answer.output, answer.action, answer.assumed

    def cut(self, now: float) -> None:
        """It is given up, with the attempts it has come to."""
        begun = [each for each in self.course.attempts if each.started <= now]
        self.performed.attempts = [replace(each, ended=min(each.ended, now)) for each in begun]
        self.performed.ended, self.performed.outcome = now, "cancelled"


class Asked:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._world = run.world
        self._answered: dict[tuple[str, str], None] = {}

    # -- activities ----------------------------------------------------------------------------

    def activity(self, call: Call | ForeignCall) -> Underway:
        type = call.activity if isinstance(call, Call) else "call"
        node_type = self._world.scene.catalogue.get(type)
        try:
            params = _params(call)
        except ExpressionError as error:
            place = ".".join(map(str, ("params", *error.at)))
            wrong = Failure(type="ExpressionError", message=f"{place}: {error}", permanent=True)
            seen = self._note(call, type, None)
            return self._course(call, node_type, lambda _: Answer(failure=wrong), seen)
        return self._course(
            call,
            node_type,
            self._answers(call.id, type, params, node_type),
            self._note(call, type, params),
        )

    def _course(
        self,
        call: Call | ForeignCall,
        node_type: NodeType | None,
        answer: Callable[[int], Answer],
        seen: Performed,
    ) -> Underway:
        course = course_of(call, node_type, answer, self._world.now)
        return Underway(performed=seen, course=course)

    def _note(self, operation: Call | ForeignCall | Child, type: str, params: Json) -> Performed:
        seen = Performed(
            run=self._run.path,
            path=self._run.place_of(operation.id),
            name=self._run.name_of(self._run.node_of(operation.id)),
            type=type,
            title=operation.title,
            params=params,
            started=self._world.now,
        )
        self._world.played.performed.append(seen)
        if len(self._world.played.performed) > _MOST_STEPS:
            raise MockWrong(
                f"{seen.path} is step {_MOST_STEPS + 1:,}, more than a test has: what its mocks "
                "answer makes the flow go round for ever"
            )
        return seen

    def _answers(
        self, path: str, type: str, params: JsonObject, node_type: NodeType | None
    ) -> Callable[[int], Answer]:
        wrong = None if node_type is None or type == "call" else _misfit(node_type, params)
        if wrong is not None:
            return lambda _: Answer(failure=wrong)
        mocked = self._mocked(path, params)
        if mocked is not None:
            return lambda attempt: _fitting(mocked(attempt), node_type, path)
        real = self._world.scene.performs(type, params)
        if real is not None:
            return lambda _: real
        if not self._world.scene.assume and not path.startswith("~"):
            node = self._run.name_of(self._run.node_of(path))
            raise Unmocked(self._run.place_of(path), node, type, params)
        output = sample_of(node_type.output_schema()) if node_type is not None else None
        return lambda _: Answer(output=output, assumed=True)

    def _mocked(self, path: str, params: Json) -> Callable[[int], Answer] | None:
        name = self._run.name_of(self._run.node_of(path))
        found = self._world.scene.mocks.find(self._run.place_of(path), name)
        if found is None:
            return None
        written, mock = found
        call = self._world.next_call(written)

        def answer(attempt: int) -> Answer:
            scope: JsonObject = {"params": params, "call": call, "attempt": attempt}
            return _filled(mock.answer(call, attempt), scope, written)

        return answer

    # -- flows ---------------------------------------------------------------------------------

    def flow(self, child: Child) -> None:
        told: JsonObject = {"flow": child.flow, "input": child.argument}
        seen = self._note(child, "flow", told)
        mocked = self._turn(child.id, told)
        if mocked is None:
            self._run.open_child(child, seen)
            return
        error: JsonObject | None = None
        if mocked.failure is not None:
            failure = mocked.failure
            error = {"type": failure.type, "message": failure.message, "node": None}
            error |= {"attempt": 1, "details": failure.details}

        def end() -> None:
            self._run.end_child(child, seen, error=error, output=mocked.output)

        self._run.later(child, self._world.now + mocked.delay, end)

    def _turn(self, path: str, params: Json) -> Answer | None:
        """The answer to what is not attempted, but asked."""
        name = self._run.name_of(self._run.node_of(path))
        found = self._world.scene.mocks.find(self._run.place_of(path), name)
        if found is None:
            return None
        written, mock = found
        call = self._world.next_call(written)
        return _filled(mock.turn(call), {"params": params, "call": call}, written)

    # -- people and events ---------------------------------------------------------------------

    def look(self, waits: list[JsonObject]) -> None:
        """Answer what has begun to wait for somebody, if that is mocked."""
        for wait in waits:
            path, since = str(wait["path"]), str(wait["since"])
            if wait["kind"] not in ("approval", "event") or (path, since) in self._answered:
                continue
            self._answered[path, since] = None
            answer = self._turn(path, {})
            if answer is not None:
                self._come(wait, answer)

    def _come(self, wait: JsonObject, answer: Answer) -> None:
        path = str(wait["path"])

        def tell(machine: Machine) -> None:
            open_ = [str(each["path"]) for each in self._run.waits()]
            if path not in open_:
                return
            if wait["kind"] == "event":
                machine.signal(str(wait["name"]), answer.output)
                return
            actions = cast("list[str]", wait["actions"])
            decision: JsonObject = {"node": path, "action": answer.action or actions[0]}
            decision |= {"by": answer.by, "comment": answer.comment, "data": answer.output}
            objection = machine.objection(decision)
            if objection is not None:
                raise MockWrong(f"the mock of {path} is not accepted: {objection}")
            machine.complete(decision)

        moment = self._world.now + answer.delay
        self._world.at(moment, lambda: self._run.say(tell))


def _params(call: Call | ForeignCall) -> JsonObject:
    """What the activity is told, with placeholders for secrets; raises `ExpressionError`."""
    if isinstance(call, ForeignCall):
        return {"activity": call.activity, "args": call.arguments}
    params, deferred = call.argument["params"], call.argument.get("deferred")
    if not deferred:
        return cast(JsonObject, params)
    names = cast("list[str]", call.argument["secrets"])
    secrets: JsonObject = {name: f"<{name}>" for name in names}
    scope = {**cast(JsonObject, call.argument["scope"]), "secrets": secrets}
    return cast(JsonObject, evaluate_at(params, cast("list[str]", deferred), scope))


def _misfit(node_type: NodeType, params: JsonObject) -> Failure | None:
    """What the worker says to parameters that are not what the node type takes."""
    given: JsonObject = {name: value for name, value in params.items() if value is not None}
    found = violations(node_type.params_schema(), given)  # null is as good as left out
    if not found:
        return None
    told = "; ".join(f"{dotted(('params', *each.path))}: {each.message}" for each in found[:3])
    message = f"the parameters do not fit {node_type.name}: {told}"
    return Failure(type="InvalidParams", message=message, permanent=True)


def _filled(answer: Answer, scope: JsonObject, name: str) -> Answer:
    try:
        return answer.filled(scope)
    except ExpressionError as error:
        raise MockWrong(f"the mock of {name}: output: {error}") from error


def _fitting(answer: Answer, node_type: NodeType | None, path: str) -> Answer:
    """A mock need not say what its node type always has; what it does say has to be possible."""
    if node_type is None:
        return answer
    if answer.failure is not None:
        _demand_known(answer.failure, node_type, path)
        return answer
    schema = node_type.output_schema()
    if not schema:
        return answer
    output = completed(answer.output, schema) if answer.output is not None else sample_of(schema)
    found = violations(schema, output)
    if found:
        place = dotted(("output", *found[0].path))
        wrong = f"the mock of {path} is nothing that {node_type.name} gives"
        raise MockWrong(f"{wrong}: {place}: {found[0].message}")
    actions = node_type.actions
    if answer.action is not None and actions and answer.action not in actions:
        wrong = f"the mock of {path} ends with the action {answer.action!r}"
        raise MockWrong(f"{wrong}; {node_type.name} ends with {', '.join(actions)}")
    return replace(answer, output=output)


def _demand_known(failure: Failure, node_type: NodeType, path: str) -> None:
    """An error of another name would be tried again, or not, as no real one is."""
    names = [each.name for each in node_type.errors]
    if failure.permanent is not None or not names or failure.type in (*names, "Timeout"):
        return
    advice = did_you_mean(nearest(failure.type, names)) or (
        f"; see `flowrunner nodes {node_type.name}`, or say with `permanent` whether it is tried "
        "again"
    )
    raise MockWrong(
        f"the mock of {path} fails with {failure.type!r}, which {node_type.name} does not{advice}"
    )
