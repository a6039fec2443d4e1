"""The explorer of a notebook that JupyterLab shows: its controls, its pictures, and how long a picture takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from poseur_study.explorer.views import VIEWS

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

TITLES = {view.name: view.title for view in VIEWS}
ANOTHER = "([image, before]) => image.src !== before && image.complete && image.naturalWidth > 0"
CHANGED_OR_LATE = """([select, before]) => new Promise((done) => {
    const ends = Date.now() + 10_000;
    const look = () =>
        select.value !== before || Date.now() > ends ? done() : setTimeout(look, 50);
    look();
})"""


@dataclass(frozen=True)
class ExplorerPage:
    """What a person sees and touches.

    Attributes:
        redraws: what was done, and the seconds until the picture was another one, this test's own calls included.
    """

    page: "Page"
    redraws: dict[str, float] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The line above the views, empty where nothing is wrong."""
        return self.page.locator(".poseur-explorer-message").inner_text().strip()

    @property
    def keypoint(self) -> str:
        """The keypoint that is looked at."""
        return self.page.locator(".poseur-explorer-keypoint select").input_value()

    def picture(self, view: str) -> "Locator":
        """A view's picture."""
        return self.page.locator(f".poseur-explorer-view-{view} .poseur-explorer-picture img")

    def open(self, view: str) -> None:
        """Open a tab and wait for its picture."""
        self.page.locator(".poseur-explorer-tabs .lm-TabBar-tab", has_text=TITLES[view]).click()
        self.page.wait_for_function("(one) => one.src && one.naturalWidth > 0", arg=self.picture(view).element_handle())
        self.settle(view)

    def settle(self, view: str) -> None:
        """Wait until a view's picture has stayed the same for a second."""
        before = None
        while (now := self.picture(view).get_attribute("src")) != before:
            before = now
            self.page.wait_for_timeout(1000)

    def nearest(self, view: str, across: float, down: float) -> str:
        """The keypoint that a click into a view's picture chooses; it may be the one that is looked at already."""
        select, before = self.page.locator(".poseur-explorer-keypoint select"), self.keypoint
        self.click(view, across, down)
        self.page.evaluate(CHANGED_OR_LATE, [select.element_handle(), before])
        self.settle(view)
        return self.keypoint

    def move_layer(self, key: str) -> None:
        """Press a key on the layer control."""
        self.page.locator(".poseur-explorer-layer [role=slider]").press(key)

    def choose(self, keypoint: str) -> None:
        """Choose a keypoint in the list."""
        self.page.locator(".poseur-explorer-keypoint select").select_option(keypoint)

    def click(self, view: str, across: float, down: float) -> None:
        """Click into a view's picture, at a place in fractions of its size."""
        image = self.picture(view)
        box = image.bounding_box()
        image.click(position={"x": across * box["width"], "y": down * box["height"]})

    def cursor(self, view: str, across: float, down: float) -> str:
        """The cursor's shape over a place of a view's picture, in fractions of its size."""
        image = self.picture(view)
        box = image.bounding_box()
        image.hover(position={"x": across * box["width"], "y": down * box["height"]})
        return image.evaluate("(one) => getComputedStyle(one).cursor")

    def upload(self, path: Path) -> None:
        """Choose to upload, and choose a file of this machine."""
        self.page.locator(".poseur-explorer-source button", has_text="upload").click()
        with self.page.expect_file_chooser() as chooser:
            self.page.locator("button.poseur-explorer-upload").click()
        chooser.value.set_files(path)

    @contextmanager
    def redraw(self, view: str, what: str) -> Iterator[None]:
        """Do something in the block, and wait until the view's picture is another one."""
        image = self.picture(view)
        before, began = image.get_attribute("src"), time.perf_counter()
        yield
        self.page.wait_for_function(ANOTHER, arg=[image.element_handle(), before])
        self.redraws[what] = time.perf_counter() - began
