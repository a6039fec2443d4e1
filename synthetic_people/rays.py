"""Where a viewing ray hits a stretched tapered capsule. Compiled scalars.

The ray through image point (x, y) runs along z (towards the viewer); `g` is a geometry row (see `raster.Drawing`). In
the primitive's local frame, where it is the round hull of two spheres on the axis y = 0 and y = length, the ray is
o + z m. The hit with the largest z is seen.
"""

import math

from synthetic_people.compiled import compiled

FAR = -1e9
"""Depth of a ray that hits nothing."""

FIRST, SECOND, CONE, PANEL = 0, 1, 2, 3
"""What was hit: a sphere, the cone between the spheres, a flat panel that faces the viewer."""


@compiled
def geometry_row(t, p):
    """Row `p` of the table as scalars, which a loop over pixels keeps in registers."""
    return (
        t[p, 0], t[p, 1], t[p, 2], t[p, 3], t[p, 4], t[p, 5], t[p, 6], t[p, 7], t[p, 8], t[p, 9],
        t[p, 10], t[p, 11], t[p, 12], t[p, 13], t[p, 14], t[p, 15], t[p, 16], t[p, 17], t[p, 18], t[p, 19],
    )  # fmt: skip


@compiled
def _largest_root(a, b, c):
    """Larger z with a z^2 + 2 b z + c = 0 and a > 0; FAR if there is none."""
    discriminant = b * b - a * c
    if discriminant < 0.0:
        return FAR
    return (math.sqrt(discriminant) - b) / a


@compiled
def _hit_cone(ox, oy, oz, mx, my, mz, length, r0, r1):
    """Largest z at which o + z m lies on the cone between the spheres; FAR if there is none.

    The cone touches both spheres: with sin = (r0 - r1) / length, a surface point has
    rho cos + y sin = r0 for y in [r0 sin, length + r1 sin], rho its distance from the axis.
    """
    sine = (r0 - r1) / length
    cosine = math.sqrt(1.0 - sine * sine)
    slope = sine / cosine
    radius = r0 / cosine - slope * oy
    a = mx * mx + mz * mz - slope * slope * my * my
    b = ox * mx + oz * mz + slope * my * radius
    discriminant = b * b - a * (ox * ox + oz * oz - radius * radius)
    if discriminant < 0.0 or abs(a) < 1e-12:
        return FAR
    root = math.sqrt(discriminant)
    low, high = r0 * sine, length + r1 * sine
    first, second = (root - b) / a, (-root - b) / a
    best = FAR
    if low <= oy + first * my <= high:
        best = first
    if second > best and low <= oy + second * my <= high:
        best = second
    return best


@compiled
def hit(g, x, y):
    """(z, what was hit) of the ray through image point (x, y), pixels; z = FAR if missed."""
    dx, dy, length, r0, r1 = x - g[0], y - g[1], g[12], g[13], g[14]
    mx, my, mz = g[5], g[8], g[11]
    ox = g[3] * dx + g[4] * dy - mx * g[2]
    oy = g[6] * dx + g[7] * dy - my * g[2]
    oz = g[9] * dx + g[10] * dy - mz * g[2]
    if g[19] > 0.0:
        return (g[2], PANEL) if abs(ox) <= r0 and abs(oy) <= r1 else (FAR, PANEL)
    a = mx * mx + my * my + mz * mz
    dot, square = ox * mx + oy * my + oz * mz, ox * ox + oy * oy + oz * oz
    z, what = _largest_root(a, dot, square - r0 * r0), FIRST
    if length > 0.0:
        end = _largest_root(a, dot - length * my, square - 2.0 * length * oy + length * length - r1 * r1)
        if end > z:
            z, what = end, SECOND
        if abs(r0 - r1) < length:
            side = _hit_cone(ox, oy, oz, mx, my, mz, length, r0, r1)
            if side >= z:
                z, what = side, CONE
    return z, what


@compiled
def local_point(g, x, y, z):
    """The hit in the primitive's local frame."""
    dx, dy, dz = x - g[0], y - g[1], z - g[2]
    return (
        g[3] * dx + g[4] * dy + g[5] * dz,
        g[6] * dx + g[7] * dy + g[8] * dz,
        g[9] * dx + g[10] * dy + g[11] * dz,
    )


@compiled
def normal(g, px, py, pz, what):
    """Outward normal in the image frame at a local point; its length is not 1."""
    length, r0, r1 = g[12], g[13], g[14]
    if what == PANEL:
        nx, ny, nz = 0.25 * px / r0, 0.2 * py / r1, 1.0
    elif what == CONE:
        tilt = (r0 - r1) / length
        factor = math.sqrt((1.0 - tilt * tilt) / (px * px + pz * pz + 1e-12))
        nx, ny, nz = px * factor, tilt, pz * factor
    elif what == SECOND:
        nx, ny, nz = px / r1, (py - length) / r1, pz / r1
    else:
        nx, ny, nz = px / r0, py / r0, pz / r0
    return (
        g[3] * nx + g[6] * ny + g[9] * nz,
        g[4] * nx + g[7] * ny + g[10] * nz,
        g[5] * nx + g[8] * ny + g[11] * nz,
    )


@compiled
def bounds(g, height, width):
    """Rows and columns whose pixel centres the primitive can reach: (y0, y1, x0, x1)."""
    axis = g[12] / (g[6] * g[6] + g[7] * g[7] + g[8] * g[8])
    ex, ey = g[0] + g[6] * axis, g[1] + g[7] * axis
    x0 = max(0, math.floor(min(g[0] - g[13] * g[16], ex - g[14] * g[16]) - 0.5))
    x1 = min(width, math.ceil(max(g[0] + g[13] * g[16], ex + g[14] * g[16]) + 0.5))
    y0 = max(0, math.floor(min(g[1] - g[13] * g[17], ey - g[14] * g[17]) - 0.5))
    y1 = min(height, math.ceil(max(g[1] + g[13] * g[17], ey + g[14] * g[17]) + 0.5))
    return y0, y1, x0, x1


@compiled
def nearest(g):
    """A depth that no hit exceeds."""
    end = g[2] + g[8] * g[12] / (g[6] * g[6] + g[7] * g[7] + g[8] * g[8])
    return max(g[2] + g[13] * g[18], end + g[14] * g[18]) + 1e-3


@compiled
def strip(g, dy, x0, x1):
    """The columns of one row (dy px below the start) that lie near enough to the primitive's axis."""
    size = math.sqrt(g[6] * g[6] + g[7] * g[7])
    if g[19] > 0.0 or abs(g[7]) < 0.05 * size or size < 1e-9:
        return x0, x1
    reach = max(g[13], g[14]) * max(g[16], g[17]) * size / abs(g[7])
    middle = g[0] + dy * g[6] / g[7]
    return max(x0, math.floor(middle - reach - 0.5)), min(x1, math.ceil(middle + reach + 0.5))
