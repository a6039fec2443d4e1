"""Generated people: a deterministic data set of articulated people in COCO's layout.

Read in this order: `settings` (every knob), `skeleton` (pose), `appearance` and `body` (what is drawn), `raster` and
`shading` (how), `background`, `scene` (one image), `annotate` and `detector` (its labels), `generate` (the data set).
"""

from synthetic_people.generate import generate
from synthetic_people.settings import PeopleSettings

__all__ = ["PeopleSettings", "generate"]
