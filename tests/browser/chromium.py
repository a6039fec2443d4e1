"""Headless Chromium: the one that is on the machine, cut off from every network but what a test serves itself."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Root may not use Chromium's sandbox; the others keep the browser from calling home.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
INLINE = ("data:", "blob:", "about:")


@contextmanager
def chromium() -> Iterator["Browser"]:
    """A browser; the test is skipped where Playwright or Chromium is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright, which is in the test extra")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_executable(playwright), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def _executable(playwright: "Playwright") -> str:
    """The browser that `CHROMIUM` names, one in the path, or Playwright's own."""
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES), playwright.chromium.executable_path]
    first = next(path for path in found if path)
    if not Path(first).exists():
        pytest.skip(f"needs Chromium (Debian's package chromium, or CHROMIUM=path): {first} is not there")
    return first


class Watch:
    """What a page asked for elsewhere, and what it complained about."""

    def __init__(self, page: "Page", allowed: str) -> None:
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        self._allowed = (allowed, *INLINE)
        page.context.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url.replace("ws", "http", 1)))
        page.on("console", lambda one: self.complaints.append(one.text) if one.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, url: str) -> None:
        if not url.startswith(self._allowed):
            self.elsewhere.append(url)


@contextmanager
def opened(browser: "Browser", allowed: str, **options) -> Iterator[tuple["Page", Watch]]:
    """A page of its own and the watch over it.

    Args:
        allowed: how every address starts that the page may ask for.
        options: those of a Playwright context, as `viewport` and `color_scheme`.
    """
    context = browser.new_context(**options)
    try:
        page = context.new_page()
        yield page, Watch(page, allowed)
    finally:
        context.close()
