"""What every test shares: tests under tests/server are marked, so that they can be left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.postgres import PostgresServer
    from tests.s3 import S3Server

# How long an example takes says something about the machine, not about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_SERVER_TESTS = Path(__file__).parent / "server"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_SERVER_TESTS):
            item.add_marker(pytest.mark.server)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Say at once what failed: all of them take long, and the summary comes at the end."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        why = getattr(report.longrepr, "reprcrash", None) or report.longreprtext
        print(f"\nFAILED {report.nodeid} in {report.when}: {why}", flush=True)


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One for the whole run; tests keep apart by bucket."""
    from tests.s3 import start_s3

    with start_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One for the whole run; tests keep apart by database. Only with `needs_postgres`."""
    from tests.postgres import start_postgres

    with start_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def pgvector_server() -> Iterator[PostgresServer]:
    """One with pgvector for the whole run. Only with `needs_pgvector`."""
    from tests.postgres import start_postgres

    with start_postgres(vectors=True) as server:
        yield server


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes may hold the time or chance, and tests that run side by side need the same names."""
    return argname if isinstance(val, bytes) else None
