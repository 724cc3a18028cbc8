"""What every test shares: tests under tests/server are marked, so that they can be left out."""

from __future__ import annotations

from pathlib import Path

import pytest

_SERVER_TESTS = Path(__file__).parent / "server"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_SERVER_TESTS):
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout."""
    return Path(__file__).parent.parent
