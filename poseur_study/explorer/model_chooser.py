"""The explorer's choice of a model: a list of runs, or the path of a checkpoint.

For tests in a browser, classes of the elements: poseur-explorer-model (a list of runs), poseur-explorer-checkpoint (a
text), poseur-explorer-train (a button).
"""

from collections.abc import Callable
from threading import Thread

import ipywidgets as widgets

from poseur_lib.errors import UserError
from poseur_study.display.attention.open_model import open_checkpoint
from poseur_study.execution.retrain import Training, first_model, retraining
from poseur_study.explorer.controls import WIDE, Changed, Say, named, refill
from poseur_study.explorer.runs import ExplorableRun, runs_to_explore
from poseur_study.explorer.session import Session
from poseur_study.runs.project import below_root

NOTHING, NO_RUN = "no trained model yet", "none"


class ModelChooser:
    """A list of runs, and the path of a checkpoint; what has no weights can be trained.

    Args:
        runs: folder of all profiles' runs, as the notebook is told of it.
        say: is given what a person should know.
        changed: is called when the session has another model.
        run: name of the run that is chosen first where the session has no model; "" takes the first of the list.
    """

    def __init__(self, session: Session, runs: str, say: Say, changed: Changed, run: str = "") -> None:
        self.session, self.runs, self._say, self._changed = session, runs, say, changed
        hint, hidden = "checkpoint, or a run's folder", widgets.Layout(display="none")
        file = widgets.Text(description="or a file", placeholder=hint, continuous_update=False)
        self.run = named(widgets.Dropdown(description="run"), "model", WIDE)
        self.file = named(file, "checkpoint", WIDE)
        self.train = named(widgets.Button(description="Train", icon="cogs", layout=hidden), "train")
        self.training: Training | None = None
        opened = session.model
        self.list_runs(run if opened is None else opened.run_id, opened is None)
        self.run.observe(lambda _: self._run_chosen(), "value")
        self.file.observe(lambda _: self._file_chosen(), "value")
        self.train.on_click(lambda _: self._train())
        self.widget = widgets.VBox([self.run, self.file, self.train])

    def list_runs(self, run_id: str, or_first: bool = True) -> None:
        """Offer the runs that are there now; choose the one of that name, else the first, or none."""
        found = runs_to_explore(self.runs)
        options = [(run.label, run) for run in found] or [(NOTHING, NO_RUN)]
        otherwise = options[0][1] if or_first else None
        refill(self.run, options, next((run for run in found if run.run_id == run_id), otherwise))

    def begin(self) -> None:
        """Take the run that is chosen in the list, unless the session has a model already."""
        if self.session.model is None:
            self._run_chosen()

    def _run_chosen(self) -> None:
        run: ExplorableRun | str | None = self.run.value
        if run is None:  # the list is being filled, or a file is open
            return
        self._offer(None)
        if run == NO_RUN:
            self._offer(first_model(self.runs, self.session.data))
        elif run.usable:
            if self._open(lambda: self.session.choose_model(run.open(), run.profile)):
                self.file.value = ""
        elif run.trainable:
            self._offer(retraining(run.record, self.session.data))
        else:
            self._say(f"{run.run_id} is of a method without keypoint queries: {run.status}. Choose a poseur model.")

    def _file_chosen(self) -> None:
        path = self.file.value.strip()
        if path and self._open(lambda: self.session.choose_model(open_checkpoint(below_root(path)))):
            self._offer(None)
            self.run.value = None  # so that every run can be chosen again

    def _open(self, choose: Callable[[], None]) -> bool:
        """Choose a model; False if that cannot be, which is said."""
        try:
            choose()
        except UserError as error:
            self._say(str(error))
            return False
        self._say("")
        self._changed()
        return True

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
