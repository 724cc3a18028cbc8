"""Exit codes are a promise to scripts, and every ending says what to do next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from claimcheck import errors as claim_errors
from service.cli.ending import failure_text, unread_text
from service.cli.exits import Ending, ExitCode, explain
from service.errors import (
    AlreadyRunning,
    DevServerFailed,
    FlowInvalid,
    InputInvalid,
    InputWrong,
    KeyMissing,
    NamespaceMissing,
    NoWorker,
    RequestRefused,
    RunEnded,
    RunNotFound,
    ServiceError,
    StoreFailed,
    TemporalUnreachable,
    ValueLost,
)
from service.runs.failures import VALUE_ERRORS, mapped
from service.runs.outcome import RunError, RunOutcome
from service.settings import SettingsInvalid


def test_the_numbers_that_scripts_rely_on() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FLOW_FAILED": 1,
        "WRONG": 2,
        "UNREACHABLE": 3,
        "BUG": 70,
        "STILL_RUNNING": 124,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputWrong("x"), ExitCode.WRONG),
        (FlowInvalid("x", {}), ExitCode.WRONG),
        (InputInvalid("x", {}), ExitCode.WRONG),
        (RequestRefused("x"), ExitCode.WRONG),
        (RunNotFound("x"), ExitCode.WRONG),
        (RunEnded("x"), ExitCode.WRONG),
        (AlreadyRunning("id", "run"), ExitCode.WRONG),
        (SettingsInvalid(("x",)), ExitCode.WRONG),
        (TemporalUnreachable("x"), ExitCode.UNREACHABLE),
        (NamespaceMissing("x"), ExitCode.UNREACHABLE),
        (DevServerFailed("x"), ExitCode.UNREACHABLE),
        (NoWorker("x"), ExitCode.UNREACHABLE),
        (StoreFailed("x"), ExitCode.UNREACHABLE),
        (KeyMissing("x"), ExitCode.WRONG),
        (ValueLost("x"), ExitCode.FLOW_FAILED),
        (ServiceError("x"), ExitCode.BUG),
        (Ending(ExitCode.FLOW_FAILED), ExitCode.FLOW_FAILED),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (ZeroDivisionError("x"), ExitCode.BUG),
    ],
)
def test_every_error_has_its_exit_code(error: BaseException, code: ExitCode) -> None:
    assert explain(error)[0] is code


MAPPED = {
    "StoreUnavailable": StoreFailed,
    "StoreRefused": StoreFailed,
    "StoreFull": StoreFailed,
    "BlobMissing": ValueLost,
    "BlobDamaged": ValueLost,
    "BlobTooLarge": ValueLost,
    "ClaimInvalid": ValueLost,
    "SealBroken": ValueLost,
    "KeyUnknown": KeyMissing,
}


@pytest.mark.parametrize("name", sorted(set(claim_errors.__all__) - {"ClaimCheckError"}))
def test_every_error_of_the_claim_check_is_one_of_ours(name: str) -> None:
    with pytest.raises(VALUE_ERRORS, match="the folder is gone") as caught, mapped("x"):
        raise getattr(claim_errors, name)("the folder is gone")
    assert type(caught.value) is MAPPED[name]


def test_a_mistake_is_told_in_its_own_words_alone() -> None:
    text = explain(InputWrong("there is no file 'x'"))[1]
    assert text == "flowrunner: there is no file 'x'"


def test_a_flows_problems_stand_alone_as_editors_read_them() -> None:
    line = "x.yaml:3:13: FR501 there is no node type 'lgo'"
    assert explain(FlowInvalid(line, {}))[1] == line


def test_an_unforeseen_error_says_how_to_see_more() -> None:
    text = explain(ZeroDivisionError("division by zero"))[1]
    assert text == (
        "flowrunner: an error that Flowrunner does not foresee: ZeroDivisionError: division by "
        "zero\n"
        "Run the command again with --debug, or FLOWRUNNER_DEBUG=1, to see where it comes from."
    )


def test_a_run_already_open_says_how_to_go_on() -> None:
    text = str(AlreadyRunning("onboard-ada", "0190"))
    assert "'onboard-ada' is open already (run 0190)" in text
    assert "flowrunner status onboard-ada" in text
    assert "--attach" in text


def test_json_of_an_outcome_always_has_the_same_keys() -> None:
    keys = ["run_id", "workflow_id", "flow", "status", "output", "error"]
    failed = RunOutcome(status="failed", error=RunError(type="T", message="m"))
    assert list(RunOutcome(status="completed", output={"a": 1}).as_json()) == keys
    assert list(failed.as_json()) == keys


def test_a_failure_names_node_type_message_attempts_and_what_to_do_next() -> None:
    error = RunError(
        type="HttpStatus",
        message="node 'account' (http.request) failed after 5 attempts: 503",
        node="account",
        attempt=5,
        attempts=5,
        details={"status": 503},
    )
    outcome = RunOutcome(status="failed", workflow_id="onboard-ada", error=error)
    assert failure_text(outcome).splitlines() == [
        "onboard-ada failed: HttpStatus",
        "  node      account",
        "  message   node 'account' (http.request) failed after 5 attempts: 503",
        "  attempts  5 of 5",
        '  details   {"status": 503}',
        "See what happened with: flowrunner logs onboard-ada",
    ]


def test_a_failure_with_attempts_left_says_why_they_were_not_made() -> None:
    error = RunError(type="HttpStatus", message="404", node="account", attempt=1, attempts=5)
    told = failure_text(RunOutcome(status="failed", workflow_id="x", error=error))
    assert "  attempts  1 of 5: an error of this type is permanent, and not tried again" in told


def test_whoever_set_a_number_for_a_text_is_told_how_to_write_it() -> None:
    message = "the flow 'a' does not take this input: zip: expected text, found 1; write \"1\""
    error = RunError(type="InputInvalid", message=message)
    told = failure_text(RunOutcome(status="failed", workflow_id="x", error=error))
    assert """--set 'zip="12345"'""" in told
    inside = failure_text(RunOutcome(status="failed", error=replace(error, node="sub")))
    assert "--set" not in inside


def test_a_failure_without_a_node_leaves_out_what_it_does_not_know() -> None:
    error = RunError(type="Cancelled", message="the run was cancelled")
    outcome = RunOutcome(status="cancelled", workflow_id="x", error=error)
    assert failure_text(outcome).splitlines() == [
        "x cancelled: Cancelled",
        "  message   the run was cancelled",
        "See what happened with: flowrunner logs x",
    ]


def test_an_output_that_cannot_be_read_says_that_the_run_completed_and_what_to_do() -> None:
    assert unread_text("hire-1", StoreFailed("the folder /x is away")).splitlines() == [
        "hire-1 completed, but its output cannot be read: the folder /x is away",
        "Get it later with: flowrunner result hire-1",
    ]
    assert unread_text("hire-1", ValueLost("no such blob")).splitlines() == [
        "hire-1 completed, but its output cannot be read: no such blob",
        "See what happened with: flowrunner logs hire-1",
    ]


def test_json_of_a_completed_run_without_its_output_says_why() -> None:
    outcome = RunOutcome(status="completed", unread=StoreFailed("away"))
    told = outcome.as_json()
    assert (told["status"], told["output"]) == ("completed", None)
    assert told["error"] == {
        "type": "StoreFailed",
        "message": "away",
        "node": None,
        "attempt": None,
        "attempts": None,
        "details": None,
    }
