"""The systems that the flows of this folder talk to: a shop, an alarm and mail.

    python -m examples.warehouse.systems
    python -m examples.warehouse.systems --broken "GET /shop/customers"

They run on loopback and print what they are told. The shop has 60 orders and 25 customers, of
which some cannot be synced. What is `--broken` answers 503.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from examples.service import DEFAULT_PORT, Answer, Received, until_interrupted
from examples.systems import MAIL_PORT, NO_SUCH, Guarded

__all__ = ["ALERT_SECRET", "SHOP_KEY", "Business"]

SHOP_KEY = "shop-key"
ALERT_SECRET = "whsec_" + base64.b64encode(b"a key for alarms, 32 bytes long.").decode()

_Record = dict[str, Any]


class Business(Guarded):
    """All systems of a business, and its mail server; runs inside a `with`."""

    def __init__(
        self, port: int = 0, mail_port: int = 0, told: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(port, mail_port, told)
        self.shop: dict[str, dict[str, _Record]] = {"orders": {}, "customers": {}}
        self.alerts: list[Any] = []

    def order(self, number: int, updated_at: str, **other: Any) -> None:
        """Put an order into the shop, or change it."""
        name = f"O-{number}"
        customer = {"id": f"C-{number % 25}"}
        made = {"id": name, "updated_at": updated_at, "customer": customer, **other}
        self.shop["orders"][name] = made

    def customer(self, number: int, updated_at: str, **other: Any) -> None:
        """Put a customer into the shop, or change one."""
        name = f"C-{number}"
        made = {"id": name, "updated_at": updated_at, "mail": f"c{number}@home.example"}
        self.shop["customers"][name] = {**made, "country": "AT", **other}

    def fill(self) -> None:
        """60 orders and 25 customers, one of which has no mail address that could be one."""
        for number in range(60):
            self.order(number, f"2026-11-{number // 10 + 1:02}T10:{number % 10:02}:00Z")
        for number in range(25):
            mail = {"mail": "nobody"} if number == 13 else {}
            self.customer(number, f"2026-11-0{number % 9 + 1}T11:{number:02}:00Z", **mail)

    def done(self, request: Received) -> Answer:
        match [request.method, *request.path.strip("/").split("/")]:
            case ["GET", "shop", feed]:
                return self._page(feed, parse_qs(request.query))
            case ["GET", "shop", feed, name]:
                found = self.shop[feed].get(name)
                return Answer(body=found) if found else NO_SUCH
            case ["GET", "shop", "orders", name, "lines"]:
                return Answer(body=_lines(name))
            case ["POST", "alerts"]:
                self.alerts.append(request.json())
                return Answer(status=202)
        return NO_SUCH

    def _page(self, feed: str, query: dict[str, list[str]]) -> Answer:
        """What has changed, the oldest first; `cursor` is how many there were before."""
        [since], [limit] = query["updated_since"], query["limit"]
        at = int(query.get("cursor", ["0"])[0])
        found = [each for each in self.shop[feed].values() if str(each["updated_at"]) > since]
        found.sort(key=lambda each: str(each["updated_at"]))
        page = found[at : at + int(limit)]
        after = at + len(page)
        return Answer(body={"data": page, "next": str(after) if after < len(found) else None})

    def allows(self, request: Received) -> bool:
        if request.path.startswith("/shop/"):
            return request.headers.get("X-Api-Key") == SHOP_KEY
        return _signed(request)


def _signed(request: Received) -> bool:
    """Whether a webhook is from who has the secret."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    key = base64.b64decode(ALERT_SECRET.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in headers["webhook-signature"].split(" ")


def _lines(name: str) -> list[_Record]:
    """An order has one to three lines."""
    number = int(re.sub("[^0-9]", "", name))
    return [{"article": f"A-{place}", "cents": 100 * number} for place in range(number % 3 + 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description="The systems that the flows here talk to.")
    parser.add_argument("--broken", action="append", default=[], metavar="'METHOD /PATH'")
    arguments = parser.parse_args()
    with Business(DEFAULT_PORT, MAIL_PORT, told=lambda line: print(line, flush=True)) as business:
        business.fill()
        business.broken.update(arguments.broken)
        print(f"Systems at {business.url}, mail at port {MAIL_PORT}; Ctrl-C ends them", flush=True)
        until_interrupted()
        print("ended")


if __name__ == "__main__":
    main()
