"""The browser of a module's tests."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Headless Chromium. Not for the session: Playwright's event loop is in the way of tests that run their own."""
    with chromium() as one:
        yield one
