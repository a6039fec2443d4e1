"""The explorer as one widget: choices at the left, views at the right; a change draws the view that is looked at.

For tests in a browser, classes of the elements: poseur-explorer (all of it), poseur-explorer-message (one line, empty
if nothing is wrong), poseur-explorer-keypoint (a list), poseur-explorer-tabs (one tab a view); those of the choices are
named in `choosers`, those of the views in `views`. Only the open tab's picture is drawn.
"""

import ipywidgets as widgets

from poseur_lib.errors import unknown_name
from poseur_study.explorer.attention.person_view import spoken
from poseur_study.explorer.choosers import ModelChooser, PersonChooser
from poseur_study.explorer.controls import WIDE, as_caption, named, refill
from poseur_study.explorer.session import Session
from poseur_study.explorer.views import VIEWS, View

LEFT = "23em"


class Panel:
    """Widgets over a session, which show what is chosen in it; without a model, what its parameters ask for."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.message = named(widgets.HTML(), "message")
        self.model = ModelChooser(session, self.say, self.model_changed)
        self.person = PersonChooser(session, self.say, self.redraw)
        self.keypoint = named(widgets.Dropdown(description="keypoint"), "keypoint", WIDE)
        self.views = tuple(kind(session, self.move) for kind in VIEWS)
        tabs = widgets.Tab([view.widget for view in self.views], titles=[view.title for view in self.views])
        tabs.layout = widgets.Layout(flex="1 1 30em", min_width="0")
        self.tabs = named(tabs, "tabs")
        self.keypoint.observe(lambda _: self._keypoint_chosen(), "value")
        self.tabs.observe(lambda _: self.redraw(), "selected_index")
        left = widgets.VBox([self.model.widget, self.person.widget, self.keypoint])
        left.layout = widgets.Layout(width=LEFT, flex="0 0 auto")
        below = widgets.HBox([left, self.tabs], layout=widgets.Layout(flex_flow="row wrap"))
        self.widget = widgets.VBox([self.message, below]).add_class("poseur-explorer")
        if session.model is None:
            self.model.run_chosen()
        else:
            self.model_changed()

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

    def model_changed(self) -> None:
        """Fit all choices to the session's model; nothing is drawn until they all are."""
        for view in self.views:
            view.active = False
            view.fit()
        is_first, names = not self.keypoint.options, self.session.model.keypoints.names
        refill(self.keypoint, [(spoken(name), number) for number, name in enumerate(names)], self.session.keypoint)
        self.person.begin()
        wanted = self.session.first_keypoints[0]
        if is_first and wanted not in names and not self.message.value:
            self.say(str(unknown_name("keypoint", wanted, names)))
        self.redraw()

    def _keypoint_chosen(self) -> None:
        if self.keypoint.value is not None and self.keypoint.value != self.session.keypoint:
            self.session.keypoint = self.keypoint.value
            self.redraw()
