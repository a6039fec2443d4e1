"""What is behind the people: rooms and outdoor scenes with furniture, trees, houses; colours 0 to 1."""

import cv2
import numpy as np
from jaxtyping import Float32

from synthetic_people.settings import Difficulty
from synthetic_people.textures import FINE, MEDIUM, SMOOTH, texture

Image = Float32[np.ndarray, "H W 3"]
Colour = tuple[float, float, float]

WALLS = (
    (0.86, 0.83, 0.76),
    (0.76, 0.81, 0.84),
    (0.80, 0.84, 0.76),
    (0.88, 0.86, 0.85),
    (0.70, 0.66, 0.62),
    (0.62, 0.70, 0.74),
    (0.84, 0.74, 0.70),
)
FLOORS = ((0.55, 0.42, 0.30), (0.42, 0.33, 0.26), (0.62, 0.60, 0.57), (0.50, 0.52, 0.55), (0.66, 0.55, 0.42))
WOODS = ((0.45, 0.31, 0.20), (0.62, 0.47, 0.31), (0.30, 0.22, 0.17), (0.85, 0.84, 0.81), (0.52, 0.54, 0.56))
GROUNDS = ((0.40, 0.52, 0.26), (0.48, 0.55, 0.32), (0.50, 0.50, 0.51), (0.62, 0.56, 0.45), (0.74, 0.68, 0.54))
HOUSES = ((0.62, 0.42, 0.34), (0.74, 0.68, 0.58), (0.60, 0.62, 0.65), (0.80, 0.77, 0.72), (0.48, 0.44, 0.43))
FABRICS = ((0.32, 0.42, 0.55), (0.58, 0.34, 0.30), (0.46, 0.50, 0.40), (0.68, 0.62, 0.52), (0.35, 0.33, 0.36))


def _colour(rng: np.random.Generator, palette: tuple[Colour, ...]) -> Colour:
    """A palette colour, a little brighter or darker."""
    gain = rng.uniform(0.85, 1.1)
    red, green, blue = palette[int(rng.integers(len(palette)))]
    return gain * red, gain * green, gain * blue


def _times(colour: Colour, gain: float) -> Colour:
    return gain * colour[0], gain * colour[1], gain * colour[2]


def _shaded(target: Image, colour: Colour, gain: Float32[np.ndarray, "H W"]) -> None:
    """Fill with a colour times `gain`; channel by channel, as numpy is slow on a last axis of three."""
    for channel in range(3):
        target[:, :, channel] = np.float32(colour[channel]) * gain


def _box(image: Image, x: float, y: float, width: float, height: float, colour: Colour) -> None:
    """Fill a rectangle given by its upper left corner, px."""
    cv2.rectangle(image, (int(x), int(y)), (int(x + width), int(y + height)), colour, -1)


def _window(rng: np.random.Generator, image: Image, horizon: float) -> None:
    """A window with a frame and a bright view, or a picture."""
    height, width = image.shape[:2]
    w, h = width * rng.uniform(0.15, 0.35), height * rng.uniform(0.12, 0.3)
    x, y = rng.uniform(-0.3 * w, width - 0.7 * w), rng.uniform(0.02, 0.25) * height
    _box(image, x - 4, y - 4, w + 8, h + 8, _colour(rng, WOODS))
    view: Colour = (0.80, 0.88, 0.95) if rng.random() < 0.6 else _colour(rng, HOUSES)
    _box(image, x, y, w, h, view)
    _box(image, x, y + 0.65 * h, w, 0.35 * h, _times(view, 0.8))
    _box(image, x + w / 2 - 1, y, 2, h, (0.9, 0.89, 0.87))


def _shelf(rng: np.random.Generator, image: Image, horizon: float) -> None:
    """A shelf of books."""
    height, width = image.shape[:2]
    w, h = width * rng.uniform(0.2, 0.4), height * rng.uniform(0.25, 0.5)
    x, y = rng.uniform(-0.4 * w, width - 0.6 * w), horizon + 0.03 * height - h
    wood = _colour(rng, WOODS)
    _box(image, x, y, w, h, wood)
    for row in range(3):
        top, tall, at = y + (row + 0.12) * h / 3, 0.8 * h / 3, x + 3
        _box(image, x + 2, top, w - 4, tall, _times(wood, 0.55))
        while at < x + w - 7:
            book = rng.uniform(3, 7)
            if rng.random() < 0.8:
                _box(image, at, top + tall * rng.uniform(0.05, 0.35), book - 1, tall, _colour(rng, FABRICS))
            at += book
        _box(image, x, top + tall, w, h / 3 - tall, wood)


def _sofa(rng: np.random.Generator, image: Image, horizon: float) -> None:
    """A sofa or a cupboard that stands on the floor."""
    height, width = image.shape[:2]
    w, h = width * rng.uniform(0.25, 0.55), height * rng.uniform(0.10, 0.22)
    x, y = rng.uniform(-0.5 * w, width - 0.5 * w), horizon + 0.05 * height - h
    if rng.random() < 0.5:
        fabric = _colour(rng, FABRICS)
        _box(image, x, y, w, h, fabric)
        _box(image, x + 0.1 * w, y + 0.5 * h, 0.8 * w, 0.3 * h, _times(fabric, 1.15))
        _box(image, x, y + 0.8 * h, w, 0.2 * h, _times(fabric, 0.7))
        return
    wood = _colour(rng, WOODS)
    _box(image, x, y, w, h, wood)
    for drawer in range(3):
        _box(image, x + (drawer + 0.06) * w / 3, y + 0.12 * h, 0.88 * w / 3, 0.76 * h, _times(wood, 0.88))


def _door(rng: np.random.Generator, image: Image, horizon: float) -> None:
    """A door."""
    height, width = image.shape[:2]
    w, x, wood = width * rng.uniform(0.2, 0.3), rng.uniform(-0.1, 0.9) * width, _colour(rng, WOODS)
    top = horizon - height * rng.uniform(0.5, 0.65)
    _box(image, x - 3, top - 3, w + 6, horizon - top + 3, _times(wood, 1.2))
    _box(image, x, top, w, horizon - top, wood)
    for panel in (0.08, 0.55):
        _box(image, x + 0.18 * w, top + panel * (horizon - top), 0.64 * w, 0.36 * (horizon - top), _times(wood, 0.85))


def _foliage(rng: np.random.Generator, image: Image, x: float, y: float, radius: float) -> None:
    """A ragged green blob."""
    green = _colour(rng, ((0.22, 0.36, 0.16), (0.30, 0.42, 0.20), (0.36, 0.40, 0.16), (0.18, 0.30, 0.20)))
    for _ in range(5):
        dx, dy = rng.normal(0, 0.45, 2) * radius
        gain = rng.uniform(0.75, 1.2)
        cv2.circle(
            image, (int(x + dx), int(y + dy)), max(2, int(radius * rng.uniform(0.4, 0.7))), _times(green, gain), -1
        )


def _tree(rng: np.random.Generator, image: Image, horizon: float) -> None:
    """A tree that stands on the ground."""
    height, width = image.shape[:2]
    x, foot = rng.uniform(0, 1) * width, horizon + rng.uniform(0.0, 0.08) * height
    tall, thick = height * rng.uniform(0.25, 0.6), width * rng.uniform(0.015, 0.04)
    _box(image, x - thick, foot - tall, 2 * thick, tall, _colour(rng, WOODS[:3]))
    _foliage(rng, image, x, foot - tall, height * rng.uniform(0.1, 0.18))


def _bush(rng: np.random.Generator, image: Image, horizon: float) -> None:
    """A bush or, indoors, a plant."""
    height, width = image.shape[:2]
    _foliage(rng, image, rng.uniform(0, 1) * width, horizon - 0.02 * height, height * rng.uniform(0.05, 0.1))


def _house(rng: np.random.Generator, image: Image, horizon: float) -> None:
    """A house with rows of windows."""
    height, width = image.shape[:2]
    w, h = width * rng.uniform(0.25, 0.6), height * rng.uniform(0.25, 0.6)
    x, wall = rng.uniform(-0.4 * w, width - 0.6 * w), _colour(rng, HOUSES)
    _box(image, x, horizon - h, w, h, wall)
    step = max(10.0, width * rng.uniform(0.07, 0.11))
    pane = _times(wall, 0.55) if rng.random() < 0.7 else (0.75, 0.80, 0.84)
    for row in range(int((h - 0.4 * step) / (1.3 * step))):
        for column in range(int((w - 0.4 * step) / step)):
            at = (x + (column + 0.35) * step, horizon - h + (row + 0.35) * 1.3 * step)
            _box(image, *at, 0.5 * step, 0.7 * step, pane)


def _car(rng: np.random.Generator, image: Image, horizon: float) -> None:
    """A parked car from its side."""
    height, width = image.shape[:2]
    w = width * rng.uniform(0.35, 0.55)
    x, y, h = rng.uniform(-0.4, 0.9) * width, horizon + 0.05 * height, 0.2 * w
    paint = _colour(rng, (*FABRICS, (0.8, 0.8, 0.82), (0.7, 0.2, 0.18)))
    roof = [(x + 0.2 * w, y - h), (x + 0.32 * w, y - 1.9 * h), (x + 0.7 * w, y - 1.9 * h), (x + 0.85 * w, y - h)]
    cv2.fillPoly(image, [np.array(roof, np.int32)], (0.25, 0.28, 0.32))
    _box(image, x, y - h, w, 0.85 * h, paint)
    for wheel in (0.2, 0.8):
        cv2.circle(image, (int(x + wheel * w), int(y - 0.1 * h)), max(2, int(0.4 * h)), (0.1, 0.1, 0.1), -1)


def _room(rng: np.random.Generator, image: Image, horizon: float) -> None:
    """Wall, skirting board and floor."""
    height, width = image.shape[:2]
    wall, floor, row = _colour(rng, WALLS), _colour(rng, FLOORS), int(horizon)
    _shaded(image[:row], wall, 1.0 + 0.12 * texture(rng, SMOOTH, row, width))
    if rng.random() < 0.35:
        step = int(rng.integers(8, 22))
        for x in range(0, width, 2 * step):
            image[:row, x : x + step] *= 0.94
    grain = texture(rng, MEDIUM, height - row, width)
    nearer = np.linspace(0, 0.15, height - row, dtype=np.float32)[:, None]
    _shaded(image[row:], floor, 0.9 + 0.15 * grain + nearer)
    for k in range(1, 7):
        line = row + int((height - row) * (k / 7) ** 1.6)
        image[line : line + 1] *= 0.88
    _box(image, 0, horizon - 4, width, 4, _times(wall, 1.12))


def _landscape(rng: np.random.Generator, image: Image, horizon: float) -> None:
    """Sky with clouds and ground."""
    height, width = image.shape[:2]
    row, ground = int(horizon), _colour(rng, GROUNDS)
    sky = np.float32((0.55, 0.70, 0.88)) if rng.random() < 0.65 else np.float32((0.80, 0.82, 0.84))
    fade = np.linspace(0, 1, row, dtype=np.float32)[:, None]
    clouds = np.minimum(1.6 * np.clip(texture(rng, SMOOTH, row, width) - 0.05, 0, 1), 0.9)
    for channel in range(3):
        clear = sky[channel] * (1 - 0.4 * fade) + 0.37 * fade
        image[:row, :, channel] = clear + (0.98 - clear) * clouds
    grain = texture(rng, MEDIUM, height - row, width) + 0.5 * texture(rng, FINE, height - row, width)
    _shaded(image[row:], ground, 0.95 + 0.28 * grain)
    if rng.random() < 0.5:
        hill = horizon - height * (0.06 + 0.05 * texture(rng, SMOOTH, 1, width)[0])
        outline = [(0, row), *((x, int(hill[x])) for x in range(0, width, 6)), (width, row)]
        cv2.fillPoly(image, [np.array(outline, np.int32)], _times(_colour(rng, GROUNDS[:2]), 0.8))


_INDOORS = (_window, _window, _shelf, _sofa, _door, _bush)
_OUTDOORS = (_tree, _tree, _bush, _house, _car)


def sample_background(rng: np.random.Generator, height: int, width: int, level: Difficulty) -> Image:
    """A random room or landscape, out of focus, with `level.clutter` things on average."""
    image = np.zeros((height, width, 3), np.float32)
    horizon, inside = float(height * rng.uniform(0.5, 0.76)), rng.random() < 0.5
    (_room if inside else _landscape)(rng, image, horizon)
    things = _INDOORS if inside else _OUTDOORS
    for _ in range(int(rng.poisson(level.clutter))):
        things[int(rng.integers(len(things)))](rng, image, horizon)
    image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.6, 2.0)) * height / 256)
    middle = np.float32(cv2.mean(image)[:3])
    for channel in range(3):
        image[:, :, channel] = middle[channel] + level.contrast * (image[:, :, channel] - middle[channel])
    return np.clip(image, 0.0, 1.0, out=image)
