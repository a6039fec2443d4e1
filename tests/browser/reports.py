"""What a browser finds in the pages of a report, opened from disk without a network."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.browser.chromium import Watch, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

INSPECT = Path(__file__).with_name("inspection.js").read_text()
OPEN_ALL = "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"
DECODED = "() => Promise.all([...document.images].map((image) => image.decode().catch(() => null)))"
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}
ELSEWHERE = ("https://arxiv.org/abs/2201.07412", "https://github.com/aim-uofa/Poseur")
PAPER = {"width": 703, "height": 1017}  # A4 within the margins of the style sheet, in CSS pixels
WAYS = tuple((scheme, size) for scheme in ("light", "dark") for size in SIZES)


@dataclass(frozen=True)
class Opened:
    """A page as it was found: by way of looking (scheme, size), and on paper."""

    looks: dict[tuple[str, str], dict[str, Any]]
    printed: dict[str, Any]
    pdf: bytes
    watch: Watch

    @property
    def any(self) -> dict[str, Any]:
        """What does not depend on the way of looking."""
        return self.looks[WAYS[0]]


@dataclass(frozen=True, eq=False)
class Report:
    """A rendered report and the browser that reads it."""

    folder: Path
    browser: "Browser"

    @cached_property
    def pages(self) -> tuple[str, ...]:
        """Every page, by its file's name."""
        return tuple(sorted(path.name for path in self.folder.glob("*.html")))

    @cached_property
    def found(self) -> dict[str, Opened]:
        """What was found, by page."""
        with opened(self.browser, self.folder.as_uri(), offline=True) as (page, _):
            return {name: self._open(page, name) for name in self.pages}

    def broken(self, name: str) -> Iterator[str]:
        """The targets of a page's links and pictures that are not there; the paper and its code are elsewhere."""
        for target in self.found[name].any["targets"]:
            if target in ELSEWHERE:
                continue
            path, _, fragment = unquote(target).partition("#")
            file = (self.folder / name).parent / path if path else self.folder / name
            if not file.is_file() or (fragment and f'id="{fragment}"' not in file.read_text()):
                yield target

    def _open(self, page: "Page", name: str) -> Opened:
        watch, looks = Watch(page, self.folder.as_uri()), {}
        page.goto((self.folder / name).as_uri())
        page.evaluate(OPEN_ALL)
        page.evaluate(DECODED)
        for scheme, size in WAYS:
            page.set_viewport_size(SIZES[size])
            page.emulate_media(color_scheme=scheme, media="screen")
            looks[scheme, size] = page.evaluate(INSPECT)
        page.reload()
        page.set_viewport_size(PAPER)
        page.emulate_media(media="print")
        return Opened(looks, page.evaluate(INSPECT), page.pdf(format="A4"), watch)
