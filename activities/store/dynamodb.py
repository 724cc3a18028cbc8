"""A key-value store in one table of DynamoDB."""

from __future__ import annotations

import asyncio
import json
import math
import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakValueDictionary

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from activities.store.contract import (
    REMEMBERED,
    Clock,
    Decide,
    Item,
    KeyValueStore,
    KeyValueStoreError,
    Outcome,
)
from claimcheck.stores.threads import OutOfTime, Threads, check_time
from flowspec.values import JsonObject

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

__all__ = ["DynamoKeyValueStore"]

T = TypeVar("T")

_SECONDS: Final = 30.0
_SCHEMA: Final = "1"
_LONGEST_PAUSE: Final = 0.5
_Record = dict[str, Any]
_VERSION_KEY: Final = {"pk": {"S": "version"}, "sk": {"S": "version"}}


class DynamoKeyValueStore(KeyValueStore):
    """A table with the keys `pk` and `sk`: `i` and the space with the key of an item, `d` and the
    space with what was done. It is made, on demand, if it is not there.

    A change is written under the condition that nobody else has written since it was read; if
    somebody has, it is decided again.
    """

    name = "dynamodb"

    def __init__(
        self,
        table: str,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        credentials: tuple[str, str] | None = None,
        clock: Clock = time.time,
    ) -> None:
        super().__init__(clock=clock)
        self._table = table
        self._region = region
        self._endpoint = endpoint
        self._credentials = credentials or (None, None)
        self._client: DynamoDBClient | None = None
        self._opening = threading.Lock()
        self._changing: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._threads = Threads("store", seconds=_SECONDS, most=16)

    async def read(self, space: str, key: str) -> Item | None:
        def work(client: DynamoDBClient) -> Item | None:
            return _alive(self._get(client, _item_key(space, key)), self.clock())

        return await self._run(work)

    async def change(self, space: str, key: str, decide: Decide, *, once: str) -> JsonObject:
        def work(client: DynamoDBClient) -> JsonObject:
            pause = 0.01
            while True:
                check_time()
                result = self._try(client, space, key, decide, once)
                if result is not None:
                    return result
                time.sleep(random.uniform(0, pause))
                pause = min(2 * pause, _LONGEST_PAUSE)

        # Those of one process wait for each other: only other processes make it decide again.
        lock = self._changing.setdefault((space, key), asyncio.Lock())
        async with lock:
            return await self._run(work)

    async def page(self, space: str, prefix: str, *, after: str, limit: int) -> list[Item]:
        if after > prefix and not after.startswith(prefix):
            return []  # the keys that begin so are all before it

        def work(client: DynamoDBClient) -> list[Item]:
            query = self._query(space, prefix, after)
            found: list[Item] = []
            while True:
                check_time()
                answer = client.query(**query, Limit=limit - len(found))
                items = (_alive(record, self.clock()) for record in answer["Items"])
                found += [item for item in items if item is not None]
                query["ExclusiveStartKey"] = answer.get("LastEvaluatedKey")
                if query["ExclusiveStartKey"] is None or len(found) == limit:
                    return found

        return await self._run(work)

    async def close(self) -> None:
        self._threads.close()
        with self._opening:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _query(self, space: str, prefix: str, after: str) -> dict[str, Any]:
        query: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": f"i{space}"}},
        }
        if prefix:
            query["KeyConditionExpression"] += " AND begins_with(sk, :prefix)"
            query["ExpressionAttributeValues"][":prefix"] = {"S": prefix}
        if after >= prefix and after:
            query["ExclusiveStartKey"] = _item_key(space, after)
        return query

    def _get(self, client: DynamoDBClient, key: _Record) -> _Record | None:
        return client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")

    def _try(
        self, client: DynamoDBClient, space: str, key: str, decide: Decide, once: str
    ) -> JsonObject | None:
        """The result; None if somebody else has written meanwhile."""
        now = self.clock()
        old = self._get(client, _item_key(space, key))
        done = self._get(client, _done_key(space, once))
        if done is not None and float(done["expires"]["N"]) > now:
            result: JsonObject = json.loads(done["result"]["S"])
            return result
        outcome = decide(_alive(old, now), now)
        if outcome.writes:
            writes = [
                self._item_write(_item_key(space, key), old, outcome),
                self._done_write(_done_key(space, once), outcome, now),
            ]
            try:
                client.transact_write_items(TransactItems=writes)
            except client.exceptions.TransactionCanceledException as error:
                if _is_conflict(error):
                    return None
                raise
        return outcome.result

    def _item_write(
        self, key: _Record, old: _Record | None, outcome: Outcome
    ) -> TransactWriteItemTypeDef:
        write: Any = {"TableName": self._table, "ConditionExpression": "attribute_not_exists(pk)"}
        if old is not None:
            write["ConditionExpression"] = "version = :old"
            write["ExpressionAttributeValues"] = {":old": old["version"]}
        if outcome.item is None:
            return {"Delete": write | {"Key": key}}
        item = outcome.item
        record = {**key, "value": {"S": item.text}, "version": {"N": str(item.version)}}
        record.update({} if item.expires is None else _expiry(item.expires))
        return {"Put": write | {"Item": record}}

    def _done_write(self, key: _Record, outcome: Outcome, now: float) -> TransactWriteItemTypeDef:
        record = {**key, "result": {"S": json.dumps(outcome.result)}, **_expiry(now + REMEMBERED)}
        return {
            "Put": {
                "TableName": self._table,
                "Item": record,
                "ConditionExpression": "attribute_not_exists(pk) OR expires <= :now",
                "ExpressionAttributeValues": {":now": {"N": repr(now)}},
            }
        }

    async def _run(self, work: Callable[[DynamoDBClient], T]) -> T:
        what = f"the table {self._table} of DynamoDB"
        try:
            return await self._threads.run(lambda: work(self._open()))
        except (BotoCoreError, ClientError) as error:
            raise KeyValueStoreError(f"{what}: {error}") from error
        except OutOfTime as error:
            raise KeyValueStoreError(f"{what} is too busy, or does not answer in time") from error

    def _open(self) -> DynamoDBClient:
        with self._opening:
            if self._client is None:
                client = _connect(self._region, self._endpoint, self._credentials)
                try:
                    _make_table(client, self._table)
                except BaseException:
                    client.close()
                    raise
                self._client = client
            return self._client


def _connect(
    region: str | None, endpoint: str | None, credentials: tuple[str | None, str | None]
) -> DynamoDBClient:
    session = boto3.session.Session()
    return session.client(
        "dynamodb",
        region_name=region or session.region_name or "us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=credentials[0],
        aws_secret_access_key=credentials[1],
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=5,
            read_timeout=10,
            max_pool_connections=16,
        ),
    )


def _make_table(client: DynamoDBClient, table: str) -> None:
    """Whoever is first makes it; everybody waits until it is there."""
    try:
        client.describe_table(TableName=table)
    except client.exceptions.ResourceNotFoundException:
        _create(client, table)
    waiter = client.get_waiter("table_exists")
    waiter.wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": int(_SECONDS)})
    version = {**_VERSION_KEY, "version": {"N": _SCHEMA}}
    try:
        condition = "attribute_not_exists(pk)"
        client.put_item(TableName=table, Item=version, ConditionExpression=condition)
        client.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "purge"}
        )
    except client.exceptions.ConditionalCheckFailedException:
        found = client.get_item(TableName=table, Key=_VERSION_KEY, ConsistentRead=True)["Item"]
        if found["version"]["N"] != _SCHEMA:
            raise KeyValueStoreError(
                f"the table {table} of DynamoDB is of version {found['version']['N']}, which this "
                "Flowrunner does not know"
            ) from None


def _create(client: DynamoDBClient, table: str) -> None:
    try:
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
        )
    except client.exceptions.ResourceInUseException:
        return  # somebody else was first


def _item_key(space: str, key: str) -> _Record:
    return {"pk": {"S": f"i{space}"}, "sk": {"S": key}}


def _done_key(space: str, once: str) -> _Record:
    return {"pk": {"S": f"d{space}"}, "sk": {"S": once}}


def _expiry(seconds: float) -> _Record:
    """DynamoDB itself removes what has a `purge` in the past, in whole seconds, within days."""
    return {"expires": {"N": repr(seconds)}, "purge": {"N": str(math.ceil(seconds))}}


def _alive(record: _Record | None, now: float) -> Item | None:
    if record is None:
        return None
    expires = float(record["expires"]["N"]) if "expires" in record else None
    item = Item(
        key=record["sk"]["S"],
        text=record["value"]["S"],
        version=int(record["version"]["N"]),
        expires=expires,
    )
    return item if item.lives(now) else None


def _is_conflict(error: ClientError) -> bool:
    reasons = {one.get("Code") for one in error.response.get("CancellationReasons", ())}
    conflicts = {"ConditionalCheckFailed", "TransactionConflict"}
    return bool(reasons & conflicts) and reasons <= {*conflicts, "None", None}
