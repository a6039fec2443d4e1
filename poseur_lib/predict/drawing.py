"""Skeletons over an image.

A person's left side is blue, the right side orange, what has no side white: sky blue and orange differ in lightness too
for every kind of colour vision, and both stand out from photographs. A thin dark rim sets them off a light background.

Confidence is opacity: a keypoint's disc is faint at the threshold and opaque from a score of 0.98 on, and every halving
of 1 - score makes it more opaque by the same step (`opacities`), so that scores that differ only near 1 are told apart.
A limb is as opaque as the less sure of its ends. A keypoint below the threshold is an empty ring, and no limb leads to
it. Scores are the method's own and calibrated for no method. Poseur's default, "rle", is the mean of 1 - sigma and may
lie near 1 for every keypoint: a sigma of 0.11 gives 0.89, and stands for an error of 30 % of the crop where the flow
leaves the released loss's Laplace part as it is. A threshold of 0.9, or the keypoint score "laplace", then tells more.

The number at the box is the person's score: up to 3 by the rule "released" (box + mean + max of the keypoints), up to 1
by "paper", "classic" and "box" (`poseur_lib.scoring.instance`). Lines are as wide as the person is large, at least so
wide that they can be seen.
"""

import textwrap
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from poseur_lib.keypoints import KeypointSet
from poseur_lib.predict.people import KEYPOINT_THRESHOLD, PersonPose, whole_image

# seaborn's `colorblind` palette; a backbone has its colour everywhere.
COLORBLIND = (
    "#0173B2", "#DE8F05", "#029E73", "#D55E00", "#CC78BC", "#CA9161", "#FBAFE4", "#949494", "#ECE133", "#56B4E9",
)  # fmt: skip

Colour = tuple[int, int, int]
Fill = Callable[[np.ndarray, np.ndarray], object]


def _rgb(text: str) -> Colour:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


LEFT, RIGHT, MIDDLE, RIM = _rgb(COLORBLIND[9]), _rgb(COLORBLIND[1]), (255, 255, 255), (20, 20, 20)
RIM_OPACITY, PLATE_OPACITY, BOX_OPACITY = 0.55, 0.65, 0.45
FAINT, OPAQUE_FROM = 0.25, 0.98  # opacity at the threshold; the score that needs no more of it
LINE_WIDTH, MIN_LINE_WIDTH = 0.011, 1.6  # of the person's extent; image pixels
DISC_RADIUS = 1.15  # of the line's width
TEXT_SIZE, MIN_TEXT_SIZE = 4.0, 11  # of the line's width; image pixels
CAPTION_SIZE, CAPTION_COLUMNS = 28, 48  # largest letters, image pixels; letters of which a line has about so many
SHIFT = 4  # binary digits of sub-pixel positions


def draw_people(
    image: UInt8[np.ndarray, "height width 3"],
    people: Sequence[PersonPose],
    keypoint_set: KeypointSet,
    threshold: float = KEYPOINT_THRESHOLD,
) -> UInt8[np.ndarray, "height width 3"]:
    """A copy of the RGB image with a skeleton for every person, the best-scored on top.

    Args:
        threshold: keypoints with a lower score are drawn as empty rings, without limbs.
    """
    canvas = image.copy()
    ranked = sorted(people, key=lambda person: person.score)
    pens = [Pen(canvas, person, keypoint_set, threshold) for person in ranked]
    for pen in pens:
        pen.box()
        pen.limbs()
        pen.discs()
    for pen in pens:
        pen.label()
    return canvas


def with_caption(image: UInt8[np.ndarray, "height width 3"], text: str) -> UInt8[np.ndarray, "_ width 3"]:
    """The RGB image with a text on a dark strip below it, in as many lines as its width asks for; as it is for ""."""
    if not text:
        return image
    width = image.shape[1]
    size = max(MIN_TEXT_SIZE, min(CAPTION_SIZE, width // CAPTION_COLUMNS))
    font, pad = ImageFont.load_default(size), size // 2
    letter = font.getlength(text) / len(text)
    lines = textwrap.fill(text, max(8, int((width - 2 * pad) / (1.1 * letter))))
    *_, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), lines, font=font)
    strip = Image.new("RGB", (width, round(bottom) + 2 * pad), RIM)
    ImageDraw.Draw(strip).multiline_text((pad, pad), lines, fill=MIDDLE, font=font)
    return np.concatenate([image, np.asarray(strip)])


class Pen:
    """Draws one person on a canvas.

    Attributes:
        sure: which keypoints reach the threshold.
        width: of a limb, in image pixels.
        opacity: of each keypoint, if it is sure.
    """

    def __init__(
        self,
        canvas: UInt8[np.ndarray, "height width 3"],
        person: PersonPose,
        keypoint_set: KeypointSet,
        threshold: float,
    ) -> None:
        self.canvas, self.person, self.keypoint_set = canvas, person, keypoint_set
        self.sure = person.keypoint_scores >= threshold
        self.width = max(MIN_LINE_WIDTH, LINE_WIDTH * _extent(person, self.sure))
        self.opacity = opacities(person.keypoint_scores, threshold).tolist()

    def box(self) -> None:
        """A fine frame, unless the box is the whole image."""
        if self.person.box == whole_image(self.canvas).box:
            return
        x, y, w, h = self.person.box
        corners = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], np.float32)
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            self._line(a, b, max(1.0, self.width / 4), MIDDLE, BOX_OPACITY)

    def limbs(self) -> None:
        """The lines of the skeleton whose ends are both sure."""
        drawn = [(a, b) for a, b in self.keypoint_set.skeleton if self.sure[a] and self.sure[b]]
        points, rim = self.person.keypoints_image, max(1.0, self.width / 3)
        for a, b in drawn:
            opacity = RIM_OPACITY * min(self.opacity[a], self.opacity[b])
            self._line(points[a], points[b], self.width + rim, RIM, opacity)
        for a, b in drawn:
            colour = limb_colour(self.keypoint_set, a, b)
            self._line(points[a], points[b], self.width, colour, min(self.opacity[a], self.opacity[b]))

    def discs(self) -> None:
        """The keypoints: a rim, a ring in the side's colour, and a filling, the more opaque the surer."""
        radius, rim = self.width * DISC_RADIUS, max(1.0, self.width / 3)
        for index, point in enumerate(self.person.keypoints_image):
            colour = keypoint_colour(self.keypoint_set, index)
            self._disc(point, radius + rim, RIM, RIM_OPACITY, hole=0.0 if self.sure[index] else radius - rim)
            if self.sure[index]:
                self._disc(point, radius, colour, self.opacity[index])
            self._disc(point, radius, colour, 1.0, hole=radius - max(1.0, rim))

    def label(self) -> None:
        """The person's score above the upper left corner of its box, moved into the image; on a dark plate."""
        text = _text_mask(f"{self.person.score:.2f}", max(MIN_TEXT_SIZE, round(TEXT_SIZE * self.width)))
        x, y = self.person.box[0], self.person.box[1] - text.shape[0]
        limit_y, limit_x = (max(0, side - part) for side, part in zip(self.canvas.shape[:2], text.shape, strict=True))
        corner = int(np.clip(x, 0, limit_x)), int(np.clip(y, 0, limit_y))
        _blend(self.canvas, np.full_like(text, 255), corner, RIM, PLATE_OPACITY)
        _blend(self.canvas, text, corner, MIDDLE, 1.0)

    def _line(self, a: Float[np.ndarray, "2"], b: Float[np.ndarray, "2"], width: float, colour: Colour,
              opacity: float) -> None:  # fmt: skip
        a, b = self._reachable(a), self._reachable(b)
        along = b - a
        length = float(np.hypot(*along))
        if length < 1e-3:
            return
        across = np.array([-along[1], along[0]]) / length * width / 2
        corners = np.array([a + across, b + across, b - across, a - across])
        self._fill(corners, colour, opacity, lambda mask, at: cv2.fillConvexPoly(mask, at, 255, cv2.LINE_AA, SHIFT))

    def _disc(self, point: Float[np.ndarray, "2"], radius: float, colour: Colour, opacity: float,
              hole: float = 0.0) -> None:  # fmt: skip
        center = self._reachable(point)

        def fill(mask: np.ndarray, at: np.ndarray) -> None:
            middle = tuple(int(value) for value in at.mean(axis=0).round())
            cv2.circle(mask, middle, round(radius * 2**SHIFT), 255, -1, cv2.LINE_AA, SHIFT)
            if hole > 0:
                cv2.circle(mask, middle, round(hole * 2**SHIFT), 0, -1, cv2.LINE_AA, SHIFT)

        self._fill(np.array([center - radius, center + radius]), colour, opacity, fill)

    def _reachable(self, point: Float[np.ndarray, "2"]) -> Float[np.ndarray, "2"]:
        """A point that lies far outside is drawn at most an image's side outside, within OpenCV's range."""
        side = np.array(self.canvas.shape[1::-1], np.float64)
        return np.clip(point.astype(np.float64), -side, 2 * side)

    def _fill(self, hull: Float[np.ndarray, "_ 2"], colour: Colour, opacity: float, fill: Fill) -> None:
        """Blend what `fill` draws on a mask of the part of the canvas that holds the points `hull`."""
        limit = np.array(self.canvas.shape[1::-1])
        low = np.maximum(np.floor(hull.min(axis=0)).astype(int) - 2, 0)
        high = np.minimum(np.ceil(hull.max(axis=0)).astype(int) + 3, limit)
        if (high <= low).any():
            return
        mask = np.zeros((high - low)[::-1], np.uint8)
        fill(mask, ((hull - low) * 2**SHIFT).round().astype(np.int32))
        _blend(self.canvas, mask, (int(low[0]), int(low[1])), colour, opacity)


def opacities(scores: Float[np.ndarray, "K"], threshold: float) -> Float[np.ndarray, "K"]:
    """From FAINT at the threshold to 1 at OPAQUE_FROM, in equal steps for every halving of 1 - score."""
    most, least = 1 - threshold, 1 - OPAQUE_FROM
    if most <= least:
        return np.ones(len(scores))
    doubt = np.clip(1 - scores.astype(np.float64), least, most)
    return FAINT + (1 - FAINT) * np.log(most / doubt) / np.log(most / least)


def keypoint_colour(keypoint_set: KeypointSet, index: int) -> Colour:
    """By the person's side."""
    for pair in keypoint_set.flip_pairs:
        if index in pair:
            return LEFT if index == pair[0] else RIGHT
    return MIDDLE


def limb_colour(keypoint_set: KeypointSet, a: int, b: int) -> Colour:
    """The side's colour where no end lies on the other side; a limb from the middle outwards is its side's."""
    sides = {keypoint_colour(keypoint_set, a), keypoint_colour(keypoint_set, b)} - {MIDDLE}
    return sides.pop() if len(sides) == 1 else MIDDLE


def _extent(person: PersonPose, sure: Bool[np.ndarray, "K"]) -> float:
    """How large a person is: the diagonal of its sure keypoints, at most the box's, which counts where few are sure."""
    box = float(np.hypot(*person.box[2:]))
    if sure.sum() < 3:
        return box / 2
    points = person.keypoints_image[sure]
    return min(box, float(np.hypot(*np.ptp(points, axis=0))))


def _text_mask(text: str, size: int) -> UInt8[np.ndarray, "_ _"]:
    font = ImageFont.load_default(size)
    left, top, right, bottom = (round(side) for side in font.getbbox(text))
    pad = max(2, size // 5)
    plate = Image.new("L", (right - left + 2 * pad, bottom - top + 2 * pad))
    ImageDraw.Draw(plate).text((pad - left, pad - top), text, fill=255, font=font)
    return np.asarray(plate)


def _blend(
    canvas: UInt8[np.ndarray, "height width 3"],
    mask: UInt8[np.ndarray, "_ _"],
    corner: tuple[int, int],
    colour: Colour,
    opacity: float,
) -> None:
    """Lay a colour over the canvas where the mask, whose upper left pixel lies at `corner` (x, y), says so."""
    x, y = corner
    part = canvas[y : y + mask.shape[0], x : x + mask.shape[1]]
    weight = mask[: part.shape[0], : part.shape[1], None].astype(np.float32) * (opacity / 255)
    part[:] = (part + (np.array(colour, np.float32) - part) * weight).round().astype(np.uint8)
