"""A real browser for tests: the Chromium that is installed here, without a window."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, async_playwright

__all__ = ["PATIENCE", "needs_browser", "open_page"]

PATIENCE = 60_000
"""Milliseconds a page is given to show something: the machine may be busy with other tests."""

_NAMES = (  # those of scripts/browser.sh
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)


def _find() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


needs_browser = pytest.mark.skipif(
    _find() is None,
    reason="there is no Chromium on the PATH; scripts/browser.sh installs one on Debian as root",
)


@asynccontextmanager
async def open_page() -> AsyncIterator[Page]:
    """An empty page of a browser of its own; what it waits for, it waits for with `PATIENCE`."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=_find(),
            args=["--no-sandbox"],  # which does not work for root
            timeout=PATIENCE,
        )
        try:
            page = await browser.new_page()
            page.set_default_timeout(PATIENCE)
            yield page
        finally:
            await browser.close()
