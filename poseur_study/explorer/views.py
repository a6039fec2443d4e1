"""The explorer's views: each has its own controls and one picture, which is drawn anew whenever something changes.

For tests in a browser, classes of the elements: a view is `poseur-explorer-view-NAME` with NAME samples, path,
attention, matrices or distribution, and holds a `poseur-explorer-picture` and a `poseur-explorer-caption`. Controls:

    samples       poseur-explorer-layer (a slider), poseur-explorer-head, -level, -colour
    attention     poseur-explorer-attention-layer, poseur-explorer-attention-head, poseur-explorer-attention-over
    matrices      poseur-explorer-matrices-over
    distribution  poseur-explorer-stage
    each          poseur-explorer-save (a button)
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import ipywidgets as widgets

from poseur_lib.errors import UserError
from poseur_study.explorer import controls
from poseur_study.explorer.attention.between_keypoints import attention_figure, matrices_figure
from poseur_study.explorer.attention.distribution import distribution_figure
from poseur_study.explorer.attention.drawn import Drawn, Picture
from poseur_study.explorer.attention.open_model import OpenModel
from poseur_study.explorer.attention.path import path_figure
from poseur_study.explorer.attention.samples import ColourBy, samples_figure
from poseur_study.explorer.controls import EVERY, Options, as_caption, named, numbered
from poseur_study.explorer.picture import PictureWidget
from poseur_study.explorer.session import Session, Weights
from poseur_study.runs.project import below_root

THIS_PERSON, VAL_SET = "this person", "the val set"
SAVED_FOLDER = "views"
SAVE = f"a PNG for print and a page with the caption, in {SAVED_FOLDER}/ of the project"

Controls = dict[widgets.ValueWidget, Callable[[OpenModel], Options] | None]
"""Controls with what each offers of a model; None: always the same."""


class View(ABC):
    """One way to look at the session's person and keypoint.

    Args:
        move: is called with the number of a keypoint that the person chose in the picture.

    Attributes:
        active: the view is the one that is looked at; the others draw nothing.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, session: Session, move: Callable[[int], None]) -> None:
        self.session, self._move = session, move
        self.picture = named(PictureWidget(), "picture")
        self.caption = named(widgets.HTML(), "caption")
        self.drawn: Picture | None = None
        self.figure: Drawn | None = None
        self.active = False
        self.controls = self.make_controls()
        for control in self.controls:
            control.observe(lambda _: self.redraw(), "value")
        self.picture.on_person(self._clicked, self._step)
        self.save = named(widgets.Button(description="Save", icon="download", tooltip=SAVE), "save", "7em")
        self.save.on_click(lambda _: self.saved())
        row = widgets.HBox([*self.controls, self.save], layout=widgets.Layout(flex_flow="row wrap"))
        self.widget = named(widgets.VBox([row, self.picture, self.caption]), f"view-{self.name}")

    def make_controls(self) -> Controls:
        """The view's own controls, in the order in which `draw` takes their values."""
        return {}

    @abstractmethod
    def draw(self) -> Drawn:
        """The figure of the controls' values, where None is all. Raises UserError where there is nothing to draw."""

    def fit(self) -> None:
        """Offer what the session's model has; called when that changes."""
        for control, options in self.controls.items():
            if options is not None:
                controls.offer(control, options(self.session.model))

    def redraw(self) -> None:
        """Draw and show, if a person is looking; what goes wrong is said instead, and nothing without a person."""
        if not self.active:
            return
        chosen = [None if control.value == EVERY else control.value for control in self.controls]
        self.drawn, self.figure, text = None, None, ""
        try:
            if self.session.seen is not None:
                figure = self.draw(*chosen)
                self.drawn, self.figure, text = figure.picture(), figure, figure.caption
        except UserError as error:
            text = str(error)
        except Exception as error:  # its traceback reaches Jupyter's log alone
            text = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.caption.value = as_caption(text)
            if self.drawn is None:
                self.picture.clear()
            else:
                self.picture.show(self.drawn)

    def saved(self) -> None:
        """Write what is shown as files for a paper, and say where below the caption."""
        if self.figure is None:
            return
        name = self.session.model.keypoints.names[self.session.keypoint]
        try:
            png, page = self.figure.save(below_root(SAVED_FOLDER) / f"{self.name}-{name}")
            said = f"saved: {png} and {page.name}"
        except OSError as error:
            said = f"not saved: {error.filename or SAVED_FOLDER}: {error.strerror}"
        self.caption.value = as_caption(self.figure.caption) + as_caption(said)

    def weights(self, whose: str) -> Weights:
        """The person's weights or the val set's, which take seconds at first: the caption says so meanwhile."""
        if whose == THIS_PERSON:
            return self.session.attention()
        if self.session.model not in self.session.averages:
            count = self.session.settings.average_people
            self.caption.value = as_caption(f"Averaging over up to {count:,} people of the val set …")
        return self.session.average_attention()

    def _clicked(self, across: float, down: float) -> None:
        place = None if self.drawn is None else self.drawn.crop_px(across, down)
        if place is not None and self.session.seen is not None:
            self._move(self.session.seen.nearest(*place))

    def _step(self, by: int) -> None:
        if self.session.model is not None:
            self._move((self.session.keypoint + by) % self.session.model.keypoints.num_keypoints)


class SamplesView(View):
    """Reference point and sampling points."""

    name, title = "samples", "Samples"

    def make_controls(self) -> Controls:
        return {
            controls.layer_slider("layer"): lambda model: numbered(model.head.decoder_layers),
            controls.chooser("head", "head"): lambda model: numbered(model.head.num_heads),
            controls.chooser("level", "level"): lambda model: numbered(model.head.num_levels),
            controls.buttons("colour", ["head", "level"], "colour", "18em", "4.5em"): None,
        }

    def draw(self, layer: int | None, head: int | None, level: int | None, colour: ColourBy) -> Drawn:
        layers = () if layer is None else (layer + 1,)
        return samples_figure(self.session.seen, self.session.keypoint, layers, head, level, colour)


class PathView(View):
    """From coarse to refined."""

    name, title = "path", "Refinement"

    def draw(self) -> Drawn:
        return path_figure(self.session.seen, self.session.keypoint)


class AttentionView(View):
    """Self-attention over the person."""

    name, title = "attention", "Self-attention"

    def make_controls(self) -> Controls:
        return {
            controls.layer_slider("attention-layer"): lambda model: numbered(model.head.decoder_layers, "mean"),
            controls.chooser("head", "attention-head"): lambda model: numbered(model.head.num_heads, "mean"),
            whose("attention-over"): None,
        }

    def draw(self, layer: int | None, head: int | None, whose: str) -> Drawn:
        return attention_figure(self.session.seen, self.session.keypoint, *self.weights(whose).of(layer, head))


class MatricesView(View):
    """All matrices of the self-attention."""

    name, title = "matrices", "All heads"

    def make_controls(self) -> Controls:
        return {whose("matrices-over"): None}

    def draw(self, whose: str) -> Drawn:
        weights, names = self.weights(whose), self.session.model.keypoints.names
        return matrices_figure(weights.layers, names, self.session.keypoint, weights.what)


class DistributionView(View):
    """What the flow has learned."""

    name, title = "distribution", "Density"

    def make_controls(self) -> Controls:
        return {controls.chooser("stage", "stage"): last_first}

    def draw(self, stage: int) -> Drawn:
        return distribution_figure(self.session.seen, self.session.keypoint, stage)


VIEWS: tuple[type[View], ...] = (SamplesView, PathView, AttentionView, MatricesView, DistributionView)


def whose(name: str) -> widgets.ToggleButtons:
    """Weights of the person, or the mean over the val set."""
    return controls.buttons("weights of", [THIS_PERSON, VAL_SET], name, "24em", "7.5em")


def last_first(model: OpenModel) -> Options:
    """The stages by name; the last one, which is the model's answer, before the others."""
    return [(name, number) for number, name in enumerate(model.stages)][::-1]
