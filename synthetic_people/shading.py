"""Colour of a surface point: cloth patterns, faces, shirt fronts. Compiled; scalars in, (red, green, blue) out.

Arguments named alike everywhere: `m` is a row of the material table (see `appearance.MATERIAL_COLUMNS`), `skin` the
skin's row, `x, y, z` the point in the primitive's own frame (left, down, forward) as a fraction of its local radius
(y: of its length, or of the radius where it has no length), `u, v` the cloth coordinates in metres.
"""

import math

from synthetic_people.compiled import compiled


@compiled
def material_row(t, k):
    """Row `k` of the material table as scalars."""
    return (
        t[k, 0], t[k, 1], t[k, 2], t[k, 3], t[k, 4], t[k, 5], t[k, 6], t[k, 7], t[k, 8], t[k, 9], t[k, 10],
    )  # fmt: skip


@compiled
def cloth(m, u, v, noise):
    """The patterned cloth; `noise` is the texture value in [-1, 1]."""
    pattern = int(m[6])
    a, b = math.floor(u * m[7] * 2.0) % 2 == 0, math.floor(v * m[7] * 2.0) % 2 == 0
    second = (
        (pattern == 1 and b) or (pattern == 2 and a) or (pattern == 3 and (a != b)) or (pattern == 4 and noise > 0.25)
    )
    gain = 1.0 + m[8] * noise
    if pattern == 3 and a and b:
        return 0.75 * m[0] * gain, 0.75 * m[1] * gain, 0.75 * m[2] * gain
    if second:
        return m[3] * gain, m[4] * gain, m[5] * gain
    return m[0] * gain, m[1] * gain, m[2] * gain


@compiled
def face(m, x, y, z, noise):
    """Skin with eyes, brows, lips and, where the second colour says so, the shadow of a beard."""
    red, green, blue = m[0], m[1], m[2]
    if z > 0.0:
        side = abs(x) - 0.36
        eye = (side / 0.17) ** 2 + ((y + 0.06) / 0.10) ** 2
        if eye < 1.0:
            if side * side + (y + 0.06) ** 2 < 0.0075:
                return 0.06, 0.05, 0.06
            return 0.95, 0.95, 0.93
        if eye < 2.0:
            return 0.72 * red, 0.68 * green, 0.66 * blue
        if abs(side) < 0.20 and -0.36 < y < -0.25:
            return m[3], m[4], m[5]
        if (x / 0.30) ** 2 + ((y - 0.60) / 0.075) ** 2 < 1.0:
            return 0.72 * red, 0.42 * green, 0.42 * blue
        cheek = (side / 0.22) ** 2 + ((y - 0.28) / 0.18) ** 2
        if cheek < 1.0:
            return min(1.0, 1.05 * red), 0.95 * green, 0.94 * blue
    gain = 1.0 + m[8] * noise
    return red * gain, green * gain, blue * gain


@compiled
def chest(m, inner, base, x, y, z):
    """The front of the chest: shirt, open jacket, emblem, neckline; `base` is the cloth there."""
    detail = int(m[10])
    if z <= 0.0:
        if 0.16 < y < 0.19:
            return 0.72 * base[0], 0.72 * base[1], 0.72 * base[2]
        return base
    if detail == 1:
        if y < 0.06 - 0.25 * abs(x) + 0.02 and abs(x) < 0.34:
            return inner[3], inner[4], inner[5]
        if abs(x) < 0.075:
            if abs(x) < 0.035 and (y * 5.0) % 1.0 < 0.3:
                return inner[0], inner[1], inner[2]
            return 0.62 * base[0], 0.62 * base[1], 0.62 * base[2]
        if 0.26 < x < 0.68 and 0.22 < y < 0.62:
            if x < 0.30 or x > 0.64 or y > 0.58 or y < 0.30:
                return 0.6 * base[0], 0.6 * base[1], 0.6 * base[2]
            return 0.85 * base[0], 0.85 * base[1], 0.85 * base[2]
    elif detail == 2 and abs(x) < 0.27:
        if y < 0.05 - 0.3 * abs(x):
            return inner[3], inner[4], inner[5]
        return inner[0], inner[1], inner[2]
    elif detail == 3 and (x / 0.42) ** 2 + ((y - 0.42) / 0.34) ** 2 < 1.0:
        if (x / 0.24) ** 2 + ((y - 0.42) / 0.17) ** 2 < 1.0:
            return base
        return inner[0], inner[1], inner[2]
    elif detail == 4 and y < 0.16 - 0.55 * abs(x):
        return inner[3], inner[4], inner[5]
    return base


@compiled
def belly(m, inner, base, x, z):
    """What goes on below the chest: the placket and the open jacket."""
    if z > 0.0:
        if int(m[10]) == 1 and abs(x) < 0.07:
            return 0.62 * base[0], 0.62 * base[1], 0.62 * base[2]
        if int(m[10]) == 2 and abs(x) < 0.25:
            return inner[0], inner[1], inner[2]
    return base


@compiled
def hips(base, x, y, z):
    """Belt with a buckle, fly in front, pockets at the back."""
    if y < -0.55:
        if z > 0.0 and abs(x) < 0.10:
            return 0.85, 0.78, 0.45
        return 0.16, 0.12, 0.10
    if z > 0.0 and abs(x) < 0.03:
        return 0.6 * base[0], 0.6 * base[1], 0.6 * base[2]
    if z < 0.0 and 0.18 < abs(x) < 0.62 and y < 0.3:
        return 0.78 * base[0], 0.78 * base[1], 0.78 * base[2]
    return base


@compiled
def surface(decal, m, inner, x, y, z, u, v, noise):
    """The unlit colour of a point; `inner` is the material row seen through openings."""
    if decal == 1:
        return face(m, x, y, z, noise)
    base = cloth(m, u, v, noise)
    if decal == 2:
        return chest(m, inner, base, x, y, z)
    if decal == 3:
        return belly(m, inner, base, x, z)
    if decal == 4:
        return hips(base, x, y, z)
    if decal == 5 and z < -0.55:
        return m[3], m[4], m[5]
    return base
