"""Finding runs: the filters of `list` in Temporal's own language."""

from __future__ import annotations

import pytest

from service.errors import InputWrong
from service.runs.listing import STATUSES, RunFilter, visibility_query

ALL = (
    "TaskQueue = 'flows' AND WorkflowType != 'flowrunner.cache' "
    "AND WorkflowType != 'flowrunner.lock' AND WorkflowType != 'flowrunner.rate' "
    "AND ExecutionStatus != 'ContinuedAsNew'"
)


def test_without_filters_all_runs_on_the_task_queue_are_meant() -> None:
    assert visibility_query(RunFilter(task_queue="flows")) == ALL


def test_a_flow_is_found_by_its_name_however_it_was_started() -> None:
    wanted = RunFilter(task_queue="flows", flow="hire")
    assert visibility_query(wanted) == f"{ALL} AND (FlowName = 'hire' OR WorkflowType = 'hire')"
    assert visibility_query(wanted, registered=False) == f"{ALL} AND WorkflowType = 'hire'"


@pytest.mark.parametrize(
    ("status", "term"),
    [
        ("failed", "ExecutionStatus = 'Failed'"),
        ("cancelled", "ExecutionStatus = 'Canceled'"),
        ("timed_out", "ExecutionStatus = 'TimedOut'"),
        ("waiting", "FlowStatus = 'waiting' AND ExecutionStatus = 'Running'"),
    ],
)
def test_a_status_is_temporals_own_where_it_has_one(status: str, term: str) -> None:
    assert status in STATUSES
    assert visibility_query(RunFilter(task_queue="flows", status=status)) == f"{ALL} AND {term}"


def test_every_label_must_be_there() -> None:
    wanted = RunFilter(task_queue="flows", labels=("team=hr", "site=hq"))
    assert visibility_query(wanted) == (
        f"{ALL} AND FlowLabels = 'team=hr' AND FlowLabels = 'site=hq'"
    )


@pytest.mark.parametrize("flow", ["x' OR '1' = '1", 'x"', "x\\"])
def test_a_name_cannot_change_the_query(flow: str) -> None:
    with pytest.raises(InputWrong, match="cannot be looked for"):
        visibility_query(RunFilter(task_queue="flows", flow=flow))
