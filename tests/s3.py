"""A real S3 server: moto's, a process of its own that checks signatures and permissions."""

from __future__ import annotations

import json
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.server.support import Running, clean_environment, free_port, until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["Credentials", "S3Server", "start_s3"]

_REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Who may do what on the server."""

    access_key_id: str
    secret_access_key: str


_NOBODY = Credentials(access_key_id="nobody", secret_access_key="nothing")


@dataclass(frozen=True, kw_only=True)
class S3Server:
    """`endpoint`, and credentials that may do everything."""

    endpoint: str
    credentials: Credentials
    region: str = _REGION

    def make_bucket(self) -> str:
        """A new one, empty."""
        name = f"bucket-{uuid.uuid4().hex}"
        self.client().create_bucket(Bucket=name)
        return name

    def make_user(self, *actions: str) -> Credentials:
        """Credentials that may do these alone, such as `s3:GetObject`."""
        return _make_user(self.endpoint, self.credentials, actions)

    def client(self) -> S3Client:
        """boto3's, to look behind the back of what is tested."""
        return _client(self)


_SERVER = Path(__file__).with_name("moto_server.py")


@cache
def _client(server: S3Server) -> S3Client:
    import boto3

    client: S3Client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=server.region,
        aws_access_key_id=server.credentials.access_key_id,
        aws_secret_access_key=server.credentials.secret_access_key,
    )
    return client


@contextmanager
def start_s3(folder: Path) -> Iterator[S3Server]:
    """A server whose log is in the folder; it keeps everything in memory."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    server = Running(
        "s3",
        [sys.executable, "-P", str(_SERVER), "-p", str(port)],
        # So many requests are free, to make the one who may do everything.
        env=clean_environment(INITIAL_NO_AUTH_ACTION_COUNT="3"),
        log=folder / "s3.log",
    )
    try:
        until(lambda: _answers(endpoint), what="the S3 server")
        yield S3Server(endpoint=endpoint, credentials=_make_user(endpoint, _NOBODY, ("*",)))
    finally:
        server.stop()


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5):
            return True
    except OSError:
        return False


def _make_user(endpoint: str, by: Credentials, actions: tuple[str, ...]) -> Credentials:
    iam = _iam(endpoint, by)
    name = f"user-{uuid.uuid4().hex}"
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=policy)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(access_key_id=made["AccessKeyId"], secret_access_key=made["SecretAccessKey"])


def _iam(endpoint: str, by: Credentials) -> Any:  # its types are a package more
    import boto3

    return boto3.client(
        "iam",
        endpoint_url=endpoint,
        region_name=_REGION,
        aws_access_key_id=by.access_key_id,
        aws_secret_access_key=by.secret_access_key,
    )
