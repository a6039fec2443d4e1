"""What a person wears: colours, patterns, cut of the clothes, hair."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

SKIN = ((246, 214, 190), (236, 195, 165), (224, 172, 138), (203, 148, 112), (172, 118, 84), (134, 88, 60), (94, 62, 45))
HAIR = (
    (22, 18, 17), (45, 30, 22), (78, 50, 31), (112, 74, 42), (158, 114, 64), (206, 168, 104), (128, 52, 28),
    (158, 156, 154),
)  # fmt: skip
TOPS = (
    (235, 235, 232), (32, 34, 40), (150, 152, 156), (186, 38, 44), (38, 62, 122), (60, 118, 176), (44, 106, 72),
    (218, 176, 52), (226, 116, 44), (124, 62, 122), (216, 140, 156), (86, 150, 148), (148, 38, 62), (206, 194, 164),
    (98, 108, 62), (122, 172, 210), (250, 226, 120), (72, 58, 50),
)  # fmt: skip
BOTTOMS = (
    (40, 56, 92), (66, 90, 136), (28, 28, 34), (98, 98, 104), (170, 150, 116), (92, 78, 58), (64, 70, 50),
    (196, 196, 196), (112, 136, 174), (96, 40, 46),
)  # fmt: skip
SHOES = ((30, 28, 28), (232, 232, 232), (92, 60, 38), (150, 40, 42), (60, 70, 96), (120, 120, 124))


class Pattern(IntEnum):
    """How a material's two colours are laid out on the cloth."""

    PLAIN = 0
    HOOPS = 1
    STRIPES = 2
    CHECK = 3
    BLOTCHES = 4


class Material(IntEnum):
    """Rows of a person's material table."""

    SKIN = 0
    HAIR = 1
    TOP = 2
    BOTTOM = 3
    SHOE = 4
    INNER = 5  # what shows under an open jacket; prints, buttons, pockets
    BAG = 6
    SOCK = 7


MATERIAL_COLUMNS = 11
"""red, green, blue, second red, green, blue (0 to 1), pattern, repeats a metre, grain, gloss, detail (see shading)."""


class Detail(IntEnum):
    """How the chest looks in front (the back stays as the cloth is)."""

    PLAIN = 0
    SHIRT = 1  # button placket, collar, pocket on the person's left
    JACKET = 2  # open, with the inner colour between
    PRINT = 3  # an emblem
    NECKLINE = 4  # skin in a V


class Cut(NamedTuple):
    """Which pieces of clothing and hair are drawn; lengths are fractions of the limb."""

    sleeve: float  # 0 none, 0.45 short, 2 long (both arm bones)
    leg: float  # 0.3 or 0.9 shorts, 2 long
    skirt: float  # length as a fraction of the upper leg, 0 for trousers
    hair: int  # 0 bald, 1 short, 2 medium, 3 long, 4 tail, 5 bun, 6 big
    hat: bool
    hood: bool
    bag: bool
    bust: float  # metres
    looseness: float  # metres of cloth beyond the body


class Appearance(NamedTuple):
    """Materials of a person, one row per `Material`, and the cut."""

    materials: Float[np.ndarray, "M 11"]
    cut: Cut


def pick_colour(
    rng: np.random.Generator, palette: tuple[tuple[int, int, int], ...], jitter: float
) -> Float[np.ndarray, "3"]:
    """A palette colour, each channel shifted by up to `jitter`; in [0, 1]."""
    colour = np.array(palette[rng.integers(len(palette))]) / 255.0
    return np.clip(colour * rng.uniform(0.85, 1.12) + rng.uniform(-jitter, jitter, 3), 0.04, 0.98)


def _cloth(rng: np.random.Generator, palette: tuple[tuple[int, int, int], ...], plain: float) -> list[float]:
    """A row of the material table: two colours and, with probability 1 - plain, a pattern."""
    first, second = pick_colour(rng, palette, 0.05), pick_colour(rng, palette, 0.05)
    pattern = Pattern.PLAIN if rng.random() < plain else Pattern(int(rng.integers(1, len(Pattern))))
    if pattern is not Pattern.PLAIN:
        second = 0.35 * first + 0.65 * second
    repeats = rng.uniform(7, 16)
    return [*first, *second, float(pattern), repeats, rng.uniform(0.06, 0.16), rng.uniform(0.0, 0.08), 0.0]


def _solid(colour: Float[np.ndarray, "3"], second: Float[np.ndarray, "3"], grain: float, gloss: float) -> list[float]:
    return [*colour, *second, 0.0, 8.0, grain, gloss, 0.0]


def sample_materials(rng: np.random.Generator) -> Float[np.ndarray, "M 11"]:
    """The colours of one person; the second colour of the skin is that of brows and beard, or of the lips."""
    skin, hair = pick_colour(rng, SKIN, 0.02), pick_colour(rng, HAIR, 0.02)
    top, bottom = _cloth(rng, TOPS, 0.6), _cloth(rng, BOTTOMS, 0.85)
    top[10] = float(rng.choice(len(Detail), p=[0.1, 0.28, 0.24, 0.22, 0.16]))
    inner = pick_colour(rng, TOPS, 0.05)
    if np.abs(inner - top[:3]).sum() < 0.5:  # what marks the front must be seen
        inner = np.array([0.93, 0.93, 0.91]) if sum(top[:3]) < 1.5 else np.array([0.13, 0.14, 0.18])
    shoe = pick_colour(rng, SHOES, 0.03)
    sole = np.full(3, 0.9) if shoe.sum() < 1.5 else np.full(3, 0.25)
    rows = [
        _solid(skin, 0.55 * hair + 0.1 * skin, 0.03, 0.10),
        _solid(hair, 0.6 * hair, 0.30, 0.14),
        top,
        bottom,
        _solid(shoe, sole, 0.05, 0.12),
        _solid(inner, skin, 0.08, 0.03),
        _solid(pick_colour(rng, TOPS, 0.05), np.full(3, 0.15), 0.12, 0.05),
        _solid(np.full(3, rng.choice([0.92, 0.2, 0.5])), skin, 0.08, 0.0),
    ]
    return np.array(rows)


def sample_cut(rng: np.random.Generator) -> Cut:
    """Which clothes and hair."""
    skirted = rng.random() < 0.14
    return Cut(
        sleeve=float(rng.choice([0.0, 0.5, 2.0], p=[0.12, 0.40, 0.48])),
        leg=float(rng.choice([0.35, 0.85, 2.0], p=[0.08, 0.17, 0.75])),
        skirt=float(rng.uniform(0.7, 1.15)) if skirted else 0.0,
        hair=int(rng.choice(7, p=[0.05, 0.37, 0.18, 0.16, 0.10, 0.06, 0.08])),
        hat=bool(rng.random() < 0.10),
        hood=bool(rng.random() < 0.12),
        bag=bool(rng.random() < 0.10),
        bust=float(rng.uniform(0.015, 0.035)) if rng.random() < 0.4 else 0.0,
        looseness=float(rng.uniform(0.010, 0.028)),
    )


def sample_appearance(rng: np.random.Generator) -> Appearance:
    """Clothes, skin and hair of one person."""
    return Appearance(sample_materials(rng), sample_cut(rng))
