"""The explorer as one widget: choices at the left, views at the right; a change draws the view that is looked at.

For tests in a browser, classes of the elements: poseur-explorer (all of it), poseur-explorer-message (one line, empty
if nothing is wrong), poseur-explorer-keypoint (a list), poseur-explorer-tabs (one tab a view); those of the choices are
named in `model_chooser` and `person_chooser`, those of the views in `views`. Only the open tab's picture is drawn.
"""

import ipywidgets as widgets

from poseur_lib.errors import UserError
from poseur_study.display.attention.person_view import spoken
from poseur_study.experiments.notebook_parameters import ExplorerSettings
from poseur_study.explorer.controls import WIDE, as_caption, named, refill
from poseur_study.explorer.model_chooser import ModelChooser
from poseur_study.explorer.person_chooser import PersonChooser
from poseur_study.explorer.session import Session
from poseur_study.explorer.views import VIEWS, View

LEFT = "23em"


class Panel:
    """Widgets over a session.

    Args:
        session: what is chosen in it already is shown first.
        runs: folder of all profiles' runs, as the notebook is told of it.
        start: the notebook's parameters, whose run, image, person and first keypoint are shown first where the session
            has no model yet; None: the first of each.
    """

    def __init__(self, session: Session, runs: str, start: ExplorerSettings | None = None) -> None:
        start = start if session.model is None else None
        self.session = session
        self.message = named(widgets.HTML(), "message")
        run = "" if start is None else start.run
        self.model = ModelChooser(session, runs, self.say, self._model_changed, run)
        self.person = PersonChooser(session, self.say, self.redraw, start)
        self._first_keypoint = "" if start is None else start.keypoints[0]
        self.keypoint = named(widgets.Dropdown(description="keypoint"), "keypoint", WIDE)
        self.views = tuple(kind(session, self.move) for kind in VIEWS)
        tabs = widgets.Tab([view.widget for view in self.views], titles=[view.title for view in self.views])
        self.tabs = named(tabs, "tabs")
        self.tabs.layout = widgets.Layout(flex="1 1 30em", min_width="0")
        self.keypoint.observe(lambda _: self._keypoint_chosen(), "value")
        self.tabs.observe(lambda _: self.redraw(), "selected_index")
        self.widget = self._arranged()
        self._begin()

    @property
    def view(self) -> View:
        """The view that is looked at."""
        return self.views[self.tabs.selected_index or 0]

    def say(self, text: str) -> None:
        """Show one line above the views."""
        self.message.value = as_caption(text) if text else ""

    def move(self, keypoint: int) -> None:
        """Look at another keypoint."""
        self.keypoint.value = keypoint

    def redraw(self) -> None:
        """Draw the open view."""
        for view in self.views:
            view.active = view is self.view
        self.view.redraw()

    def _arranged(self) -> widgets.Box:
        left = widgets.VBox([self.model.widget, self.person.widget, self.keypoint])
        left.layout = widgets.Layout(width=LEFT, flex="0 0 auto")
        below = widgets.HBox([left, self.tabs], layout=widgets.Layout(flex_flow="row wrap"))
        return widgets.VBox([self.message, below]).add_class("poseur-explorer")

    def _begin(self) -> None:
        if self.session.model is None:
            self.model.begin()
        else:
            self._model_changed()

    def _model_changed(self) -> None:
        """Fit all choices to the session's model; nothing is drawn until they all are."""
        for view in self.views:
            view.active = False
        for view in self.views:
            view.fit()
        first, self._first_keypoint, unknown = self._first_keypoint, "", ""  # the parameters' keypoint is taken once
        try:
            if first:
                self.session.keypoint = self.session.keypoint_number(first)
        except UserError as error:
            unknown = str(error)
        options = [(spoken(name), number) for number, name in enumerate(self.session.model.keypoints.names)]
        refill(self.keypoint, options, self.session.keypoint)
        self.person.begin()
        if unknown and not self.message.value:
            self.say(unknown)
        self.redraw()

    def _keypoint_chosen(self) -> None:
        if self.keypoint.value is not None and self.keypoint.value != self.session.keypoint:
            self.session.keypoint = self.keypoint.value
            self.redraw()
