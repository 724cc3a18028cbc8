"""The systems that the flows of this folder talk to: personnel, directory, shop and mail.

    python -m examples.employees.systems
    python -m examples.employees.systems --broken "POST /shop/orders"

They run on loopback, remember in memory what they are told, and print it. What is `--broken`
answers 503.
"""

from __future__ import annotations

import argparse
import base64
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from examples.service import DEFAULT_PORT, Answer, Received, until_interrupted
from examples.systems import MAIL_PORT, NO_SUCH, Guarded

__all__ = ["CLIENT_SECRET", "DIRECTORY_TOKEN", "Company"]

CLIENT_SECRET = "personnel-secret"
DIRECTORY_TOKEN = "directory-token"

_Route = Callable[..., Answer]
_Record = dict[str, Any]


class Company(Guarded):
    """All systems of a company, and its mail server; runs inside a `with`."""

    def __init__(
        self, port: int = 0, mail_port: int = 0, told: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(port, mail_port, told)
        self.announced: list[_Record] = []
        self.employees: dict[str, _Record] = {}
        self.accounts: dict[str, _Record] = {}
        self.orders: dict[str, _Record] = {}
        self.loses_answer: set[str] = set()
        """What is done, and answered with 503 the first time all the same."""
        self._by_key: dict[str, Answer] = {}
        self._patterns: list[tuple[str, re.Pattern[str], _Route]] = [
            (method, re.compile(path), route)
            for method, path, route in (
                ("POST", "/personnel/token", self._token),
                ("GET", "/personnel/hires", self._hires),
                ("POST", "/personnel/employees", self._add_employee),
                ("PATCH", "/personnel/employees/([^/]+)", self._change_employee),
                ("DELETE", "/personnel/employees/([^/]+)", self._remove_employee),
                ("POST", "/directory/accounts", self._add_account),
                ("PATCH", "/directory/accounts/([^/]+)", self._change_account),
                ("DELETE", "/directory/accounts/([^/]+)", self._remove_account),
                ("GET", "/directory/accounts/([^/]+)/rights", self._rights),
                ("PUT", "/directory/accounts/([^/]+)/rights/([^/]+)", self._grant),
                ("DELETE", "/directory/accounts/([^/]+)/rights/([^/]+)", self._revoke),
                ("POST", "/shop/orders", self._order),
                ("DELETE", "/shop/orders/([^/]+)", self._cancel_order),
            )
        ]

    def done(self, request: Received) -> Answer:
        key = request.headers.get("Idempotency-Key", "")
        if key in self._by_key:
            return self._by_key[key]
        answer = self._routed(request)
        if key:
            self._by_key[key] = answer
        said = f"{request.method} {request.path}"
        if said in self.loses_answer:
            self.loses_answer.remove(said)
            return Answer(status=503, body={"error": "lost on the way"})
        return answer

    def _routed(self, request: Received) -> Answer:
        for method, pattern, route in self._patterns:
            found = pattern.fullmatch(request.path)
            if found and method == request.method:
                return route(request, *found.groups())
        return NO_SUCH

    def allows(self, request: Received) -> bool:
        given = request.headers.get("Authorization", "")
        client = base64.b64encode(f"flowrunner:{CLIENT_SECRET}".encode()).decode()
        if request.path == "/personnel/token":
            return given == f"Basic {client}"
        if request.path.startswith("/personnel/"):
            return given == "Bearer personnel-token"
        return given == f"Bearer {DIRECTORY_TOKEN}" or request.path.startswith("/shop/")

    # Personnel

    def _token(self, _: Received) -> Answer:
        return Answer(
            body={"access_token": "personnel-token", "token_type": "Bearer", "expires_in": 3600}
        )

    def _hires(self, request: Received) -> Answer:
        [state] = parse_qs(request.query)["state"]
        return Answer(body=[each for each in self.announced if each["state"] == state])

    def _add_employee(self, request: Received) -> Answer:
        number = f"E-{len(self.employees) + 1}"
        self.employees[number] = {"id": number, **request.json(), "state": "planned"}
        return Answer(status=201, body=self.employees[number])

    def _change_employee(self, request: Received, number: str) -> Answer:
        return _changed(self.employees, number, request)

    def _remove_employee(self, _: Received, number: str) -> Answer:
        return _removed(self.employees, number)

    # Directory

    def _add_account(self, request: Received) -> Answer:
        name = request.json()["name"]
        login = name.lower().replace(" ", ".")
        if login in self.accounts:
            return Answer(status=409, body={"error": f"{login} is taken"})
        self.accounts[login] = {
            "login": login,
            "mail": f"{login}@firm.example",
            "enabled": False,
            "rights": [],
        }
        return Answer(status=201, body=self.accounts[login])

    def _change_account(self, request: Received, login: str) -> Answer:
        return _changed(self.accounts, login, request)

    def _remove_account(self, _: Received, login: str) -> Answer:
        return _removed(self.accounts, login)

    def _rights(self, _: Received, login: str) -> Answer:
        account = self.accounts.get(login)
        return Answer(body=account["rights"]) if account else NO_SUCH

    def _grant(self, _: Received, login: str, right: str) -> Answer:
        account = self.accounts.get(login)
        if account is None:
            return NO_SUCH
        if right not in account["rights"]:
            account["rights"].append(right)
        return Answer(status=204)

    def _revoke(self, _: Received, login: str, right: str) -> Answer:
        account = self.accounts.get(login)
        if account is None or right not in account["rights"]:
            return NO_SUCH
        account["rights"].remove(right)
        return Answer(status=204)

    # Shop

    def _order(self, request: Received) -> Answer:
        number = f"O-{len(self.orders) + 1}"
        self.orders[number] = {"id": number, **request.json(), "state": "ordered"}
        return Answer(status=201, body=self.orders[number])

    def _cancel_order(self, _: Received, number: str) -> Answer:
        if number not in self.orders:
            return NO_SUCH
        self.orders[number]["state"] = "cancelled"
        return Answer(status=204)


def _changed(records: dict[str, _Record], name: str, request: Received) -> Answer:
    if name not in records:
        return NO_SUCH
    records[name].update(request.json())
    return Answer(body=records[name])


def _removed(records: dict[str, _Record], name: str) -> Answer:
    return Answer(status=204) if records.pop(name, None) else NO_SUCH


def main() -> None:
    parser = argparse.ArgumentParser(description="The systems that the flows here talk to.")
    parser.add_argument("--broken", action="append", default=[], metavar="'METHOD /PATH'")
    arguments = parser.parse_args()
    with Company(DEFAULT_PORT, MAIL_PORT, told=lambda line: print(line, flush=True)) as company:
        company.broken.update(arguments.broken)
        print(f"Systems at {company.url}, mail at port {MAIL_PORT}; Ctrl-C ends them", flush=True)
        until_interrupted()
        print("ended")


if __name__ == "__main__":
    main()
