"""The explorer's choices of a model, and of an image and a person in it.

For tests in a browser, classes of the elements: poseur-explorer-model (a list of runs), poseur-explorer-checkpoint (a
text), poseur-explorer-train (a button); poseur-explorer-source, poseur-explorer-image-number, poseur-explorer-file,
poseur-explorer-box, poseur-explorer-upload, poseur-explorer-person (a list), poseur-explorer-overview (a picture in
which a click chooses the person).
"""

from collections.abc import Sequence
from contextlib import suppress
from threading import Thread

import ipywidgets as widgets

from poseur_lib.data.images import decode_image
from poseur_lib.errors import UserError
from poseur_study.execution.retrain import Training, first_model, retraining
from poseur_study.explorer.attention.images import Box, ShownImage, overview_figure, own_image, with_boxes
from poseur_study.explorer.attention.open_model import open_checkpoint
from poseur_study.explorer.controls import WIDE, Changed, Say, named, refill
from poseur_study.explorer.picture import PictureWidget
from poseur_study.explorer.runs import ExplorableRun, runs_to_explore
from poseur_study.explorer.session import Session
from poseur_study.runs.project import below_root

NOTHING, NO_RUN = "no trained model yet", "none"
VAL, FILE, UPLOAD = "val set", "a file", "upload"


class ModelChooser:
    """A list of runs, and the path of a checkpoint; what has no weights can be trained.

    Args:
        say: is given what a person should know.
        changed: is called when the session has another model.
    """

    def __init__(self, session: Session, say: Say, changed: Changed) -> None:
        self.session, self._say, self._changed = session, say, changed
        hint, hidden = "checkpoint, or a run's folder", widgets.Layout(display="none")
        file = widgets.Text(description="or a file", placeholder=hint, continuous_update=False)
        self.run = named(widgets.Dropdown(description="run"), "model", WIDE)
        self.file = named(file, "checkpoint", WIDE)
        self.train = named(widgets.Button(description="Train", icon="cogs", layout=hidden), "train")
        self.training: Training | None = None
        self.opened: ExplorableRun | None = None
        widgets.dlink((self.run, "value"), (self.run, "tooltip"), lambda run: getattr(run, "run_id", ""))
        self.list_runs(session.settings.run if session.model is None else session.model.run_id)
        self.run.observe(lambda _: self.run_chosen(), "value")
        self.file.observe(lambda _: self._file_chosen(), "value")
        self.train.on_click(lambda _: self._train())
        self.widget = widgets.VBox([self.run, self.file, self.train])

    def list_runs(self, run_id: str) -> None:
        """Offer the runs that are there now; choose the one of that id, without a model else the first."""
        found = runs_to_explore(self.session.settings.runs)
        options = [(run.label, run) for run in found] or [(NOTHING, NO_RUN)]
        otherwise = options[0][1] if self.session.model is None else None
        chosen = next((run for run in found if run.run_id == run_id), otherwise)
        open_id = None if self.session.model is None else self.session.model.run_id
        self.opened = next((run for run in found if run.run_id == open_id and run.usable), None)
        refill(self.run, options, chosen)

    def run_chosen(self) -> None:
        """Take the run that is chosen; of one that cannot be opened it is said why, and the list shows the open one."""
        run: ExplorableRun | str | None = self.run.value
        data = self.session.settings.data
        if run is None or run is self.opened:  # the list is being filled, or a file is open; or it is shown already
            return
        self._offer(None)
        if run == NO_RUN:
            self._offer(first_model(self.session.settings.runs, data))
        elif run.usable:
            if self._open(run):
                self.file.value = ""
        elif run.trainable:
            self._offer(retraining(run.record, data))
        else:
            self._say(f"{run.run_id} is of a method without keypoint queries: {run.status}. Choose a poseur model.")
        if self.session.model is not None and self.opened is not run:
            self.run.value = self.opened if self.opened in [value for _, value in self.run.options] else None

    def _file_chosen(self) -> None:
        path = self.file.value.strip()
        if path and self._open(path):
            self._offer(None)
            self.run.value = None  # so that every run can be chosen again

    def _open(self, source: ExplorableRun | str) -> bool:
        """Open a run or a file; False if that cannot be, which is said."""
        try:
            model = open_checkpoint(below_root(source)) if isinstance(source, str) else source.open()
        except UserError as error:
            self._say(str(error))
            return False
        self.session.choose_model(model)
        self.opened = None if isinstance(source, str) else source
        self._say("")
        self._changed()
        return True

    def _offer(self, training: Training | None) -> None:
        self.training = training
        self.train.layout.display = "none" if training is None else ""
        if training is not None:
            recorded = training.record is not None
            self.train.description = "Train it again" if recorded else "Train a small model"
            gone = f"Only the record of run {training.record.run_id} is left, its weights are gone." if recorded else ""
            why = gone or "There is no model yet."
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
    """An image of the val set, a file or an upload, and a person in it; at first, those of the session's parameters.

    Args:
        changed: is called when the person has chosen another one.
    """

    def __init__(self, session: Session, say: Say, changed: Changed) -> None:
        self.session, self._say, self._changed = session, say, changed
        image, box = session.settings.image, sides(session.settings.box)
        number, path = (image, "") if isinstance(image, int) else (0, image)
        self.source = widgets.ToggleButtons(options=[VAL, FILE, UPLOAD], value=FILE if path else VAL)
        self.source.style.button_width = "5em"
        self.number = widgets.BoundedIntText(description="image", min=0, max=number, value=number)
        self.file = widgets.Text(path, description="file", placeholder="path of an image", continuous_update=False)
        self.box = widgets.Text(box, description="box", placeholder="x, y, width, height", continuous_update=False)
        self.upload = widgets.FileUpload(accept="image/*", multiple=False, description="an image")
        self.person = widgets.Dropdown(description="person")
        self.overview = PictureWidget()
        parts = {
            "source": self.source, "image-number": self.number, "file": self.file, "box": self.box,
            "upload": self.upload, "person": self.person, "overview": self.overview,
        }  # fmt: skip
        self.widget = widgets.VBox([named(part, name, WIDE) for name, part in parts.items()])
        for part in (self.source, self.file, self.upload):
            part.observe(lambda _: self._another_chosen(), "value")
        for part in (self.number, self.box):
            part.observe(lambda _: self._load(), "value")
        self.person.observe(lambda _: self._person_chosen(), "value")
        self.overview.on_person(self._clicked, self._step)
        self._show_source()

    def begin(self) -> None:
        """Fit the choices to the session; where it has no image, it takes what they say."""
        if self.session.image is None:
            self._take(self.session.person)
        with suppress(UserError):  # without a val set; who asks for its images is told
            self.number.max = max(len(self.session.val.by_image) - 1, self.number.value)
        self._show_image()

    def _another_chosen(self) -> None:
        """Another source, file or upload: a box that was typed is of the last one."""
        self._show_source()
        if self.box.value:
            self.box.value = ""  # which loads the image
        else:
            self._load()

    def _show_source(self) -> None:
        shown = {VAL: [self.number], FILE: [self.file, self.box], UPLOAD: [self.upload, self.box]}
        for part in (self.number, self.file, self.box, self.upload):
            part.layout.display = "" if part in shown[self.source.value] else "none"

    def _load(self) -> None:
        if self.session.image is None:
            self.session.person = 0  # something else was chosen than what was waited for
        if self.session.model is not None and self._take():
            self._show_image()
            self._changed()

    def _take(self, person: int = 0) -> bool:
        """Give the session the image that is chosen; False if there is none or it cannot be used, which is said."""
        try:
            image = self._image()
            if image is None:
                return False
            self.session.choose_image(image, person)
        except UserError as error:
            self._say(str(error))
            return False
        self._say("")
        return True

    def _image(self) -> ShownImage | None:
        if self.source.value == VAL:
            return self.session.val.image(self.number.value)
        if self.source.value == FILE:
            path = self.file.value.strip()
            return own_image(below_root(path), boxes_of(self.box.value)) if path else None
        if not self.upload.value:
            return None
        name, content = self.upload.value[0]["name"], bytes(self.upload.value[0]["content"])
        return with_boxes(name, decode_image(content, name), boxes_of(self.box.value))

    def _show_image(self) -> None:
        names = () if self.session.image is None else self.session.image.names
        refill(
            self.person, [(name, number) for number, name in enumerate(names)], self.session.person if names else None
        )
        self._draw()

    def _draw(self) -> None:
        if self.session.image is None:
            self.overview.clear()
        else:
            self.overview.show(overview_figure(self.session.image, self.session.person).picture())

    def _person_chosen(self) -> None:
        if self.person.value is not None and self.person.value != self.session.person:
            self.session.person = self.person.value
            self._draw()
            self._changed()

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
