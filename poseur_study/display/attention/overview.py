"""The whole image, and the boxes that can be chosen in it."""

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.display.attention.images import ShownImage
from poseur_study.display.figure import Drawn, drawing

WIDTH, HIGHEST = 3.3, 3.6
CHOSEN, OTHERS = COLORBLIND[1], "white"


def overview_figure(shown: ShownImage, person: int) -> Drawn:
    """The image with its boxes by number; the chosen one is orange."""
    height, width = shown.image.shape[:2]
    scale = min(WIDTH / width, HIGHEST / height)
    outline = [withStroke(linewidth=3, foreground="black")]
    with drawing():
        figure = Figure(figsize=(width * scale, height * scale))
        axis = figure.add_axes((0, 0, 1, 1))
        axis.imshow(shown.image, interpolation="antialiased", aspect="auto")
        for number, one in enumerate(shown.people):
            colour = CHOSEN if number == person else OTHERS
            x, y, box_width, box_height = one.box
            box = Rectangle((x, y), box_width, box_height, fill=False, edgecolor=colour, linewidth=1.4, clip_on=False)
            axis.add_patch(box).set_path_effects(outline)
            if number < len(shown.people) - 1:
                axis.text(x, y, f" {number}", color=colour, va="top", fontsize=9, path_effects=outline)
        axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        axis.axis("off")
    alt = f"{shown.name} with {len(shown.people) - 1} boxes; chosen: {shown.names[person]}."
    return Drawn(figure, alt, "", (axis,))
