"""Settings come from the environment alone, and one reading tells everything that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import (
    Address,
    NodeSettings,
    SettingsInvalid,
    WorkerSettings,
    load_dev_server_settings,
    load_temporal_settings,
    load_worker_settings,
    setting_fields,
)


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("FLOWRUNNER_", "TEMPORAL_", "FLOWS_DIR")):
            monkeypatch.delenv(name)


def _problems() -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        load_worker_settings()
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_without_variables_the_defaults_hold() -> None:
    settings = load_worker_settings()
    assert settings.task_queue == "flows"
    assert settings.flows_dir == Path("flows")
    assert settings.log_level == "info"
    assert settings.health_address is None
    assert settings.metrics_address is None
    assert settings.shutdown_grace == 30
    assert settings.secrets_allowed is None
    assert (settings.http_private, settings.http_allow) == (None, "")


def test_every_worker_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "FLOWRUNNER_TASK_QUEUE": "hr",
        "FLOWS_DIR": "/srv/flows",
        "FLOWRUNNER_PROCESSES": "3",
        "FLOWRUNNER_LOG_FORMAT": "json",
        "FLOWRUNNER_LOG_LEVEL": "DEBUG",
        "FLOWRUNNER_HEALTH_ADDRESS": "0.0.0.0:8080",
        "FLOWRUNNER_METRICS_ADDRESS": "[::1]:9090",
        "FLOWRUNNER_SHUTDOWN_GRACE": "1m30s",
        "FLOWRUNNER_MAX_CONCURRENT_ACTIVITIES": "7",
        "FLOWRUNNER_MAX_CONCURRENT_WORKFLOW_TASKS": "8",
        "FLOWRUNNER_MAX_CACHED_WORKFLOWS": "0",
        "FLOWRUNNER_SECRETS_ALLOWED": "HR_TOKEN, MAIL_PASSWORD",
        "FLOWRUNNER_HTTP_PRIVATE": "Allow",
        "FLOWRUNNER_HTTP_ALLOW": "wiki.internal:80",
        "FLOWRUNNER_FILES_DIRS": "/srv/in, /srv/out",
        "FLOWRUNNER_TEMPORAL_CLI": "/opt/temporal",
    }
    others: tuple[str, ...] = ("BLOB_STORAGE_", "CLAIM_CHECK_", "R2_", "FLOWRUNNER_CODEC_")
    others += ("FLOWRUNNER_VAULT", "FLOWRUNNER_SECRETS_DIR")
    nodes = {field.validation_alias for field in NodeSettings.model_fields.values()}
    all_ = {name for name, _ in setting_fields() if not name.startswith(others)}
    assert set(given) == all_ - nodes
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_worker_settings() == WorkerSettings(
        task_queue="hr",
        processes=3,
        flows_dir=Path("/srv/flows"),
        log_format="json",
        log_level="debug",
        health_address=Address("0.0.0.0", 8080),
        metrics_address=Address("::1", 9090),
        shutdown_grace=90.0,
        max_concurrent_activities=7,
        max_concurrent_workflow_tasks=8,
        max_cached_workflows=0,
        secrets_allowed=("HR_TOKEN", "MAIL_PASSWORD"),
        http_private="allow",
        http_allow="wiki.internal:80",
        files_dirs=(Path("/srv/in"), Path("/srv/out")),
    )
    assert load_dev_server_settings().temporal_cli == Path("/opt/temporal")


def test_a_star_allows_every_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_SECRETS_ALLOWED", "*")
    assert load_worker_settings().secrets_allowed is None


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_HEALTH_ADDRESS", "")
    monkeypatch.setenv("FLOWRUNNER_TASK_QUEUE", "")
    settings = load_worker_settings()
    assert settings.health_address is None
    assert settings.task_queue == "flows"


def test_settings_cannot_be_changed_after_reading() -> None:
    with pytest.raises(ValidationError):
        load_worker_settings().task_queue = "other"


@pytest.mark.parametrize(
    ("name", "found", "message"),
    [
        (
            "FLOWRUNNER_SHUTDOWN_GRACE",
            "30",
            "FLOWRUNNER_SHUTDOWN_GRACE: found '30', expected a duration such as `30s` or `2m`; "
            "did you mean 30s?",
        ),
        (
            "FLOWRUNNER_FILES_DIRS",
            "/srv/in,out",
            "FLOWRUNNER_FILES_DIRS: found '/srv/in,out', expected absolute paths, for example "
            "`/srv/in,/srv/out`",
        ),
        (
            "FLOWRUNNER_LOG_FORMAT",
            "jsno",
            "FLOWRUNNER_LOG_FORMAT: found 'jsno', expected `console` or `json`; did you mean json?",
        ),
        (
            "FLOWRUNNER_HEALTH_ADDRESS",
            "8080",
            "FLOWRUNNER_HEALTH_ADDRESS: found '8080', expected `HOST:PORT`, for example "
            "`127.0.0.1:8080`",
        ),
        (
            "FLOWRUNNER_METRICS_ADDRESS",
            "localhost:99999",
            "FLOWRUNNER_METRICS_ADDRESS: found 'localhost:99999', expected `HOST:PORT`, for "
            "example `127.0.0.1:9090`",
        ),
        (
            "FLOWRUNNER_MAX_CONCURRENT_ACTIVITIES",
            "0",
            "FLOWRUNNER_MAX_CONCURRENT_ACTIVITIES: found '0', expected a whole number of at "
            "least 1",
        ),
        (
            "FLOWRUNNER_SECRETS_ALLOWED",
            "hr-token",
            "FLOWRUNNER_SECRETS_ALLOWED: found 'hr-token', expected `*`, or names such as "
            "`HR_TOKEN,MAIL_PASSWORD`",
        ),
    ],
)
def test_a_bad_value_is_told_with_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, name: str, found: str, message: str
) -> None:
    monkeypatch.setenv(name, found)
    assert _problems() == (message,)


def test_everything_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_MAX_CONCURRENT_ACTIVITIES", "many")
    monkeypatch.setenv("FLOWRUNNER_LOG_LEVEL", "loud")
    monkeypatch.setenv("FLOWRUNNER_TASKQUEUE", "hr")
    names = [problem.partition(":")[0] for problem in _problems()]
    assert names == [
        "FLOWRUNNER_LOG_LEVEL",
        "FLOWRUNNER_MAX_CONCURRENT_ACTIVITIES",
        "FLOWRUNNER_TASKQUEUE",
    ]


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("FLOWRUNNER_TASKQUEUE", "did you mean FLOWRUNNER_TASK_QUEUE?"),
        ("FLOWRUNNER_FLOWS_DIR", "did you mean FLOWS_DIR?"),
        ("FLOWRUNNER_TEMPORAL_ADDRESS", "did you mean TEMPORAL_ADDRESS?"),
    ],
)
def test_an_unknown_variable_is_an_error_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, name: str, suggestion: str
) -> None:
    monkeypatch.setenv(name, "x")
    assert _problems() == (f"{name}: there is no such setting; {suggestion}",)


def test_an_unknown_variable_unlike_any_other_lists_those_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLOWRUNNER_X", "x")
    (problem,) = _problems()
    assert problem.startswith("FLOWRUNNER_X: there is no such setting; the names known are ")
    assert "FLOWRUNNER_TASK_QUEUE" in problem


def test_the_value_of_an_unknown_variable_is_not_shown_for_it_may_be_a_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLOWRUNNER_SECRT_TOKEN", "hunter2")
    assert "hunter2" not in "\n".join(_problems())


def test_secrets_are_not_unknown_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_SECRET_HR_TOKEN", "hunter2")
    load_worker_settings()


def test_a_secret_no_flow_can_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_SECRET_hr-token", "hunter2")
    (problem,) = _problems()
    assert problem == (
        "FLOWRUNNER_SECRET_hr-token: no flow can name this secret; expected FLOWRUNNER_SECRET_ "
        "and then capital letters, digits and underscores, for example FLOWRUNNER_SECRET_HR_TOKEN"
    )


def test_an_unknown_variable_is_told_when_only_the_way_to_temporal_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLOWRUNNER_TASKQUEUE", "hr")
    with pytest.raises(SettingsInvalid, match="FLOWRUNNER_TASKQUEUE"):
        load_temporal_settings()


def test_the_log_is_for_people_only_on_a_terminal() -> None:
    # The test's standard error is no terminal.
    assert load_worker_settings().log_format == "json"
