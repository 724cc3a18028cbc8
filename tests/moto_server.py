"""moto's server, one request to DynamoDB at a time.

moto takes a whole table back when it refuses a transaction, and with it what others have written
meanwhile. DynamoDB itself loses nothing then.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from moto.dynamodb.responses import DynamoHandler
from moto.server import main

_one_at_a_time = Lock()
_call = DynamoHandler.call_action


def _called_alone(handler: DynamoHandler) -> Any:
    with _one_at_a_time:
        return _call(handler)


if __name__ == "__main__":
    DynamoHandler.call_action = _called_alone  # type: ignore[method-assign]
    main()
