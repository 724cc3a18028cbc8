"""examples/employees: people come and go, on a worker that talks to real systems and mail."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from examples.employees.systems import Company
from examples.mailbox import attachments
from tests.applications import (
    EXAMPLES,
    commands_in,
    documented_commands,
    documented_secrets,
    ended,
    install,
    text_of,
)
from tests.server.support import Product, TemporalServer, until

APPLICATION = EXAMPLES / "employees"
ADA, BOSS, HEAD = "ada@home.example", "bob@firm.example", "grace@firm.example"
OFFICE, DESK, SECURITY = (f"{name}@firm.example" for name in ("personnel", "desk", "security"))
EQUIPMENT = ["laptop", "phone"]


@pytest.fixture(scope="module")
def product(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    """A worker that serves the application, with the secrets that its flows name."""
    made = Product(
        address=temporal_server.address,
        folder=tmp_path_factory.mktemp("employees"),
        settings=documented_secrets(APPLICATION),
    )
    try:
        made.start_worker()
        yield made
    finally:
        made.stop()


@pytest.fixture
def company(product: Product) -> Iterator[Company]:
    with Company() as systems:
        here = {"127.0.0.1:8099": systems.url.removeprefix("http://")}
        mail = {"port: 8025": f"port: {systems.mailbox.port}"}
        install(APPLICATION, product.flows_dir, {**here, **mail})
        yield systems


def moment(**later: float) -> str:
    return (datetime.now(UTC) + timedelta(**later)).isoformat(timespec="seconds")


def onboard(product: Product, run_id: str, **given: Any) -> None:
    employee = {
        "name": "Ada Lovelace",
        "private_mail": ADA,
        "department": "engineering",
        "starts": given.pop("starts", moment(days=30)),
    }
    given = {"employee": employee, "manager": BOSS, **given}
    done = product.cli("start", "onboard", "--id", run_id, "--input", json.dumps(given))
    assert done.returncode == 0, done.stderr


def mail_to(company: Company, address: str, count: int = 1) -> EmailMessage:
    """The latest of so many mails to the address, waited for."""
    until(lambda: len(company.mailbox.to(address)) >= count, what=f"mail {count} to {address}")
    return company.mailbox.to(address)[count - 1]


def answer(product: Product, mail: EmailMessage, *, yes: bool) -> None:
    """Type in the command that stands in the mail."""
    accept, refuse = commands_in(text_of(mail))
    decide(product, [*(accept if yes else refuse), "--by", str(mail["To"])])


def decide(product: Product, command: list[str]) -> None:
    """People take longer to answer than the run to ask; here, the mail may come first."""
    until(lambda: product.cli(*command).returncode == 0, what="the answer to be taken")


def test_somebody_is_welcomed_reminded_of_and_let_in_on_the_first_day(
    product: Product, company: Company
) -> None:
    company.loses_answer = {"POST /personnel/employees", "POST /shop/orders"}
    onboard(product, "welcomed", starts=moment(seconds=2), remind_before="1s")
    asked = mail_to(company, BOSS)
    assert asked["Subject"] == "Ada Lovelace in engineering"
    assert not company.accounts, "nothing is made before somebody has agreed"
    answer(product, asked, yes=True)
    result = ended(product, "welcomed")
    assert result["status"] == "completed", result
    assert result["output"] == {
        "status": "arrived",
        "employee": "E-1",
        "login": "ada.lovelace",
        "order": "O-1",
        "decided_by": BOSS,
    }
    assert company.employees["E-1"]["state"] == "employed"
    account = company.accounts["ada.lovelace"]
    assert account["enabled"]
    assert sorted(account["rights"]) == ["git", "mail", "vpn", "wiki"]
    assert list(company.employees) == ["E-1"], "asked twice, for an answer was lost; made once"
    assert company.orders["O-1"]["items"] == EQUIPMENT
    assert "O-1" in text_of(mail_to(company, BOSS, 2))
    [welcome] = company.mailbox.to(ADA)
    files = attachments(welcome)
    assert "<b>ada.lovelace</b>" in files["welcome.html"].decode()
    assert "<li>laptop</li>" in files["welcome.html"].decode()
    assert b"SEQUENCE:1" in files["first-day.ics"]
    assert company.asked.count("POST /personnel/token") == 1, "a token is kept"


def test_a_first_day_that_is_put_off_is_told_again_and_waited_for(
    product: Product, company: Company
) -> None:
    onboard(product, "moved")
    answer(product, mail_to(company, BOSS), yes=True)
    first = mail_to(company, ADA)
    for data in ("tomorrow", moment(seconds=-1)):  # the first is no date, and changes nothing
        signal = ("signal", "moved", "first-day-moved", "--data", json.dumps({"starts": data}))
        assert product.cli(*signal).returncode == 0
    result = ended(product, "moved")
    assert result["output"]["status"] == "arrived", result
    second = mail_to(company, ADA, 2)
    assert first["Subject"] != second["Subject"]
    calendars = [attachments(mail)["first-day.ics"].decode() for mail in (first, second)]
    assert ["SEQUENCE:1" in calendars[0], "SEQUENCE:2" in calendars[1]] == [True, True]
    assert len(company.mailbox.to(ADA)) == 2


def test_a_no_takes_the_record_back_and_is_told_to_the_personnel_office(
    product: Product, company: Company
) -> None:
    onboard(product, "declined")
    answer(product, mail_to(company, BOSS), yes=False)
    result = ended(product, "declined")
    assert result["status"] == "completed", "a no is an answer"
    assert result["output"] == {"status": "declined", "why": "because …"}
    assert company.employees == {}
    assert "DELETE /personnel/employees/E-1" in company.asked
    assert not company.accounts
    assert "Declined: because …" in text_of(mail_to(company, OFFICE))
    assert company.mailbox.to(ADA) == []


def test_the_head_is_asked_when_the_manager_does_not_answer(
    product: Product, company: Company
) -> None:
    onboard(product, "escalated", starts=moment(seconds=0), decide_within=["100ms", "1h"])
    assert "grace@firm.example is asked" in text_of(mail_to(company, BOSS))
    answer(product, mail_to(company, HEAD), yes=True)
    assert ended(product, "escalated")["output"]["decided_by"] == HEAD


def test_it_counts_as_a_no_when_nobody_answers(product: Product, company: Company) -> None:
    onboard(product, "unanswered", decide_within=["100ms", "100ms"])
    result = ended(product, "unanswered")
    assert result["output"] == {"status": "declined", "why": "nobody answered in time"}
    assert company.employees == {}
    assert [len(company.mailbox.to(address)) for address in (BOSS, HEAD)] == [1, 1]


def test_what_was_done_is_undone_when_a_system_fails_half_way(
    product: Product, company: Company
) -> None:
    company.broken = {"PUT /directory/accounts/ada.lovelace/rights/git"}
    onboard(product, "half-way")
    answer(product, mail_to(company, BOSS), yes=True)
    result = ended(product, "half-way")
    assert result["status"] == "failed"
    assert result["error"]["type"] == "HttpServerError", result["error"]
    assert company.employees == {}
    assert company.accounts == {}
    assert [order["state"] for order in company.orders.values()] in ([], ["cancelled"])
    assert company.asked[-1] == "DELETE /personnel/employees/E-1", "the first is undone last"
    assert "HttpServerError" in text_of(mail_to(company, OFFICE))
    assert company.mailbox.to(ADA) == []


def test_accounts_go_when_the_hardware_cannot_be_had(product: Product, company: Company) -> None:
    company.broken = {"POST /shop/orders"}
    onboard(product, "no-hardware")
    answer(product, mail_to(company, BOSS), yes=True)
    assert ended(product, "no-hardware")["error"]["type"] == "HttpServerError"
    assert company.accounts == {}
    assert company.employees == {}
    asked = company.asked
    assert asked.count("DELETE /directory/accounts/ada.lovelace/rights/git") == 1
    assert asked.index("DELETE /directory/accounts/ada.lovelace") < len(asked) - 1


def test_everything_is_taken_back_from_who_does_not_come(
    product: Product, company: Company
) -> None:
    onboard(product, "not-coming")
    answer(product, mail_to(company, BOSS), yes=True)
    mail_to(company, ADA)
    assert product.cli("cancel", "not-coming").returncode == 0
    assert ended(product, "not-coming")["status"] == "cancelled"
    assert (company.employees, company.accounts) == ({}, {})
    assert company.orders["O-1"]["state"] == "cancelled"


# Leaving


def leaving(company: Company) -> dict[str, Any]:
    company.employees["E-7"] = {"id": "E-7", "state": "employed"}
    rights = ["mail", "vpn", "git"]
    company.accounts["kim.lee"] = {"login": "kim.lee", "enabled": True, "rights": rights}
    return {"employee": "E-7", "login": "kim.lee", "manager": BOSS, "last_day": moment(seconds=1)}


def test_on_the_last_day_all_rights_are_taken_away(product: Product, company: Company) -> None:
    given = json.dumps(leaving(company))
    result = product.cli_json("run", "offboard", "--json", "--input", given)
    assert result["status"] == "completed", result
    assert result["output"]["by_hand"] == []
    assert company.accounts["kim.lee"] == {"login": "kim.lee", "enabled": False, "rights": []}
    assert company.employees["E-7"]["state"] == "left"
    assert "Please take over: laptop." in text_of(mail_to(company, BOSS))
    report = mail_to(company, OFFICE)
    assert report["Subject"] == "kim.lee has left"
    rows = list(csv.DictReader(io.StringIO(attachments(report)["offboarding.csv"].decode())))
    assert [row["done"] for row in rows] == ["true"] * 5
    assert company.mailbox.to(DESK) == []


def test_what_cannot_be_taken_away_is_reported_and_done_by_hand(
    product: Product, company: Company
) -> None:
    company.broken = {"DELETE /directory/accounts/kim.lee/rights/vpn"}
    started = ("start", "offboard", "--id", "left", "--input", json.dumps(leaving(company)))
    assert product.cli(*started, "--set", 'by_hand_within=["100ms", "1h"]').returncode == 0
    report = mail_to(company, OFFICE)
    assert report["Subject"] == "kim.lee has left, not all is done"
    assert "- right to vpn: " in text_of(report)
    rows = list(csv.DictReader(io.StringIO(attachments(report)["offboarding.csv"].decode())))
    assert [row["what"] for row in rows if row["done"] == "false"] == ["right to vpn"]
    assert company.accounts["kim.lee"]["rights"] == ["vpn"], "the others were not kept from going"
    assert "- right to vpn: " in text_of(mail_to(company, DESK))
    answer(product, mail_to(company, SECURITY), yes=True)  # the desk did not answer
    result = ended(product, "left")
    assert result["status"] == "completed", result
    assert result["output"]["by_hand"] == ["right to vpn"]
    assert result["output"]["by_hand_by"] == SECURITY


def test_access_that_nobody_takes_away_fails_the_run(product: Product, company: Company) -> None:
    given = leaving(company)
    company.accounts.clear()
    company.broken = {"PATCH /personnel/employees/E-7"}
    options = ("--set", 'by_hand_within=["1ms", "1ms"]', "--input", json.dumps(given))
    result = product.cli_json("run", "offboard", "--json", *options)
    assert result["error"]["type"] == "AccessLeft"
    left = [row["what"] for row in result["error"]["details"]]
    assert left == ["account and rights of kim.lee", "personnel record"]


# Every morning


def test_each_new_contract_is_onboarded_once(product: Product, company: Company) -> None:
    for number, name in enumerate(("Ada Lovelace", "Kim Lee")):
        employee = {"name": name, "private_mail": ADA, "department": "sales"}
        employee["starts"] = moment(days=number)
        contract = {"contract": f"C-{number}", "employee": employee, "manager": BOSS}
        company.announced.append({**contract, "state": "announced"})
    company.announced.append({**contract, "contract": "C-9", "manager": "?", "state": "announced"})
    first = product.cli_json("run", "new-hires", "--json")
    assert first["output"]["started"] == ["onboard-C-0", "onboard-C-1"], first
    again = product.cli_json("run", "new-hires", "--json")
    assert again["output"]["started"] == []
    for mail in (mail_to(company, OFFICE), mail_to(company, OFFICE, 2)):
        assert text_of(mail).startswith("C-9: ")
        assert "C-0" not in text_of(mail)
    mail_to(company, BOSS, 2)
    for number in range(2):
        assert product.cli("cancel", f"onboard-C-{number}").returncode == 0
        assert ended(product, f"onboard-C-{number}")["status"] == "cancelled"
    assert company.employees == {}


def test_what_the_readme_says_works(product: Product, company: Company) -> None:
    (product.folder / "examples").symlink_to(EXAMPLES)
    commands = documented_commands(APPLICATION)
    for command in commands:
        if command[0] == "approve":  # once it is waited for
            decide(product, command)
            continue
        done = product.cli(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert ended(product, "kim")["status"] == "cancelled"
    assert company.employees["E-1"]["state"] == "left"
    assert company.accounts["ada.lovelace"] == {
        "login": "ada.lovelace",
        "mail": "ada.lovelace@firm.example",
        "enabled": False,
        "rights": [],
    }
    assert len(commands) >= 9
