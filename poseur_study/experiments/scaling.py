"""What the profiles have in common that scale a table's rows: rules in words, and how sizes and epochs are scaled.

Rows are declared with the paper's settings; a profile that scales puts stand-ins in their place (`stand_ins`: small
models; `half_size`: profile `real`).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

Changes = dict[str, Any]

BACKBONE, HEAD, SIZE = "model.backbone", "model.head", "data.input_size"
EPOCHS_PER_UNIT = 25
"""Supp. Table 1 goes from 150 to 325 epochs in steps of 25: a small run counts in these steps."""


@dataclass(frozen=True)
class Rule:
    """A stand-in, in words.

    Attributes:
        path: the setting that it replaces.
        kinds: of that setting; none: all.
    """

    text: str
    path: str
    kinds: tuple[str, ...] = ()

    def touches(self, changes: Mapping[str, Any]) -> bool:
        """True if a row that changes this is not as declared."""
        return self.path in changes and (not self.kinds or changes[self.path]["kind"] in self.kinds)


EPOCHS_RULE = Rule(
    "Epochs (supp. Table 1): one for 25 of the paper's, each of so many people that the longest run sees as many as "
    "the profile's other runs do, or three quarters of them; a cosine schedule scales by itself and has no steps.",
    "train.epochs",
)
BATCH_RULE = Rule("Batch of the profile for HRFormer-B too (paper: 128).", "train.global_batch")


@dataclass(frozen=True)
class Scaling(ABC):
    """The rules of a profile that scales.

    Attributes:
        people_per_unit: people of one of supp. Table 1's steps of 25 epochs.
        divisor, multiple: sides of the paper's input are divided by one and rounded up to multiples of the other.
        dropped: settings of rows that the profile's own replace.
    """

    people_per_unit: int
    divisor: int
    multiple: int

    dropped: ClassVar[tuple[str, ...]]

    @property
    @abstractmethod
    def all_rules(self) -> tuple[Rule, ...]:
        """Its stand-ins, in words."""

    @abstractmethod
    def scaled_model(self, scaled: Changes) -> Changes:
        """A row's changes, whose input is scaled already, with the stand-ins for backbone and head.

        Raises:
            UserError: a setting has no stand-in.
        """

    def __call__(self, changes: Mapping[str, Any]) -> Changes:
        """A row's changes with the stand-ins in the place of the paper's settings.

        Raises:
            UserError: a setting has no stand-in.
        """
        scaled = {path: value for path, value in changes.items() if path not in self.dropped}
        if SIZE in scaled:
            scaled[SIZE] = self.scaled_size(tuple(scaled[SIZE]))
        scaled = self.scaled_model(scaled)
        if "train.epochs" in scaled:
            scaled["train.epochs"] = max(1, round(scaled["train.epochs"] / EPOCHS_PER_UNIT))
            scaled["train.people_per_epoch"] = self.people_per_unit
        return scaled

    def scaled_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width), scaled."""
        height, width = (self.multiple * math.ceil(side / self.divisor / self.multiple) for side in size)
        return height, width

    def rules(self, rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """The stand-ins that touch any of these rows' changes, in words."""
        changes = list(rows)
        return tuple(rule.text for rule in self.all_rules if any(rule.touches(one) for one in changes))
