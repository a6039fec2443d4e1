"""What a row speaks of, whatever a table calls it: the same method at the same backbone is one subject everywhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from poseur_lib.errors import UserError

# Names that stand for the same thing in different tables.
METHODS = {"SimBa.": "SimpleBaseline", "SimBa": "SimpleBaseline", "Ours": "Poseur"}
BACKBONES = {"MobileNet-v2": "MobileNet-V2", "HRNet-w32": "HRNet-W32", "R-50": "ResNet-50"}
COMMON = {"method", "backbone", "input", "layers"}
DECODERS = re.compile(r"\((\d+) Dec\.\)")
REFERENCE = re.compile(r"\[\d+\]")


class MethodKind(StrEnum):
    """How a method says where a keypoint is."""

    HEATMAP = "heatmap"
    REGRESSION = "regression"


# As Tables 3 to 6 sort them; whatever else they hold is heatmap-based.
REGRESSION = {"PRTR", "RLE", "Integral", "PointSet Anchor", "Mask R-CNN + RLE", "Poseur", "Mask R-CNN + Poseur"}


@dataclass(frozen=True)
class Subject:
    """A method under the conditions that a table names.

    Attributes:
        input: size of the crop as height × width; None: not stated, or no crops.
        layers: Poseur's decoder layers; None: not stated, or another method.
        marks: the dagger of Tables 3 (flip and multi-scale testing) and 6 (not explained).
        on: the set that is evaluated.
        setting: cropped people, or end to end.
    """

    method: str
    backbone: str
    input: str | None
    layers: int | None
    marks: str
    on: str
    setting: str

    @property
    def kind(self) -> MethodKind:
        """How the method says where a keypoint is."""
        return MethodKind.REGRESSION if self.method in REGRESSION else MethodKind.HEATMAP

    @property
    def is_poseur(self) -> bool:
        """True for Poseur, alone or in Mask R-CNN."""
        return self.method.endswith("Poseur")

    def __str__(self) -> str:
        parts = [f"{self.method}{self.marks}", self.backbone, self.input, f"{self.layers} layers" * bool(self.layers)]
        return ", ".join(part for part in parts if part)


def subject_of(words: Mapping[str, str], common: Mapping[str, str | int], on: str, setting: str) -> Subject:
    """A row's subject, from its word cells and from what holds for the whole table.

    Raises:
        UserError: `common` has an unknown entry, or neither of them names a method and a backbone.
    """
    if set(common) - COMMON:
        raise UserError(f"unknown entry {sorted(set(common) - COMMON)[0]!r} of `common`; known: {sorted(COMMON)}")
    method, backbone = words.get("Method", common.get("method")), words.get("Backbone", common.get("backbone"))
    if method is None or backbone is None:
        raise UserError(f"no method or no backbone in {dict(words)} and {dict(common)}")
    decoders = DECODERS.search(str(method))
    layers = decoders[1] if decoders else words.get("N_d", common.get("layers"))
    plain = REFERENCE.sub("", DECODERS.sub("", str(method))).strip()
    name = METHODS.get(plain.rstrip("†"), plain.rstrip("†"))
    return Subject(
        method=name,
        backbone=BACKBONES.get(str(backbone), str(backbone)),
        input=words.get("Input size", common.get("input")),
        layers=int(layers) if layers is not None and name == "Poseur" else None,
        marks="†" if plain.endswith("†") else "",
        on=on,
        setting=setting,
    )
