"""Each thing that can be wrong with a bucket is told apart, with the setting to look at."""

from __future__ import annotations

import datetime as dt
import inspect
import os
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from claimcheck.errors import StoreRefused, StoreUnavailable
from claimcheck.stores import BlobStore, S3Store
from claimcheck.stores.s3_errors import explained
from tests.contract.places import Bucket
from tests.contract.proxy import proxy_to, refuse
from tests.contract.test_stores import FOLDER, NO_BLOB, keys, read
from tests.s3 import Credentials
from tests.server.support import free_port

Operation = Callable[[BlobStore], Awaitable[object]]
OPERATIONS: dict[str, Operation] = {
    "put": lambda store: store.put(b"value", under=FOLDER),
    "put-large": lambda store: store.put(bytes(2 * 1024 * 1024), under=FOLDER),
    "get": lambda store: store.get(NO_BLOB, limit=9),
    "read": lambda store: read(store, NO_BLOB),
    "stat": lambda store: store.stat(NO_BLOB),
    "delete": lambda store: store.delete(NO_BLOB),
    "list": lambda store: keys(store),
    "health": lambda store: store.health(),
}


@pytest.fixture(params=OPERATIONS)
def operation(request: pytest.FixtureRequest) -> Operation:
    return OPERATIONS[request.param]


async def complaint(store: S3Store, operation: Operation, kind: type[Exception]) -> str:
    async with store:
        with pytest.raises(kind) as caught:
            await operation(store)
    assert type(caught.value) is kind
    assert caught.value.__cause__ is not None
    return str(caught.value)


async def test_a_bucket_that_is_missing(bucket: Bucket, operation: Operation) -> None:
    said = await complaint(bucket.open(bucket="no-such-bucket"), operation, StoreRefused)

    assert said.startswith(f"the bucket 'no-such-bucket' at {bucket.server.endpoint} does not ex")
    assert "BLOB_STORAGE_BUCKET" in said


async def test_an_access_key_that_is_unknown(bucket: Bucket, operation: Operation) -> None:
    wrong = Credentials(access_key_id="AKIAWRONGWRONGWRONG0", secret_access_key="wrong-and-secret")
    said = await complaint(bucket.open(credentials=wrong), operation, StoreRefused)

    assert "does not know the access key: set BLOB_STORAGE_ACCESS_KEY_ID" in said
    assert "wrong-and-secret" not in said


async def test_a_secret_that_is_wrong(bucket: Bucket, operation: Operation) -> None:
    id = bucket.server.credentials.access_key_id
    wrong = Credentials(access_key_id=id, secret_access_key="wrong-and-secret")
    said = await complaint(bucket.open(credentials=wrong), operation, StoreRefused)

    assert "BLOB_STORAGE_SECRET_ACCESS_KEY does not belong to BLOB_STORAGE_ACCESS_KEY_ID" in said
    assert "wrong-and-secret" not in said


async def test_a_user_who_may_not(bucket: Bucket, operation: Operation) -> None:
    somebody = bucket.server.make_user("s3:ListAllMyBuckets")
    said = await complaint(bucket.open(credentials=somebody), operation, StoreRefused)

    assert "does not permit this to the holder of the access key" in said
    assert "s3:ListBucket" in said


async def test_a_user_who_may_only_read(bucket: Bucket) -> None:
    reader = bucket.server.make_user("s3:GetObject", "s3:ListBucket")
    async with bucket.open() as store:
        key = await store.put(b"value", under=FOLDER)

    async with bucket.open(credentials=reader) as store:
        assert await store.get(key, limit=9) == b"value"
        assert await keys(store) == [key]
        for operation in (store.put(b"other", under=FOLDER), store.delete(key), store.health()):
            with pytest.raises(StoreRefused, match="s3:PutObject"):
                await operation


async def test_nobody_there(bucket: Bucket, operation: Operation) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    said = await complaint(bucket.open(endpoint=endpoint), operation, StoreUnavailable)

    assert said == (
        f"the bucket '{bucket.name}' at {endpoint} cannot be reached: check BLOB_STORAGE_ENDPOINT "
        "and the network (Connection refused)"
    )


@pytest.mark.parametrize("status", [200, 302, 405, 501])
@pytest.mark.parametrize("name", ["health", "list"])
async def test_a_web_server_that_is_no_store(bucket: Bucket, status: int, name: str) -> None:
    with web_page(status) as endpoint:
        async with bucket.open(endpoint=endpoint) as store:
            with pytest.raises(StoreUnavailable, match="BLOB_STORAGE_ENDPOINT") as caught:
                await OPERATIONS[name](store)
    assert "An error occurred" not in str(caught.value)


async def test_a_host_without_an_address(bucket: Bucket) -> None:
    store = bucket.open(endpoint="http://store.invalid")
    said = await complaint(store, OPERATIONS["put"], StoreUnavailable)

    assert "http://store.invalid cannot be reached: check BLOB_STORAGE_ENDPOINT" in said


@pytest.mark.parametrize("endpoint", ["store.example.com", "ftp//x", "https://"])
async def test_an_endpoint_that_is_no_url(bucket: Bucket, endpoint: str) -> None:
    said = await complaint(bucket.open(endpoint=endpoint), OPERATIONS["put"], StoreRefused)

    assert "BLOB_STORAGE_ENDPOINT is not a URL" in said


@pytest.mark.parametrize("name", ["no/bucket", "", "x" * 300])
async def test_a_bucket_whose_name_cannot_be(bucket: Bucket, name: str) -> None:
    said = await complaint(bucket.open(bucket=name), OPERATIONS["put"], StoreRefused)

    assert "BLOB_STORAGE_BUCKET" in said


async def test_no_credentials_anywhere(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = bucket.open(access_key_id=None, secret_access_key=None)

    said = await complaint(store, OPERATIONS["put"], StoreRefused)

    assert "needs credentials: set BLOB_STORAGE_ACCESS_KEY_ID and BLOB_STORAGE_SECRET_ACC" in said


async def test_credentials_are_found_where_the_tools_of_aws_look(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = bucket.server.credentials
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", given.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given.secret_access_key)

    async with bucket.open(access_key_id=None, secret_access_key=None) as store:
        await store.health()


async def test_a_certificate_that_nobody_vouches_for(bucket: Bucket, tmp_path: Path) -> None:
    with tls_server(tmp_path) as endpoint:
        said = await complaint(bucket.open(endpoint=endpoint), OPERATIONS["put"], StoreRefused)

    assert "has a certificate that is not trusted here: check BLOB_STORAGE_ENDPOINT" in said
    assert "AWS_CA_BUNDLE" in said


async def test_a_server_that_speaks_something_else(bucket: Bucket, operation: Operation) -> None:
    with web_page() as endpoint:
        said = await complaint(bucket.open(endpoint=endpoint), operation, StoreRefused)

    assert "does not answer as S3 does: set BLOB_STORAGE_ENDPOINT to" in said


ANSWERS = {
    "region": (400, "AuthorizationHeaderMalformed", "BLOB_STORAGE_REGION"),
    "region-r2": (400, "InvalidRegionName", "auto"),
    "elsewhere": (301, "PermanentRedirect", "BLOB_STORAGE_REGION, or BLOB_STORAGE_ENDPOINT"),
    "elsewhere-unsaid": (301, "", "BLOB_STORAGE_REGION, or BLOB_STORAGE_ENDPOINT"),
    "expired": (400, "ExpiredToken", "have expired; renew them"),
    "clock": (403, "RequestTimeTooSkewed", "set the clock"),
    "r2-unauthorized": (401, "Unauthorized", "does not permit this"),
    "forbidden-unsaid": (403, "", "does not permit this"),
    "too-large": (400, "EntityTooLarge", "a value of this size"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_what_the_server_says_is_put_into_words(
    bucket: Bucket, answer: tuple[int, str, str]
) -> None:
    status, code, words = answer
    with proxy_to(bucket.server.endpoint) as proxy:
        proxy.next(refuse(status, code), times=1000)
        store = bucket.open(endpoint=proxy.endpoint)
        said = await complaint(store, OPERATIONS["put"], StoreRefused)

    assert words in said


async def test_an_error_nobody_knows_is_told_as_it_came(bucket: Bucket) -> None:
    with proxy_to(bucket.server.endpoint) as proxy:
        proxy.next(refuse(418, "Teapot", "short and stout"), times=20)
        store = bucket.open(endpoint=proxy.endpoint)
        said = await complaint(store, OPERATIONS["put"], StoreUnavailable)

    assert "answered with an error (418: Teapot: short and stout)" in said
    assert "short and stout" in said


def test_every_error_of_boto3_that_a_store_may_cause_is_explained() -> None:
    unexplained = [
        name
        for name, kind in inspect.getmembers(boto, inspect.isclass)
        if issubclass(kind, boto.BotoCoreError | ClientError)
        and explained(_made(kind), "the bucket") is None
    ]

    assert unexplained == []
    assert explained(TypeError("a mistake of ours"), "the bucket") is None


def _made(kind: type[Exception]) -> Exception:
    if issubclass(kind, ClientError):
        return kind({"Error": {"Code": "X"}}, "PutObject")
    error = kind.__new__(kind)
    Exception.__init__(error, "said")
    return error


@contextmanager
def tls_server(folder: Path) -> Iterator[str]:
    """Its certificate is its own, and in no list of anybody's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))
    with _serving(BaseHTTPRequestHandler, context) as port:
        yield f"https://127.0.0.1:{port}"


@contextmanager
def web_page(status: int = 404) -> Iterator[str]:
    """A server that has a page for whatever it is asked."""

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            page = (
                b"<html><p>Welcome</p></html>"
                if status == 200
                else b"<!doctype html><p>Welcome<br>"
            )
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(page)

        do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with _serving(Page, None) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _serving(
    handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None
) -> Iterator[int]:
    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file
