"""What the cells of the explorer's notebook call: widgets for a person, and the same figures on a static page."""

import html
import os
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import product

import ipywidgets as widgets
import pandas as pd
from IPython.display import HTML, Markdown

from poseur_lib.errors import UserError, require_known
from poseur_lib.keypoints import KEYPOINT_SETS
from poseur_study.execution.retrain import first_model, retraining
from poseur_study.experiments.notebook_parameters import ExplorerSettings
from poseur_study.explorer.attention.between_keypoints import attention_figure, matrices_figure
from poseur_study.explorer.attention.distribution import distribution_figure
from poseur_study.explorer.attention.drawn import Drawn
from poseur_study.explorer.attention.images import ShownImage, overview_figure, own_image
from poseur_study.explorer.attention.open_model import has_queries, open_checkpoint, open_shipped
from poseur_study.explorer.attention.path import path_figure
from poseur_study.explorer.attention.person_view import Seen
from poseur_study.explorer.attention.samples import samples_figure
from poseur_study.explorer.panel import Panel
from poseur_study.explorer.runs import run_named, runs_to_explore
from poseur_study.explorer.session import Session, Weights
from poseur_study.runs.project import below_root

SESSION_VARIABLE = "JPY_SESSION_NAME"
"""Jupyter's server sets it in the kernel of a notebook that a person has opened; papermill and nbconvert do not."""


class Explorer:
    """One explorer, as its notebook's parameters ask for it.

    Where there is no model or no image to look at, every figure is a line that says so, and no cell fails.

    Attributes:
        problem: why there is nothing to show and what to do about it, one line; "" if there is something.

    Raises:
        UserError: a parameter names a run, checkpoint, image, person, keypoint or layer that is not there.
    """

    def __init__(self, settings: ExplorerSettings) -> None:
        self.settings = settings
        self.session = Session(settings)
        self.problem = self._open_model() or self._open_image()
        self._check_names()

    @property
    def interactive(self) -> bool:
        """True if there is a person to use widgets."""
        asked = self.settings.interactive
        return SESSION_VARIABLE in os.environ if asked is None else asked

    def models(self) -> HTML:
        """The runs that there are, folded, as `find_runs` orders them: AP (by the detector's boxes, else at ground
        truth) and what could be done when this was executed.
        """
        found = runs_to_explore(self.settings.runs)
        rows = [(f"{run.name}\n{run.run_id}", run.profile, run.ap, run.status) for run in found]
        frame = pd.DataFrame(rows, columns=["run", "profile", "AP", "state"]).astype({"AP": float})
        table = frame.to_html(index=False, float_format="%.1f", na_rep="none").replace("\\n", "<br>")
        usable = sum(run.usable for run in found)
        said = f"{len(found)} runs, {usable} of them with weights when this was executed"
        order = "with weights, then those that can be trained again; of each with self-attention first; then by AP"
        return HTML(f"<details><summary>{said}</summary><p>Order: {order}.</p>{table}</details>")

    def opened(self) -> Markdown:
        """Which model is looked into, or why there is none."""
        opened = self.session.model
        return Markdown(f"Opened: {opened.name}." if opened is not None else self.problem)

    def panel(self) -> widgets.Widget | HTML:
        """The widgets; without a person, the image and the boxes in it."""
        if self.interactive:
            return self._panel.widget
        return self._shown(lambda: [overview_figure(self.session.image, self.session.person)])

    @cached_property
    def _panel(self) -> Panel:
        return Panel(self.session)

    def samples(self) -> HTML:
        """Where each keypoint's query looks."""
        colour = self.settings.colour
        return self._each(lambda seen, keypoint: samples_figure(seen, keypoint, self.layers, colour=colour))

    def path(self) -> HTML:
        """From coarse to refined."""
        return self._each(path_figure)

    def attention(self) -> HTML:
        """Self-attention of each keypoint over the person, in each layer, mean over heads."""
        return self._each_layer(self.session.attention)

    def matrices(self) -> HTML:
        """The person's self-attention in all layers and heads."""
        return self._shown(lambda: [self._matrices(self.session.attention())])

    def average(self) -> HTML:
        """Self-attention averaged over the val set: in all layers and heads, and over the person."""
        matrices = self._shown(lambda: [self._matrices(self.session.average_attention())])
        return HTML(matrices.data + self._each_layer(self.session.average_attention).data)

    def distribution(self) -> HTML:
        """The learned density of each keypoint's place, after the last layer."""
        return self._each(distribution_figure)

    @property
    def keypoints(self) -> list[int]:
        """The one that is chosen in the panel, or those that the parameters list."""
        if self.interactive:
            return [self.session.keypoint]
        names = self.session.model.keypoints.names
        return [names.index(name) for name in self.session.first_keypoints]

    @property
    def layers(self) -> list[int]:
        """The decoder layers that the parameters list, as far as the model has them; without a list, all."""
        count = self.session.model.head.decoder_layers
        return [number for number in self.settings.layers if number <= count] or list(range(1, count + 1))

    def _each(self, draw: Callable[[Seen, int], Drawn]) -> HTML:
        return self._shown(lambda: (draw(self.session.seen, keypoint) for keypoint in self.keypoints))

    def _each_layer(self, weights: Callable[[], Weights]) -> HTML:
        def figures() -> Iterable[Drawn]:
            of = weights()
            for keypoint, number in product(self.keypoints, self.layers):
                yield attention_figure(self.session.seen, keypoint, *of.of(number - 1))

        return self._shown(figures)

    def _matrices(self, weights: Weights) -> Drawn:
        names = self.session.model.keypoints.names
        return matrices_figure(weights.layers, names, self.keypoints[0], weights.what)

    def _shown(self, figures: Callable[[], Iterable[Drawn]]) -> HTML:
        """Figures, or the line that says why there are none."""
        why = f"Nothing to show: {self.problem or 'choose a model and an image in the panel above.'}"
        try:
            if self.session.seen is not None:
                return HTML("".join(figure.captioned().html() for figure in figures()))
        except UserError as error:
            why = str(error)
        return HTML(f"<p>{html.escape(why)}</p>")

    def _open_model(self) -> str:
        """Open what the parameters name, else the first run that can be or the package's model; why none, one line."""
        settings = self.settings
        if settings.checkpoint:
            self.session.choose_model(open_checkpoint(below_root(settings.checkpoint)))
            return ""
        runs = runs_to_explore(settings.runs)
        run = next((run for run in runs if run.usable or run.trainable), None)
        run = run_named(runs, settings.run) if settings.run else run
        if run is not None and not has_queries(run.record.config):
            return f"run {run.run_id}: {run.status}; choose a poseur run"
        if run is None or not run.usable:
            shipped = None if settings.run or settings.train_missing else open_shipped()
            if shipped is not None:
                self.session.choose_model(shipped)
                return ""
            training = retraining(run.record, settings.data) if run else first_model(settings.runs, settings.data)
            if not settings.train_missing:
                none = f"there is no trained model below {settings.runs}"
                there = none if run is None else f"run {run.run_id} has no weights left"
                return f"{there}. Set `train_missing = True`, which {training.text} Or give a `checkpoint`."
            run_id = training.execute(print)
            run = run_named(runs_to_explore(training.runs), run_id)
        self.session.choose_model(run.open())
        return ""

    def _open_image(self) -> str:
        """Open the image and person of the parameters; why there is none, one line. There is a model."""
        number = self.settings.image
        try:
            val = None if isinstance(number, str) else self.session.val
        except UserError as error:
            return str(error)
        self.session.choose_image(self._own_image() if val is None else val.image(number), self.settings.person)
        return ""

    def _own_image(self) -> ShownImage:
        boxes = [tuple(self.settings.box)] if self.settings.box else []
        return own_image(below_root(self.settings.image), boxes)

    def _check_names(self) -> None:
        """Check the parameters; without a model, a file of one's own and keypoints by the names of every set."""
        settings, model = self.settings, self.session.model
        if model is None and isinstance(settings.image, str):
            self._own_image().person(settings.person)
        sets = KEYPOINT_SETS if model is None else (model.keypoints,)
        require_known("keypoint", settings.keypoints, [name for each in sets for name in each.names])
        for layer in settings.layers:
            if model is not None and layer > model.head.decoder_layers:
                raise UserError(f"layers: there is no layer {layer}, {model.name} has {model.head.decoder_layers}")
