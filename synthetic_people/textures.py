"""Tileable noise, made once a process."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32

SIZE = 512
"""Side of a texture, px; a power of two."""

SMOOTH, MEDIUM, FINE = 2.4, 1.6, 0.5
"""Spectral slopes: clouds and walls, foliage and ground, cloth and sensor noise."""


@lru_cache(maxsize=8)
def tile(slope: float) -> Float32[np.ndarray, "512 512"]:
    """A fixed texture whose amplitude falls as frequency ** -slope, in [-1, 1], standard deviation about 0.4."""
    rng = np.random.default_rng([int(slope * 1000), SIZE])
    frequency = np.sqrt(np.fft.fftfreq(SIZE)[:, None] ** 2 + np.fft.rfftfreq(SIZE)[None, :] ** 2)
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((SIZE, SIZE))) * frequency**-slope
    spectrum[0, 0] = 0.0
    field = np.fft.irfft2(spectrum, s=(SIZE, SIZE))
    texture = np.clip(0.4 * field / field.std(), -1.0, 1.0).astype(np.float32)
    texture.setflags(write=False)
    return texture


@lru_cache(maxsize=1)
def cloth_grain() -> Float32[np.ndarray, "512 512"]:
    """The weave of clothes and the irregularity of skin."""
    return 0.25 * tile(FINE) + 0.75 * tile(MEDIUM)


def texture(rng: np.random.Generator, slope: float, height: int, width: int) -> Float32[np.ndarray, "H W"]:
    """A random window of `tile(slope)`, which repeats beyond its side."""
    top, left = (int(v) for v in rng.integers(0, SIZE, 2))
    if top + height <= SIZE and left + width <= SIZE:
        return tile(slope)[top : top + height, left : left + width]
    rows, columns = (top + np.arange(height)) % SIZE, (left + np.arange(width)) % SIZE
    return tile(slope)[rows][:, columns]
