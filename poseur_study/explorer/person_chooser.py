"""The explorer's choice of an image and a person in it.

For tests in a browser, classes of the elements: poseur-explorer-source, poseur-explorer-image-number,
poseur-explorer-file, poseur-explorer-box, poseur-explorer-upload, poseur-explorer-person (a list),
poseur-explorer-overview (a picture in which a click chooses the person).
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import ipywidgets as widgets

from poseur_lib.data.images import decode_image
from poseur_lib.errors import UserError
from poseur_study.display.attention.images import Box, ShownImage, overview_figure, own_image, with_boxes
from poseur_study.experiments.notebook_parameters import ExplorerSettings
from poseur_study.explorer.controls import WIDE, Changed, Say, named, refill
from poseur_study.explorer.picture import PictureWidget
from poseur_study.explorer.session import Session
from poseur_study.runs.project import below_root

VAL, FILE, UPLOAD = "val set", "a file", "upload"


class PersonChooser:
    """An image of the val set, a file or an upload, and a person in it.

    Args:
        changed: is called when the person has chosen another one.
        start: the notebook's parameters, whose image, box and person are taken first where the session has no image.
    """

    def __init__(self, session: Session, say: Say, changed: Changed, start: ExplorerSettings | None = None) -> None:
        self.session, self._say, self._changed, self._start = session, say, changed, start
        self.source = widgets.ToggleButtons(options=[VAL, FILE, UPLOAD])
        self.source.style.button_width = "5em"
        self.number = widgets.BoundedIntText(description="image", min=0, max=0)
        self.file = widgets.Text(description="file", placeholder="path of an image", continuous_update=False)
        self.box = widgets.Text(description="box", placeholder="x, y, width, height", continuous_update=False)
        self.upload = widgets.FileUpload(accept="image/*", multiple=False, description="an image")
        self.person = widgets.Dropdown(description="person")
        self.overview = PictureWidget()
        parts = {
            "source": self.source, "image-number": self.number, "file": self.file, "box": self.box,
            "upload": self.upload, "person": self.person, "overview": self.overview,
        }  # fmt: skip
        for name, part in parts.items():
            named(part, name, WIDE)
        self._fill_in(start)
        self._following = False
        for part in (self.source, self.file, self.upload):
            part.observe(lambda _: self._another_chosen(), "value")
        for part in (self.number, self.box):
            part.observe(lambda _: self._load(), "value")
        self.person.observe(lambda _: self._person_chosen(), "value")
        self.overview.on_person(self._clicked, self._step)
        self.widget = widgets.VBox(list(parts.values()))
        self._show_source()

    def begin(self) -> None:
        """Fit the choices to the session; where it has no image, take what they say."""
        self._follow()
        self._show_image()
        if self.session.image is None:
            self._take()

    def _fill_in(self, start: ExplorerSettings | None) -> None:
        """Let the choices say what the parameters ask for; without any, the val set's first image."""
        if start is None:
            return
        if isinstance(start.image, int):
            self.number.max = start.image  # how many there are is known with the model
            self.number.value = start.image
        else:
            self.source.value, self.file.value, self.box.value = FILE, start.image, sides(start.box)

    def _follow(self) -> None:
        """Let the choices say what the session shows; nothing is loaded by that."""
        self._following = True
        with suppress(UserError):  # without a val set; who asks for its images is told
            self.number.max = len(self.session.val.by_image) - 1
        image = self.session.image
        if image is not None:
            origin = image.origin
            self.source.value = VAL if isinstance(origin, int) else UPLOAD if origin is None else FILE
            if isinstance(origin, int):
                self.number.value = origin
            elif origin is not None:
                self.file.value = str(origin)
            own_box = self.source.value != VAL and len(image.people) > 1  # beside the whole image
            self.box.value = sides(image.people[0].box) if own_box else ""
        self._following = False

    def _another_chosen(self) -> None:
        """Another source, file or upload: a box that was typed is of the last one."""
        self._show_source()
        if self.box.value and not self._following:
            self.box.value = ""  # which loads the image
        else:
            self._load()

    def _show_source(self) -> None:
        shown = {VAL: [self.number], FILE: [self.file, self.box], UPLOAD: [self.upload, self.box]}
        for part in (self.number, self.file, self.box, self.upload):
            part.layout.display = "" if part in shown[self.source.value] else "none"

    def _load(self) -> None:
        if self._following:
            return
        self._start = None  # something else was chosen
        if self.session.model is not None and self._take():
            self._changed()

    def _take(self) -> bool:
        """Give the session the image that is chosen; False if there is none or it cannot be used, which is said."""
        try:
            image = self._image()
            if image is None:
                return False
            self.session.choose_image(image, 0 if self._start is None else self._start.person)
        except UserError as error:
            self._say(str(error))
            return False
        self._start = None
        self._say("")
        self._show_image()
        return True

    def _image(self) -> ShownImage | None:
        if self.source.value == VAL:
            return self.session.val.image(self.number.value if self._start is None else self._start.image)
        if self.source.value == FILE:
            path = self.file.value.strip()
            return own_image(below_root(Path(path)), boxes_of(self.box.value)) if path else None
        if not self.upload.value:
            return None
        name, content = self.upload.value[0]["name"], bytes(self.upload.value[0]["content"])
        return with_boxes(name, decode_image(content, name), boxes_of(self.box.value))

    def _show_image(self) -> None:
        image, person = self.session.image, self.session.person
        if image is None:
            refill(self.person, [], None)
            self.overview.clear()
            return
        refill(self.person, [(name, number) for number, name in enumerate(image.names)], person)
        self._draw()

    def _person_chosen(self) -> None:
        if self.person.value is not None and self.person.value != self.session.person:
            self.session.person = self.person.value
            self._draw()
            self._changed()

    def _draw(self) -> None:
        self.overview.show(overview_figure(self.session.image, self.session.person).picture())

    def _clicked(self, across: float, down: float) -> None:
        if self.session.image is not None:
            self.person.value = self.session.image.person_at(across, down)

    def _step(self, by: int) -> None:
        if self.session.image is not None:
            self.person.value = (self.session.person + by) % len(self.session.image.people)


def boxes_of(text: str) -> Sequence[Box]:
    """The box that a person typed; none where the field is empty.

    Raises:
        UserError: it is not four numbers.
    """
    if not text.strip():
        return ()
    try:
        x, y, width, height = (float(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise UserError(f"box {text!r}: give four numbers, x, y, width and height in pixels") from None
    return ((x, y, width, height),)


def sides(box: Sequence[float]) -> str:
    """A box as it is typed; "" for none."""
    return ", ".join(f"{side:.10g}" for side in box)
