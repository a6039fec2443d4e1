"""One's own keypoints, described by name: what a file of keypoints holds, and what a checkpoint keeps of it."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from poseur_lib.config.base import Frozen

DEFAULT_SIGMA = 0.05
MOST_KEYPOINTS = 1000
SIDES = {"l": "left", "r": "right"}

Name = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$", max_length=100)]
Sigma = Annotated[float, Field(gt=0, le=1)]


class OwnKeypoints(Frozen):
    """A keypoint set that is none of the built-in ones. Keypoints are told by their names throughout.

    Attributes:
        name: what the set is called.
        names: of the K keypoints, in the order of the annotation files and of the results.
        flip_pairs: (left, right) keypoints that change places when an image is mirrored.
        skeleton: pairs to connect when a pose is drawn.
        sigmas: OKS constants, K fractions of the square root of a person's area: how far annotators disagree (COCO's
            lie between 0.025 for an eye and 0.107 for a hip). Without them it is 0.05 for every keypoint.
        upper_body, lower_body: the halves that half-body augmentation chooses from; without them it does nothing.

    Raises:
        pydantic.ValidationError: the parts contradict each other; the message names field and value.
    """

    name: Name = "own"
    names: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MOST_KEYPOINTS)]
    flip_pairs: tuple[tuple[str, str], ...] = ()
    skeleton: tuple[tuple[str, str], ...] = ()
    sigmas: tuple[Sigma, ...] = ()
    upper_body: tuple[str, ...] = ()
    lower_body: tuple[str, ...] = ()

    @property
    def oks_sigmas(self) -> tuple[float, ...]:
        """The OKS constant of each keypoint."""
        return self.sigmas or (DEFAULT_SIGMA,) * len(self.names)

    def indices(self, names: Iterable[str]) -> tuple[int, ...]:
        """The places of keypoints, from 0."""
        return tuple(self.names.index(name) for name in names)

    @property
    def text(self) -> str:
        """What is known of it and what is assumed, one line."""
        constants = f"from {min(self.oks_sigmas):g} to {max(self.oks_sigmas):g}"
        if not self.sigmas:
            constants = f"{DEFAULT_SIGMA:g} for every keypoint, as no sigmas are given"
        return f"keypoint set {self.name!r} of {len(self.names)} keypoints, OKS constants {constants}"

    @model_validator(mode="after")
    def _consistent(self) -> "OwnKeypoints":
        _require_distinct("names", self.names)
        mirrored, halves = sum(self.flip_pairs, ()), self.upper_body + self.lower_body
        named = {"flip_pairs": mirrored, "skeleton": sum(self.skeleton, ()), "upper_body and lower_body": halves}
        for field, values in named.items():
            for name in values:
                if name not in self.names:
                    raise ValueError(f"{field}: {name!r} is none of the names {list(self.names)}")
        for field, pairs in (("flip_pairs", self.flip_pairs), ("skeleton", self.skeleton)):
            for a, b in pairs:
                if a == b:
                    raise ValueError(f"{field}: {a!r} is paired with itself")
        _require_distinct("flip_pairs", mirrored)
        _require_distinct("upper_body and lower_body", halves)
        if self.sigmas and len(self.sigmas) != len(self.names):
            raise ValueError(f"sigmas: {len(self.sigmas)} values for {len(self.names)} names")
        if "flip_pairs" not in self.model_fields_set and (meant := mirror_images(self.names)):
            raise ValueError(
                f"flip_pairs: missing, and {' and '.join(meant[0])} look like mirror images of each other: give"
                f" flip_pairs = {[list(pair) for pair in meant]}, or [] if nothing changes places"
            )
        return self


KeypointChoice = str | OwnKeypoints
"""A built-in set by its name, or one's own."""


def _require_distinct(field: str, values: tuple[str, ...]) -> None:
    for name in values:
        if values.count(name) > 1:
            raise ValueError(f"{field}: {name!r} comes {values.count(name)} times")


def words_of(name: str) -> tuple[str, ...]:
    """The words of a keypoint's name, sorted: of "LeftEye", "left-eye", "lefteye" and "eye_l" alike."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).lower()
    apart = re.sub(r"left|right", r" \g<0> ", apart)
    return tuple(sorted(SIDES.get(word, word) for word in re.findall(r"[^\W\d_]+|\d+", apart)))


def mirror_images(names: Sequence[str]) -> list[tuple[str, str]]:
    """Names that differ in their side alone, left first: "left_hand" and "right_hand", "LHand" and "RHand".

    So do "lsho" and "rsho", where there are both.
    """
    by_words, by_lower = {words_of(name): name for name in names}, {name.lower(): name for name in names}
    pairs = []
    for name in names:
        other = tuple(sorted("right" if word == "left" else word for word in words_of(name)))
        found = by_words.get(other) if "left" in words_of(name) else by_lower.get("r" + name[1:].lower())
        if found is not None and ("left" in words_of(name) or name[0] in "lL"):
            pairs.append((name, found))
    return pairs
