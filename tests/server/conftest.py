"""Fixtures of the tests that need a real Temporal server."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.server.support import HttpService, Product, TemporalServer, start_temporal

_LOG_TAIL = 8_000

# Who runs the tests in the background of a shell has them ignore Ctrl-C, and what they start too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

MakeProduct = Callable[..., Product]


@pytest.fixture(scope="session")
def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    """One server for the whole run; tests keep apart by task queue and workflow id."""
    with start_temporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture(scope="session")
def product(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    """Flowrunner with one worker that all tests share: do not stop it, name flows uniquely."""
    shared = Product(address=temporal_server.address, folder=tmp_path_factory.mktemp("product"))
    try:
        shared.start_worker()
        yield shared
    finally:
        shared.stop()


@pytest.fixture
def make_product(temporal_server: TemporalServer, tmp_path: Path) -> Iterator[MakeProduct]:
    """Make a product of this test's own, no worker started: `make_product(FLOWRUNNER_…="…")`."""
    made: list[Product] = []

    def make(**settings: str) -> Product:
        folder = tmp_path / f"product-{len(made)}"
        made.append(Product(address=temporal_server.address, folder=folder, settings=settings))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def own_product(make_product: MakeProduct) -> Product:
    """A product of this test's own, no worker started."""
    return make_product()


@pytest.fixture
def http_service() -> Iterator[HttpService]:
    """An HTTP service on loopback whose answers the test decides."""
    with HttpService() as service:
        yield service


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows the logs of the workers and commands it used."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        products = [value for value in item.funcargs.values() if isinstance(value, Product)]
        for log in (log for each in products for log in sorted(each.folder.glob("*.log"))):
            text = log.read_text(errors="replace")[-_LOG_TAIL:]
            report.sections.append((f"log of {log.stem}", text))
    return report
