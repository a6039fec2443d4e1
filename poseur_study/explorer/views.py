"""The explorer's views: each has its own controls and one picture, which is drawn anew whenever something changes.

For tests in a browser, classes of the elements: a view is `poseur-explorer-view-NAME` with NAME samples, path,
attention, matrices or distribution, and holds a `poseur-explorer-picture` and a `poseur-explorer-caption`. Controls:

    samples       poseur-explorer-layer (a slider), poseur-explorer-head, -level, -colour
    attention     poseur-explorer-attention-layer, poseur-explorer-attention-head, poseur-explorer-attention-over
    matrices      poseur-explorer-matrices-over
    distribution  poseur-explorer-stage
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import ipywidgets as widgets

from poseur_lib.errors import UserError
from poseur_study.display.attention.between_keypoints import attention_figure, matrices_figure
from poseur_study.display.attention.distribution import distribution_figure
from poseur_study.display.attention.path import path_figure
from poseur_study.display.attention.samples import samples_figure
from poseur_study.display.figure import Drawn, Picture
from poseur_study.explorer import controls
from poseur_study.explorer.controls import ALL, EVERY, as_caption, named, numbered, offer, one_of
from poseur_study.explorer.picture import PictureWidget
from poseur_study.explorer.session import Session, Weights


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
        self.active = False
        self.controls = self.make_controls()
        for control in self.controls:
            control.observe(lambda _: self.redraw(), "value")
        self.picture.on_person(self._clicked, self._step)
        row = widgets.HBox(self.controls, layout=widgets.Layout(flex_flow="row wrap"))
        self.widget = named(widgets.VBox([row, self.picture, self.caption]), f"view-{self.name}")

    def make_controls(self) -> list[widgets.ValueWidget]:
        """The view's own controls."""
        return []

    def fit(self) -> None:  # noqa: B027 - a view without choices has nothing to offer
        """Offer what the session's model has; called when that changes."""

    @abstractmethod
    def draw(self) -> Drawn:
        """The figure of what is chosen. Raises UserError where there is nothing to draw."""

    def redraw(self) -> None:
        """Draw and show, if a person is looking; what goes wrong is said instead, and nothing without a person."""
        if not self.active:
            return
        try:
            self.drawn = None if self.session.seen is None else self.draw().picture()
            text = "" if self.drawn is None else self.drawn.caption
        except UserError as error:
            self.drawn, text = None, str(error)
        self.caption.value = as_caption(text)
        if self.drawn is None:
            self.picture.clear()
        else:
            self.picture.show(self.drawn)

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

    def make_controls(self) -> list[widgets.ValueWidget]:
        self.layer = controls.layer_slider("layer")
        self.head = controls.chooser("head", [(ALL, EVERY)], "head")
        self.level = controls.chooser("level", [(ALL, EVERY)], "level")
        self.colour = controls.buttons("colour", ["head", "level"], "colour", "18em", "4.5em")
        return [self.layer, self.head, self.level, self.colour]

    def fit(self) -> None:
        head = self.session.model.head
        offer(self.layer, numbered(head.decoder_layers))
        offer(self.head, numbered(head.num_heads))
        offer(self.level, numbered(head.num_levels))

    def draw(self) -> Drawn:
        layers = () if self.layer.value == EVERY else (self.layer.value + 1,)
        chosen = (layers, one_of(self.head), one_of(self.level), self.colour.value)
        return samples_figure(self.session.seen, self.session.keypoint, *chosen)


class PathView(View):
    """From coarse to refined."""

    name, title = "path", "Refinement"

    def draw(self) -> Drawn:
        return path_figure(self.session.seen, self.session.keypoint)


class AttentionView(View):
    """Self-attention over the person."""

    name, title = "attention", "Self-attention"

    def make_controls(self) -> list[widgets.ValueWidget]:
        self.layer = controls.layer_slider("attention-layer", "mean")
        self.head = controls.chooser("head", [("mean", EVERY)], "attention-head")
        self.over = controls.whose("attention-over")
        return [self.layer, self.head, self.over]

    def fit(self) -> None:
        head = self.session.model.head
        offer(self.layer, numbered(head.decoder_layers, "mean"))
        offer(self.head, numbered(head.num_heads, "mean"))

    def draw(self) -> Drawn:
        weights = chosen_weights(self).of(one_of(self.layer), one_of(self.head))
        return attention_figure(self.session.seen, self.session.keypoint, *weights)


class MatricesView(View):
    """All matrices of the self-attention."""

    name, title = "matrices", "All heads"

    def make_controls(self) -> list[widgets.ValueWidget]:
        self.over = controls.whose("matrices-over")
        return [self.over]

    def draw(self) -> Drawn:
        weights = chosen_weights(self)
        return matrices_figure(weights.layers, self.session.model.keypoints.names, self.session.keypoint, weights.what)


class DistributionView(View):
    """What the flow has learned."""

    name, title = "distribution", "Density"

    def make_controls(self) -> list[widgets.ValueWidget]:
        self.stage = controls.chooser("stage", [], "stage")
        return [self.stage]

    def fit(self) -> None:
        layers = [f"layer {number + 1}" for number in range(self.session.model.head.decoder_layers)]
        names = layers if self.session.model.coarse_density is None else ["coarse", *layers]
        offer(self.stage, [(name, number) for number, name in enumerate(names)], len(names) - 1)

    def draw(self) -> Drawn:
        return distribution_figure(self.session.seen, self.session.keypoint, self.stage.value)


VIEWS: tuple[type[View], ...] = (SamplesView, PathView, AttentionView, MatricesView, DistributionView)


def chosen_weights(view: AttentionView | MatricesView) -> Weights:
    """The person's weights or the val set's, which take seconds at first: the caption says so meanwhile."""
    session = view.session
    if view.over.value == controls.THIS_PERSON:
        return session.attention()
    if session.model not in session.averages:
        view.caption.value = as_caption(f"Averaging over up to {session.average_people:,} people of the val set …")
    return session.average_attention()
