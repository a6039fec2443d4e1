"""The explorer's choices of a model, an image and a person in it.

For tests in a browser, classes of the elements: poseur-explorer-model (a list of runs), poseur-explorer-checkpoint (a
text), poseur-explorer-train (a button), poseur-explorer-source, poseur-explorer-image-number, poseur-explorer-file,
poseur-explorer-box, poseur-explorer-upload, poseur-explorer-person (a list), poseur-explorer-overview (a picture in
which a click chooses the person).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread

import ipywidgets as widgets

from poseur_lib.errors import UserError
from poseur_lib.explore.models import open_checkpoint
from poseur_lib.explore.people import Box, ShownImage, own_image, uploaded_image
from poseur_lib.explore.picture import CLICK, NEXT, PREVIOUS, PictureWidget
from poseur_lib.explore.runs import ExplorableRun, find_runs, runs_folders
from poseur_lib.explore.session import Session
from poseur_lib.figures.attention.overview import overview_figure
from poseur_lib.study.again import Training, again, first_model
from poseur_lib.study.roots import below_root

NOTHING, NO_RUN = "no trained model yet", "none"
VAL, FILE, UPLOAD = "val set", "a file", "upload"
Say = Callable[[str], None]
Changed = Callable[[], None]


class ModelChooser:
    """A list of runs, and the path of a checkpoint; what has no weights can be trained.

    Args:
        runs: folder of all profiles' runs, as the notebook is told of it.
        say: is given what a person should know.
        changed: is called when the session has another model.
    """

    def __init__(self, session: Session, runs: str, say: Say, changed: Changed) -> None:
        self.session, self.runs, self._say, self._changed = session, runs, say, changed
        self.run = wide(widgets.Dropdown(description="run"), "poseur-explorer-model")
        self.file = wide(
            widgets.Text(description="or a file", placeholder="checkpoint, or a run's folder", continuous_update=False),
            "poseur-explorer-checkpoint",
        )
        self.train = widgets.Button(description="Train", icon="cogs", layout=widgets.Layout(display="none"))
        self.train.add_class("poseur-explorer-train")
        self.training: Training | None = None
        opened = session.model
        self.list_runs("" if opened is None else opened.run_id, opened is None)
        self.run.observe(lambda _: self._run_chosen(), "value")
        self.file.observe(lambda _: self._file_chosen(), "value")
        self.train.on_click(lambda _: self._train())
        self.widget = widgets.VBox([self.run, self.file, self.train])

    def list_runs(self, run_id: str, or_first: bool = True) -> None:
        """Offer the runs that are there now; choose the one of that name, or the first."""
        found = find_runs(runs_folders(self.runs))
        options = [(run.label, run) for run in found] or [(NOTHING, NO_RUN)]
        named = [run for run in found if run.run_id == run_id]
        self.run.options = options
        if named or or_first:
            self.run.value = (named or [options[0][1]])[0]

    def begin(self) -> None:
        """Take the first run of the list, unless the session has a model already."""
        if self.session.model is None:
            self._run_chosen()

    def _run_chosen(self) -> None:
        run: ExplorableRun | str | None = self.run.value
        if run is None:  # the list is being filled
            return
        self._offer(None)
        if run == NO_RUN:
            self._offer(first_model(self.runs, self.session.data))
        elif run.usable:
            self._open(lambda: self.session.choose_model(run.open(), run.profile))
        elif run.trainable:
            self._offer(again(run.record, self.session.data))
        else:
            self._say(f"{run.run_id} is of a method without keypoint queries: {run.status}. Choose a poseur model.")

    def _file_chosen(self) -> None:
        path = self.file.value.strip()
        if path:
            self._open(lambda: self.session.choose_model(open_checkpoint(below_root(path))))

    def _open(self, choose: Callable[[], None]) -> None:
        try:
            choose()
        except UserError as error:
            self._say(str(error))
            return
        self._say("")
        self._changed()

    def _offer(self, training: Training | None) -> None:
        self.training = training
        self.train.layout.display = "none" if training is None else ""
        if training is not None:
            recorded = training.record is not None
            self.train.description = "Train it again" if recorded else "Train a small model"
            why = "Only the record of this run is left, its weights are gone." if recorded else "There is no model yet."
            self._say(f"{why} The button {training.text}")

    def _train(self) -> None:
        self.train.disabled = True
        Thread(target=self._train_in_background, args=(self.training,), daemon=True).start()

    def _train_in_background(self, training: Training) -> None:
        try:
            run_id = training.execute(self._say)
        except Exception as error:  # a thread's traceback would reach nobody
            self._say(f"{type(error).__name__}: {error}")
            return
        finally:
            self.train.disabled = False
        self.list_runs(run_id)


class PersonChooser:
    """An image of the val set, a file or an upload, and a person in it.

    Args:
        changed: is called when the session has another person.
    """

    def __init__(self, session: Session, say: Say, changed: Changed) -> None:
        self.session, self._say, self._changed = session, say, changed
        self.source = widgets.ToggleButtons(options=[VAL, FILE, UPLOAD])
        self.source.style.button_width = "5em"
        self.number = widgets.BoundedIntText(description="image", min=0, max=0)
        self.file = widgets.Text(description="file", placeholder="path of an image", continuous_update=False)
        self.box = widgets.Text(description="box", placeholder="x, y, width, height", continuous_update=False)
        self.upload = widgets.FileUpload(accept="image/*", multiple=False, description="an image")
        self.person = widgets.Dropdown(description="person")
        self.overview = PictureWidget(clickable=True)
        for part, name in (
            (self.source, "source"), (self.number, "image-number"), (self.file, "file"), (self.box, "box"),
            (self.upload, "upload"), (self.person, "person"), (self.overview, "overview"),
        ):  # fmt: skip
            wide(part, f"poseur-explorer-{name}")
        self.source.observe(lambda _: self._show_source(), "value")
        for part in (self.number, self.file, self.box, self.upload):
            part.observe(lambda _: self._load(), "value")
        self.person.observe(lambda _: self._person_chosen(), "value")
        self.overview.on_event(CLICK, self._clicked)
        self.overview.on_event(NEXT, lambda *_: self._step(1))
        self.overview.on_event(PREVIOUS, lambda *_: self._step(-1))
        parts = [self.source, self.number, self.file, self.box, self.upload, self.person, self.overview]
        self.widget = widgets.VBox(parts)
        self._show_source()

    def begin(self) -> None:
        """Fit the choices to the session; take the val set's first image where it has none."""
        try:
            self.number.max = len(self.session.val.by_image) - 1
        except UserError as error:
            self.number.max = 0
            if self.session.image is None:
                self._say(str(error))
        if self.session.image is None:
            self._load()
        else:
            self._image_chosen()

    def _show_source(self) -> None:
        shown = {VAL: [self.number], FILE: [self.file, self.box], UPLOAD: [self.upload, self.box]}
        for part in (self.number, self.file, self.box, self.upload):
            part.layout.display = "" if part in shown[self.source.value] else "none"

    def _load(self) -> None:
        if self.session.model is None:
            return
        try:
            image = self._image()
        except UserError as error:
            self._say(str(error))
            return
        if image is not None:
            self._say("")
            self.session.choose_image(image)
            self._image_chosen()
            self._changed()

    def _image(self) -> ShownImage | None:
        if self.source.value == VAL:
            return self.session.val.image(self.number.value)
        if self.source.value == FILE:
            path = self.file.value.strip()
            return own_image(below_root(Path(path)), boxes_of(self.box.value)) if path else None
        files = self.upload.value
        if not files:
            return None
        return uploaded_image(files[0]["name"], bytes(files[0]["content"]), boxes_of(self.box.value))

    def _image_chosen(self) -> None:
        person = self.session.person
        self.person.options = [(name, number) for number, name in enumerate(self.session.image.names)]
        self.person.value = person
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


def wide(widget: widgets.DOMWidget, css: str) -> widgets.DOMWidget:
    """As wide as its column, with a class to find it by."""
    widget.layout.width = "calc(100% - 8px)"
    widget.add_class(css)
    return widget
