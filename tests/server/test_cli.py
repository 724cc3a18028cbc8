"""The command as people and scripts use it, on a real server."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.support import (
    Answer,
    HttpService,
    Product,
    Received,
    Running,
    TemporalServer,
    free_port,
    until,
)

KEYS = ["run_id", "workflow_id", "flow", "status", "output", "error"]

GREET = """\
flow: cli_greet
input:
  required: [name]
  properties:
    name: {type: string}
    times: {type: integer, default: 1}
nodes:
  say: {type: log, title: Say it, params: {message: "Hello ${input.name}"}}
output: {said: "${nodes.say.output.message}", times: "${input.times}"}
"""

ASK = """\
flow: cli_ask
labels: {team: hr}
nodes:
  paid: {type: event, params: {name: payment}, next: decide}
  decide:
    type: approval
    params: {title: Ship it?, form: {properties: {badge: {type: string}}, required: [badge]}}
    next: {approved: shipped, rejected: declined}
  shipped: {type: noop}
  declined: {type: fail, params: {type: Declined, message: Nobody wanted it}}
output:
  amount: ${nodes.paid.output.amount}
  badge: ${nodes.decide.output.form.badge}
"""

TWO = """\
flow: cli_two
nodes:
  left: {type: approval, params: {title: Left?}}
  right: {type: approval, params: {title: Right?}}
"""

FAILING = """\
flow: cli_failing
nodes:
  before: {type: noop, next: broken}
  broken: {type: fail, params: {type: Broken, message: it would not work}}
"""

CALL = """\
flow: cli_call
input: {required: [url], properties: {url: {type: string}}}
nodes:
  call:
    type: http.request
    title: Call them
    params: {url: "${input.url}"}
    retry: {attempts: 3, interval: 2s, factor: 1}
output: ${nodes.call.output.status}
"""

WAIT = """\
flow: cli_wait
nodes:
  ready: {type: event, params: {name: ready}, next: after}
  after: {type: noop}
output: done
"""

FLOWS = {
    "cli_greet": GREET,
    "cli_ask": ASK,
    "cli_two": TWO,
    "cli_failing": FAILING,
    "cli_call": CALL,
    "cli_wait": WAIT,
}


@pytest.fixture(scope="module", autouse=True)
def _flows(product: Product) -> None:
    for name, text in FLOWS.items():
        product.write_flow(name, text)


def _status(product: Product, run: str) -> dict[str, Any]:
    status: dict[str, Any] = product.cli_json("status", run, "--json")
    return status


def _until_waiting(product: Product, run: str, *paths: str) -> None:
    def waits() -> bool:
        return [wait["path"] for wait in _status(product, run)["waiting"]] == list(paths)

    until(waits, what=f"{run} to wait for {paths}")


def _started(product: Product, flow: str, run: str) -> None:
    done = product.cli("start", flow, "--id", run)
    assert done.returncode == 0, done.stderr
    assert f"flowrunner status {run}" in done.stderr


# -- run and start -------------------------------------------------------------------------------


def test_run_by_name_prints_one_json_object_and_nothing_else(product: Product) -> None:
    done = product.cli("run", "cli_greet", "--set", "name=Ada", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert list(told) == KEYS
    assert told["status"] == "completed"
    assert told["flow"] == "cli_greet"
    assert told["output"] == {"said": "Hello Ada", "times": 1}
    assert told["error"] is None
    assert re.fullmatch(r"cli_greet-[0-9a-f]{8}", told["workflow_id"])
    assert told["run_id"]


def test_run_of_a_file_prints_the_output_alone_on_standard_output(product: Product) -> None:
    path = product.folder / "from-file.yaml"
    path.write_text(GREET, encoding="utf-8")
    done = product.cli("run", str(path), "--input", '{"name": "Bo", "times": 2}')
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"said": "Hello Bo", "times": 2}
    assert re.search(r"say  success  Say it  log", done.stderr)
    assert "\x1b" not in done.stdout + done.stderr


def test_input_comes_from_a_file_from_standard_input_and_from_single_values(
    product: Product,
) -> None:
    (product.folder / "input.json").write_text('{"name": "Cy", "times": 3}', encoding="utf-8")
    done = product.cli("run", "cli_greet", "--input", "@input.json", "--set", "times=4", "--json")
    assert json.loads(done.stdout)["output"] == {"said": "Hello Cy", "times": 4}
    done = product.cli("run", "cli_greet", "--input", "@-", "--json", stdin='{"name": "Di"}')
    assert json.loads(done.stdout)["output"]["said"] == "Hello Di"


@pytest.mark.parametrize("target", ["cli_greet", "flows/cli_greet.yaml"])
def test_a_value_that_looks_like_a_number_is_text_where_the_flow_wants_text(
    product: Product, target: str
) -> None:
    told = product.cli_json("run", target, "--set", "name=007", "--set", "name=12345", "--json")
    assert told["output"] == {"said": "Hello 12345", "times": 1}


def test_a_failed_run_ends_with_1_and_tells_node_type_and_message(product: Product) -> None:
    done = product.cli("run", "cli_failing", "--id", "cli-failing", "--json")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert (error["type"], error["node"]) == ("Broken", "broken")
    assert "it would not work" in error["message"]
    done = product.cli("result", "cli-failing")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "cli-failing failed: Broken\n  node      broken\n" in done.stderr
    assert "flowrunner logs cli-failing" in done.stderr


def test_an_invalid_file_starts_nothing_and_lists_its_problems(product: Product) -> None:
    path = product.folder / "broken.yaml"
    path.write_text("flow: broken\nnodes:\n  a: {type: lgo, next: b}\n", encoding="utf-8")
    done = product.cli("run", "broken.yaml")
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line.rpartition(" FR")[0] for line in lines] == [
        "broken.yaml:3:13:",
        "broken.yaml:3:24:",
    ]
    done = product.cli("run", "broken.yaml", "--json")
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert list(told) == KEYS
    assert (told["status"], told["run_id"]) == ("not_started", None)
    assert told["error"]["type"] == "FlowInvalid"
    assert [problem["line"] for problem in told["error"]["details"]["problems"]] == [3, 3]


@pytest.mark.parametrize("target", ["cli_greet", "flows/cli_greet.yaml"])
def test_an_input_that_does_not_fit_ends_with_2(product: Product, target: str) -> None:
    done = product.cli("run", target, "--set", "nam=Ada", "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["type"] == "InputInvalid"
    assert "did you mean 'name'?" in error["message"]


def test_a_flow_that_nobody_knows_ends_with_2_and_names_the_nearest(product: Product) -> None:
    done = product.cli("run", "cli_gret")
    assert done.returncode == 2
    assert "no flow 'cli_gret'" in done.stderr
    assert "'cli_greet'" in done.stderr


def test_an_id_that_is_running_is_refused_and_never_started_twice(product: Product) -> None:
    _started(product, "cli_wait", "cli-twice")
    first = _status(product, "cli-twice")["run_id"]
    for command in ("start", "run"):
        done = product.cli(command, "cli_wait", "--id", "cli-twice")
        assert done.returncode == 2
        assert f"'cli-twice' is open already (run {first})" in done.stderr
    assert _status(product, "cli-twice")["run_id"] == first
    assert product.cli("cancel", "cli-twice").returncode == 0
    assert product.cli("result", "cli-twice").returncode == 1


def test_attach_follows_the_run_that_is_open(product: Product) -> None:
    _started(product, "cli_wait", "cli-attach")
    _until_waiting(product, "cli-attach", "ready")
    first = _status(product, "cli-attach")["run_id"]
    following = product.start_cli("run", "cli_wait", "--id", "cli-attach", "--attach")
    until(lambda: "waits for the event" in following.output(), what="the wait to be shown")
    assert product.cli("signal", "cli-attach", "ready").returncode == 0
    until(lambda: following.exit_code is not None, what="the end of following")
    assert following.exit_code == 0
    assert product.cli_json("result", "cli-attach", "--json")["run_id"] == first


def test_an_id_whose_run_has_ended_can_be_used_again(product: Product) -> None:
    one = product.cli_json("run", "cli_greet", "--set", "name=A", "--id", "cli-again", "--json")
    two = product.cli_json("run", "cli_greet", "--set", "name=B", "--id", "cli-again", "--json")
    assert one["run_id"] != two["run_id"]


def test_start_returns_at_once_with_the_ids(product: Product) -> None:
    told = product.cli_json("start", "cli_wait", "--id", "cli-start", "--json")
    assert list(told) == KEYS
    assert (told["status"], told["workflow_id"]) == ("running", "cli-start")
    told = product.cli_json("run", "cli_wait", "--id", "cli-detach", "--detach", "--json")
    assert told["status"] == "running"
    for run in ("cli-start", "cli-detach"):
        assert product.cli("signal", run, "ready").returncode == 0
        assert product.cli_json("result", run, "--json")["status"] == "completed"


def test_the_exit_code_can_be_relied_on(product: Product) -> None:
    """The SDK's threads abort some processes on their way out, all work being done."""
    codes = [product.cli("list", "--limit", "1").returncode for _ in range(25)]
    assert codes == [0] * 25


# -- following -----------------------------------------------------------------------------------


def test_ctrl_c_stops_following_and_leaves_the_run_going(product: Product) -> None:
    following = product.start_cli("run", "cli_wait", "--id", "cli-ctrl-c")
    until(lambda: "waits for the event" in following.output(), what="the wait to be shown")
    os.kill(following.pid, signal.SIGINT)
    until(lambda: following.exit_code is not None, what="the end of following")
    assert following.exit_code == 130
    assert "cli-ctrl-c goes on without being followed" in following.output()
    assert "flowrunner cancel cli-ctrl-c" in following.output()
    assert "Traceback" not in following.output()
    assert _status(product, "cli-ctrl-c")["status"] == "waiting"
    assert product.cli("signal", "cli-ctrl-c", "ready").returncode == 0
    assert product.cli("result", "cli-ctrl-c").returncode == 0


def test_ctrl_c_with_json_says_that_the_run_is_running(product: Product) -> None:
    following = product.start_cli("run", "cli_wait", "--id", "cli-ctrl-c-json", "--json")
    until(lambda: _is_open(product, "cli-ctrl-c-json"), what="the run to be open")
    os.kill(following.pid, signal.SIGINT)
    until(lambda: following.exit_code is not None, what="the end of following")
    assert following.exit_code == 130
    text = following.output()
    assert json.loads(text[text.index("{") : text.rindex("}") + 1])["status"] == "running"
    product.cli("cancel", "cli-ctrl-c-json")


def _is_open(product: Product, run: str) -> bool:
    return product.cli("status", run).returncode == 0


ASK = "flow: cli_ask\nnodes: {ask: {type: approval, params: {title: Well?}}}\n"


def test_ctrl_c_while_a_decision_is_under_way_is_no_word_about_workers(
    own_product: Product,
) -> None:
    own_product.write_flow("cli_ask", ASK)
    worker = own_product.start_worker()
    _started(own_product, "cli_ask", "cli-asked")
    until(lambda: _status(own_product, "cli-asked")["status"] == "waiting", what="the wait")
    os.kill(worker.pid, signal.SIGSTOP)
    deciding = own_product.start_cli("approve", "cli-asked", "ask")
    described = ("workflow", "describe", "--workflow-id", "cli-asked", "--output", "json")
    until(
        lambda: "pendingWorkflowTask" in own_product.temporal(*described).stdout,
        what="the decision to be under way",
    )
    os.kill(deciding.pid, signal.SIGINT)
    until(lambda: deciding.exit_code is not None, what="the end of approve")
    os.kill(worker.pid, signal.SIGCONT)
    assert (deciding.exit_code, deciding.output()) == (130, "")


def test_attempts_that_fail_are_shown_while_they_happen_and_afterwards(
    product: Product, http_service: HttpService
) -> None:
    def answer(_: Received) -> Answer:
        return Answer(status=503 if len(http_service.requests) < 3 else 200, body={})

    http_service.on("GET", "/", answer)
    url = f"url={http_service.url}/"
    done = product.cli("run", "cli_call", "--set", url, "--id", "cli-retry")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == 200
    assert re.search(r"call  retrying  Call them  http.request  attempt 2", done.stderr)
    logs = product.cli("logs", "cli-retry").stdout
    assert re.search(r"call +attempt failed +Call them  http.request  attempt 2 .*503", logs)
    assert re.search(r"call +succeeded +Call them  http.request  attempt 3", logs)


def test_without_a_worker_following_says_so(own_product: Product) -> None:
    own_product.write_flow("cli_greet", GREET)
    following = own_product.start_cli("run", "cli_greet", "--set", "name=Ada", "--id", "cli-alone")
    queue = own_product.task_queue
    until(lambda: f"none polls the task queue '{queue}'" in following.output(), what="a word")
    assert "flowrunner worker" in following.output()
    own_product.start_worker()
    until(lambda: following.exit_code is not None, what="the end")
    assert following.exit_code == 0


def test_a_node_that_no_worker_takes_up_is_named(product: Product) -> None:
    path = product.folder / "cli_elsewhere.yaml"
    path.write_text(
        """\
flow: cli_elsewhere
nodes:
  far: {type: http.request, queue: nobody-polls-this, params: {url: "http://127.0.0.1:1/"}}
""",
        encoding="utf-8",
    )
    following = product.start_cli("run", str(path), "--id", "cli-elsewhere", "--json")
    word = "node 'far' yet: none polls the task queue 'nobody-polls-this', or all are busy"
    until(lambda: word in following.output(), what="a word about the node")
    product.temporal("workflow", "terminate", "-w", "cli-elsewhere")
    until(lambda: following.exit_code is not None, what="the end")
    assert following.exit_code == 1


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)


def _on_terminal(product: Product, terminal: tuple[int, int], **settings: str) -> str:
    ours, theirs = terminal
    program = str(Path(sys.executable).with_name("flowrunner"))
    process = subprocess.Popen(
        [program, "run", "cli_greet", "--set", "name=Ada"],
        env=product.environment(TERM="xterm-256color", **settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    text = b"".join(iter(lambda: _read(ours), b""))
    assert process.wait(60) == 0
    return text.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""


def test_a_terminal_shows_a_tree_with_colours(product: Product, terminal: tuple[int, int]) -> None:
    text = _on_terminal(product, terminal)
    assert "\x1b[32m✔" in text
    assert "└── " in text
    assert "Say it" in text


def test_no_color_is_honoured_on_a_terminal(product: Product, terminal: tuple[int, int]) -> None:
    text = _on_terminal(product, terminal, NO_COLOR="1")
    assert "✔" in text
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", text)


# -- looking -------------------------------------------------------------------------------------


def test_a_run_is_watched_and_steered_to_its_end(product: Product) -> None:
    _started(product, "cli_ask", "cli-ask")
    _until_waiting(product, "cli-ask", "paid")
    text = product.cli("status", "cli-ask").stdout
    assert text.startswith("cli-ask  cli_ask  waiting\n")
    assert "waits for the event 'payment'" in text
    done = product.cli("signal", "cli-ask", "payment", "--data", '{"amount": 99}')
    assert done.returncode == 0
    _until_waiting(product, "cli-ask", "decide")
    assert (
        "waits for a decision (approved or rejected): Ship it?  → flowrunner approve cli-ask\n"
        in product.cli("status", "cli-ask").stdout
    )
    accepted = product.cli_json(
        "approve", "cli-ask", "--set", "badge=A17", "--by", "ann", "--comment", "ok", "--json"
    )
    assert accepted == {"workflow_id": "cli-ask", "node": "decide", "action": "approved"}
    told = product.cli_json("result", "cli-ask", "--json")
    assert told["output"] == {"amount": 99, "badge": "A17"}
    logs = product.cli("logs", "cli-ask").stdout
    assert re.search(r'signal +payment  \{"amount": 99\}', logs)
    assert re.search(r'decide +decision .*"by": "ann"', logs)
    assert re.search(r"run completed", logs)


def test_runs_are_listed_by_flow_status_and_label(product: Product) -> None:
    _started(product, "cli_ask", "cli-listed")
    _until_waiting(product, "cli-listed", "paid")

    def listed(*filters: str) -> list[str]:
        found = product.cli_json("list", "--json", "--limit", "500", *filters)
        return [run["workflow_id"] for run in found]

    until(lambda: "cli-listed" in listed("--status", "waiting"), what="the list to know of it")
    assert "cli-listed" in listed("--flow", "cli_ask", "--label", "team=hr", "--status", "running")
    assert "cli-listed" not in listed("--flow", "cli_greet")
    assert "cli-listed" not in listed("--label", "team=it")
    assert "cli-listed" not in listed("--status", "completed")
    table = product.cli("list", "--flow", "cli_ask", "--limit", "1").stdout.splitlines()
    assert table[0].split() == ["ID", "FLOW", "STATUS", "STARTED", "TOOK", "LABELS"]
    assert len(table) == 2
    product.cli("cancel", "cli-listed")


def test_a_flow_started_from_a_file_is_listed_under_its_own_name(product: Product) -> None:
    done = product.cli_json("run", "flows/cli_greet.yaml", "--set", "name=Ada", "--json")
    found = product.cli_json("list", "--json", "--flow", "cli_greet", "--limit", "500")
    assert done["workflow_id"] in [run["workflow_id"] for run in found]


def test_a_namespace_without_our_search_attributes_is_told_how_to_get_them(
    product: Product,
) -> None:
    made = product.temporal("operator", "namespace", "create", "-n", "cli-plain")
    assert made.returncode == 0, made.stderr

    def listing(*arguments: str) -> subprocess.CompletedProcess[str]:
        return product.cli("list", *arguments, TEMPORAL_NAMESPACE="cli-plain")

    until(lambda: listing().returncode == 0, what="the namespace")
    done = listing("--flow", "cli_greet")
    assert done.returncode == 0
    assert "temporal operator search-attribute create --name FlowName" in done.stderr
    done = listing("--label", "team=hr")
    assert done.returncode == 2
    assert "temporal operator search-attribute create --name FlowName" in done.stderr


def test_without_a_worker_status_and_logs_come_from_history(own_product: Product) -> None:
    own_product.write_flow("cli_greet", GREET)
    worker = own_product.start_worker()
    done = own_product.cli("run", "cli_greet", "--set", "name=Ada", "--id", "cli-closed")
    assert done.returncode == 0, done.stderr
    worker.stop()
    done = own_product.cli("logs", "cli-closed")
    assert done.returncode == 0
    assert re.search(r"say +succeeded +Say it  log", done.stdout)
    lines = own_product.cli("logs", "cli-closed", "--json").stdout.splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds == ["run.started", "node.succeeded", "run.completed"]
    told = own_product.cli_json("status", "cli-closed", "--json")
    assert (told["source"], told["status"]) == ("history", "completed")
    assert [(node["path"], node["state"]) for node in told["nodes"]] == [("say", "success")]
    assert "no worker answers" in own_product.cli("status", "cli-closed").stderr


def test_an_event_that_no_flow_waits_for_is_sent_with_a_warning(product: Product) -> None:
    _started(product, "cli_wait", "cli-misspelt")
    done = product.cli("signal", "cli-misspelt", "redy")
    assert done.returncode == 0
    assert "cli-misspelt will not heed it: its flow waits for 'ready'; did you mean" in done.stderr
    done = product.cli("signal", "cli-misspelt", "ready")
    assert done.stderr == "sent 'ready' to cli-misspelt\n"


def test_logs_can_be_followed_to_the_end(product: Product) -> None:
    _started(product, "cli_wait", "cli-logs")
    following = product.start_cli("logs", "cli-logs", "--follow")
    until(lambda: "run started" in following.output(), what="the first line")
    assert product.cli("signal", "cli-logs", "ready").returncode == 0
    until(lambda: following.exit_code is not None, what="the last line")
    assert following.exit_code == 0
    assert "run completed" in following.output()


def test_result_waits_for_the_end(product: Product) -> None:
    _started(product, "cli_wait", "cli-result")
    waiting = product.start_cli("result", "cli-result", "--json")
    _until_waiting(product, "cli-result", "ready")
    assert waiting.exit_code is None
    assert product.cli("signal", "cli-result", "ready").returncode == 0
    until(lambda: waiting.exit_code is not None, what="the result")
    assert json.loads(waiting.output())["output"] == "done"


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["logs"],
        ["result"],
        ["approve"],
        ["cancel"],
        ["pause"],
        ["resume"],
        ["signal", "x"],
    ],
    ids=lambda command: str(command[0]),
)
def test_a_run_that_is_not_there_is_told(product: Product, command: list[str]) -> None:
    done = product.cli(command[0], "cli-nowhere", *command[1:])
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == ("flowrunner: there is no run 'cli-nowhere': see `flowrunner list`\n")


# -- steering ------------------------------------------------------------------------------------


def test_a_decision_is_checked_before_it_is_accepted(product: Product) -> None:
    _started(product, "cli_ask", "cli-refused")
    product.cli("signal", "cli-refused", "payment", "--set", "amount=1")
    _until_waiting(product, "cli-refused", "decide")
    done = product.cli("approve", "cli-refused", "--action", "maybe")
    assert done.returncode == 2
    assert "action must be one of approved, rejected; found 'maybe'" in done.stderr
    done = product.cli("approve", "cli-refused")
    assert done.returncode == 2
    assert "badge" in done.stderr
    assert product.cli("approve", "cli-refused", "--action", "rejected").returncode == 0
    done = product.cli("result", "cli-refused")
    assert done.returncode == 1
    assert "cli-refused failed: Declined" in done.stderr
    for late in (["approve", "cli-refused"], ["approve", "cli-refused", "decide"]):
        done = product.cli(*late)
        assert done.returncode == 2
        assert done.stderr.startswith("flowrunner: run 'cli-refused' has ended already (failed): ")


def test_with_several_approvals_open_the_node_must_be_named(product: Product) -> None:
    _started(product, "cli_two", "cli-two")
    _until_waiting(product, "cli-two", "left", "right")
    done = product.cli("approve", "cli-two")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "flowrunner: run 'cli-two' waits for 2 approvals; say which:",
        "  left  Left?",
        "  right  Right?",
    ]
    assert product.cli("approve", "cli-two", "left").returncode == 0
    assert product.cli("approve", "cli-two").returncode == 0
    assert product.cli("result", "cli-two").returncode == 0


def test_a_paused_run_waits_until_it_is_resumed(product: Product) -> None:
    _started(product, "cli_wait", "cli-paused")
    _until_waiting(product, "cli-paused", "ready")
    assert product.cli("pause", "cli-paused").returncode == 0
    until(lambda: _status(product, "cli-paused")["paused"], what="the pause")
    assert _status(product, "cli-paused")["status"] == "paused"
    assert product.cli("resume", "cli-paused").returncode == 0
    until(lambda: not _status(product, "cli-paused")["paused"], what="the resumption")
    product.cli("signal", "cli-paused", "ready")
    assert product.cli("result", "cli-paused").returncode == 0


def test_a_cancelled_run_ends_with_1_and_takes_no_more_messages(product: Product) -> None:
    _started(product, "cli_wait", "cli-cancelled")
    _until_waiting(product, "cli-cancelled", "ready")
    assert product.cli("cancel", "cli-cancelled").returncode == 0
    told = product.cli("result", "cli-cancelled", "--json")
    assert told.returncode == 1
    assert json.loads(told.stdout)["status"] == "cancelled"
    for command in (["cancel"], ["pause"], ["signal", "ready"]):
        done = product.cli(command[0], "cli-cancelled", *command[1:])
        assert done.returncode == 2
        assert "'cli-cancelled' has ended already" in done.stderr


def test_a_terminated_run_is_told_with_its_reason(product: Product) -> None:
    _started(product, "cli_wait", "cli-terminated")
    product.temporal("workflow", "terminate", "-w", "cli-terminated", "--reason", "enough")
    told = product.cli("result", "cli-terminated", "--json")
    assert told.returncode == 1
    assert json.loads(told.stdout)["status"] == "terminated"
    assert "enough" in json.loads(told.stdout)["error"]["message"]


def test_pause_is_no_event(product: Product) -> None:
    done = product.cli("signal", "cli-any", "pause")
    assert done.returncode == 2
    assert "use `flowrunner pause cli-any`" in done.stderr


# -- the way to Temporal -------------------------------------------------------------------------


def test_a_namespace_that_is_not_there_ends_with_3(product: Product) -> None:
    done = product.cli("list", TEMPORAL_NAMESPACE="nowhere")
    assert done.returncode == 3
    assert "has no namespace 'nowhere'" in done.stderr


def test_the_configuration_file_of_the_temporal_cli_is_enough(
    product: Product, temporal_server: TemporalServer
) -> None:
    config = product.folder / "temporal.toml"
    config.write_text(f'[profile.here]\naddress = "{temporal_server.address}"\n', encoding="utf-8")
    done = product.cli(
        "list", TEMPORAL_ADDRESS="", TEMPORAL_CONFIG_FILE=str(config), TEMPORAL_PROFILE="here"
    )
    assert done.returncode == 0, done.stderr


# -- dev -----------------------------------------------------------------------------------------


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[tuple[Product, Running]]:
    port = free_port()
    product = Product(address=f"127.0.0.1:{port}", folder=tmp_path)
    product.write_flow("cli_greet", GREET)
    product.write_flow("another", "flow: another\nnodes: {say: {type: lgo}}\n")
    flags = ["--port", str(port), "--ui-port", str(free_port()), "--data-dir", "data"]
    process = product.start_cli("dev", *flags, "--codec-port", str(free_port()))
    try:
        until(lambda: "Flowrunner is ready." in process.output(), what="flowrunner dev")
        yield product, process
    finally:
        process.stop()


def _servers(product: Product) -> list[int]:
    """The Temporal servers that keep their data where this product does."""
    port = product.address.rpartition(":")[2]
    found = subprocess.run(
        ["pgrep", "-f", f"start-dev --ip 127.0.0.1 --port {port}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(line) for line in found.stdout.split()]


def test_dev_says_where_everything_is_and_what_to_do_next(dev: tuple[Product, Running]) -> None:
    product, process = dev
    text = process.output()
    assert f"Temporal   {product.address}" in text
    assert "(cli_greet)" in text, "what cannot run is not offered"
    assert "1 file has problems and cannot run; see why: flowrunner validate" in text
    assert f"export TEMPORAL_ADDRESS={product.address}" in text
    assert "flowrunner run cli_greet" in text
    assert (product.folder / "data" / "temporal.db").is_file()
    told = product.cli_json("run", "cli_greet", "--set", "name=Ada", "--json")
    assert told["status"] == "completed"


def test_ctrl_c_stops_dev_in_good_order(dev: tuple[Product, Running]) -> None:
    product, process = dev
    assert len(_servers(product)) == 1
    os.kill(process.pid, signal.SIGINT)
    until(lambda: process.exit_code is not None, what="the end of dev")
    assert process.exit_code == 0
    assert _servers(product) == []
    assert "Traceback" not in process.output()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_dev_that_is_killed_leaves_no_server_behind(dev: tuple[Product, Running]) -> None:
    product, process = dev
    process.kill()
    until(lambda: _servers(product) == [], what="the server to be gone")


def test_dev_ends_with_the_server_and_says_why(dev: tuple[Product, Running]) -> None:
    product, process = dev
    os.kill(_servers(product)[0], signal.SIGKILL)
    until(lambda: process.exit_code is not None, what="the end of dev")
    assert process.exit_code == 3
    assert "the Temporal server ended by itself" in process.output()


def test_a_second_dev_on_the_same_data_is_refused(dev: tuple[Product, Running]) -> None:
    product, process = dev
    flags = ["--port", str(free_port()), "--codec-port", str(free_port()), "--headless"]
    done = product.cli("dev", *flags, "--data-dir", "data")
    assert done.returncode == 3
    assert f"in use by another `flowrunner dev` (process {process.pid})" in done.stderr


def test_a_second_dev_on_the_same_port_is_refused(dev: tuple[Product, Running]) -> None:
    product, _ = dev
    port = product.address.rpartition(":")[2]
    flags = ["--port", port, "--codec-port", str(free_port()), "--headless"]
    done = product.cli("dev", *flags, "--data-dir", "other")
    assert done.returncode == 3
    assert f"port {port} cannot be used: Address already in use" in done.stderr


def test_dev_does_not_start_with_a_store_that_cannot_be_used(tmp_path: Path) -> None:
    port = free_port()
    product = Product(address=f"127.0.0.1:{port}", folder=tmp_path)
    product.blobs.write_text("no folder", encoding="utf-8")
    done = product.cli("dev", "--port", str(port), "--data-dir", "data")
    assert done.returncode == 3
    assert f"flowrunner: the folder {product.blobs} cannot be used" in done.stderr
    assert "nothing has been started" in done.stderr
    assert "ready" not in done.stdout
    assert not (tmp_path / "data").exists()


def test_dev_elsewhere_has_a_folder_of_its_own_for_large_values_and_what_flows_keep(
    tmp_path: Path,
) -> None:
    port = free_port()
    product = Product(
        address=f"127.0.0.1:{port}", folder=tmp_path, settings={"BLOB_STORAGE_PATH": ""}
    )
    product.write_flow("cli_greet", GREET)
    keep = "{type: store.set, params: {key: mark, value: 1}}"
    product.write_flow("cli_keep", f"flow: cli_keep\nnodes: {{keep: {keep}}}\n")
    flags = ["--port", str(port), "--codec-port", str(free_port()), "--data-dir", "data"]
    process = product.start_cli("dev", "--headless", *flags, XDG_DATA_HOME=str(tmp_path / "home"))
    own = tmp_path / "data" / "blobs"
    try:
        until(lambda: "Flowrunner is ready." in process.output(), what="flowrunner dev")
        assert f"export BLOB_STORAGE_PATH={own}" in process.output()
        name = f"name={'x' * 100_000}"
        done = product.cli("run", "cli_greet", "--set", name, BLOB_STORAGE_PATH=str(own))
        assert done.returncode == 0, done.stderr
        assert product.cli_json("run", "cli_keep", "--json")["status"] == "completed"
        assert (tmp_path / "data" / "store.db").is_file()
        assert not (tmp_path / "home").exists()
    finally:
        process.stop()


def test_dev_pays_no_attention_to_settings_for_another_server(tmp_path: Path) -> None:
    port = free_port()
    product = Product(
        address=f"127.0.0.1:{port}",
        folder=tmp_path,
        settings={"TEMPORAL_ADDRESS": "elsewhere:7233", "TEMPORAL_NAMESPACE": "elsewhere"},
    )
    flags = ["--port", str(port), "--codec-port", str(free_port()), "--data-dir", "data"]
    process = product.start_cli("dev", "--headless", *flags)
    try:
        until(lambda: "Flowrunner is ready." in process.output(), what="flowrunner dev")
    finally:
        process.stop()
