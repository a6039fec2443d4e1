"""Drawing of primitives with depth, each in its own bounding box, with anti-aliased outlines.

Frame: image pixels x right, y down, z towards the viewer (same unit); the centre of pixel (row i, column j) is
(j + 0.5, i + 0.5).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int32

from synthetic_people.compiled import compiled
from synthetic_people.primitive import Primitive
from synthetic_people.rays import FAR, bounds, geometry_row, hit, local_point, nearest, normal, strip
from synthetic_people.shading import material_row, surface


class Drawing(NamedTuple):
    """Primitives in pixels, ready to draw.

    geometry: start (0:3), image-to-local matrix by rows (3:12), local length (12) and radii (13:15), px a metre (15),
    extent in x, y and z of a sphere of local radius 1 (16:19), 1 for a flat panel of half width and height radii (19).
    labels: part, person (-1 for objects), material row, decal, row of the material seen through openings.
    """

    geometry: Float64[np.ndarray, "P 20"]
    labels: Int32[np.ndarray, "P 5"]
    materials: Float64[np.ndarray, "M 11"]


class Rendering(NamedTuple):
    """What was drawn: colour over the background (0 to 1), front-most primitive (-1 none) and its depth, px."""

    image: Float32[np.ndarray, "H W 3"]
    primitive: Int32[np.ndarray, "H W"]
    depth: Float32[np.ndarray, "H W"]


def place(prims: Sequence[Primitive], scale: float, offset: tuple[float, float, float]) -> Float64[np.ndarray, "P 20"]:
    """Geometry rows of primitives in metres, drawn at `scale` px a metre around `offset` (x, y, z) px."""
    count = len(prims)
    geometry = np.zeros((count, 20))
    frames = np.array([prim.frame for prim in prims])
    stretch = np.array([prim.stretch for prim in prims], dtype=float)
    geometry[:, 0:3] = np.array([prim.start for prim in prims]) * scale + np.array(offset)
    geometry[:, 3:12] = (frames.transpose(0, 2, 1) / stretch[:, :, None]).reshape(count, 9)
    geometry[:, 12] = np.array([prim.length for prim in prims]) * scale / stretch[:, 1]
    geometry[:, 13] = np.array([prim.first_radius for prim in prims]) * scale
    geometry[:, 14] = np.array([prim.second_radius for prim in prims]) * scale
    geometry[:, 15] = scale
    geometry[:, 16:19] = np.sqrt(((frames * stretch[:, None, :]) ** 2).sum(2))
    return geometry


@compiled
def _lit(red, green, blue, nx, ny, nz, light, gloss):
    """Lambert light wrapped around the edge, sky light from above, a highlight."""
    norm = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
    nx, ny, nz = nx * norm, ny * norm, nz * norm
    facing = nx * light[0] + ny * light[1] + nz * light[2]
    wrapped = max(0.0, 0.55 * facing + 0.45)
    shade = light[3] + (1.0 - light[3]) * wrapped - 0.06 * ny
    shade *= 0.72 + 0.34 * max(nz, 0.0)
    shine = facing * facing * facing if facing > 0.0 else 0.0
    shine = gloss * shine * shine * shine
    return red * shade * light[4] + shine, green * shade * light[5] + shine, blue * shade * light[6] + shine


@compiled
def _shade(p, geometry, labels, materials, noise, light, x, y, z, what):
    """The lit colour of primitive `p` where the ray through (x, y) hits it at depth z."""
    g = geometry_row(geometry, p)
    px, py, pz = local_point(g, x, y, z)
    nx, ny, nz = normal(g, px, py, pz, what)
    size, radius, decal = noise.shape[0] - 1, max(g[13], g[14]), labels[p, 3]
    material, inner = material_row(materials, labels[p, 2]), material_row(materials, labels[p, 4])
    u, v = (px + 0.9 * pz) / g[15], py / g[15]
    grain = noise[int(v * 220.0 + 4096.0) & size, int(u * 220.0 + 4096.0) & size]
    along = g[12] if decal == 2 else radius
    red, green, blue = surface(decal, material, inner, px / radius, py / along, pz / radius, u, v, grain)
    return _lit(red, green, blue, nx, ny, nz, light, material[9])


@compiled
def _depth_pass(geometry, order, primitive, kind, depth):
    """One ray through every pixel centre: the front-most primitive, what of it was hit, its depth.

    Primitives are drawn in `order`; what comes first wins a tie.
    """
    for p in order:
        g = geometry_row(geometry, p)
        top = nearest(g)
        y0, y1, x0, x1 = bounds(g, primitive.shape[0], primitive.shape[1])
        for i in range(y0, y1):
            first, last = strip(g, i + 0.5 - g[1], x0, x1)
            for j in range(first, last):
                if depth[i, j] >= top:
                    continue
                z, what = hit(g, j + 0.5, i + 0.5)
                if z > depth[i, j]:
                    primitive[i, j], kind[i, j], depth[i, j] = p, what, z


@compiled
def _around(primitive, i, j):
    """The primitives at a pixel, above, below, before and after it, each only once: -1 where named before or none."""
    height, width = primitive.shape
    none, here = np.int32(-1), primitive[i, j]
    up, down = primitive[max(i - 1, 0), j], primitive[min(i + 1, height - 1), j]
    before, after = primitive[i, max(j - 1, 0)], primitive[i, min(j + 1, width - 1)]
    up = none if up == here else up
    down = none if down in (here, up) else down
    before = none if before in (here, up, down) else before
    after = none if after in (here, up, down, before) else after
    return here, up, down, before, after


@compiled
def _edge(i, j, primitive, geometry, labels, materials, noise, light, image):
    """Average four rays of an outline pixel; each looks only at what its four neighbours show."""
    red, green, blue = 0.0, 0.0, 0.0
    around = _around(primitive, i, j)
    for ray in range(4):
        x, y = j + 0.25 + 0.5 * (ray % 2), i + 0.25 + 0.5 * (ray // 2)
        best, front, kind = FAR, -1, 0
        for p in around:
            if p >= 0:
                z, what = hit(geometry_row(geometry, p), x, y)
                if z > best:
                    best, front, kind = z, p, what
        if front < 0:
            red, green, blue = red + image[i, j, 0], green + image[i, j, 1], blue + image[i, j, 2]
        else:
            r, g, b = _shade(front, geometry, labels, materials, noise, light, x, y, best, kind)
            red, green, blue = red + r, green + g, blue + b
    return 0.25 * red, 0.25 * green, 0.25 * blue


@compiled
def _colour_pass(geometry, labels, materials, noise, light, primitive, kind, depth, image):
    """Colour every covered or outline pixel of `image`, which holds the background.

    What lies just beside and behind a nearer surface is darkened: limbs cast a soft shadow on the body.
    """
    height, width = primitive.shape
    # As scalars, like the rows of the tables: a view of an array would cost the counting of references at every pixel.
    light = (light[0], light[1], light[2], light[3], light[4], light[5], light[6])
    for i in range(height):
        for j in range(width):
            p = primitive[i, j]
            above, below = max(i - 1, 0), min(i + 1, height - 1)
            before, after = max(j - 1, 0), min(j + 1, width - 1)
            outline = (
                primitive[above, j] != p or primitive[below, j] != p or primitive[i, before] != p
                or primitive[i, after] != p
            )  # fmt: skip
            if p < 0 and not outline:
                continue
            if outline:
                red, green, blue = _edge(i, j, primitive, geometry, labels, materials, noise, light, image)
            else:
                x, y = j + 0.5, i + 0.5
                red, green, blue = _shade(p, geometry, labels, materials, noise, light, x, y, depth[i, j], kind[i, j])
            gain = 1.0
            if p >= 0:
                near = max(depth[max(i - 2, 0), j], max(depth[i, max(j - 2, 0)], depth[i, min(j + 2, width - 1)]))
                gain -= 0.30 * min(1.0, max(0.0, (near - depth[i, j] - 2.0) / 6.0))
            image[i, j, 0], image[i, j, 1], image[i, j, 2] = red * gain, green * gain, blue * gain


def render(
    drawing: Drawing,
    background: Float32[np.ndarray, "H W 3"],
    noise: Float32[np.ndarray, "N N"],
    light: Float64[np.ndarray, "7"],
) -> Rendering:
    """Draw over a background.

    Args:
        background: colours, 0 to 1.
        noise: tileable texture in [-1, 1]; N is a power of two.
        light: direction to the light (x, y, z), share of ambient light, its red, green and blue.
    """
    height, width = background.shape[:2]
    image = background.copy()
    primitive, kind = np.full((height, width), -1, np.int32), np.zeros((height, width), np.int32)
    depth = np.full((height, width), FAR, np.float32)
    order = np.argsort(-drawing.geometry[:, 2], kind="stable")  # the nearest first spares writes
    _depth_pass(drawing.geometry, order, primitive, kind, depth)
    _colour_pass(*drawing, noise, light, primitive, kind, depth, image)
    return Rendering(image, primitive, depth)
