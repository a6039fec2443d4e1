"""What every head's knobs say to the rest of the project."""

from collections.abc import Sequence

from poseur_lib.config.base import Frozen

HEATMAP_STRIDE = 4
"""Every heatmap has a quarter of the input's sides."""


class HeadKnobs(Frozen):
    """The base of every head's knobs; a head overrides what does not hold for it.

    Attributes:
        kind: the head's name, in configurations and run ids.
    """

    kind: str

    @property
    def confined_to_crop(self) -> str:
        """What keeps keypoints within the crop, in words; "" if they may lie anywhere."""
        return ""

    def check_maps(self, backbone: str, strides: Sequence[int], has_finest: bool) -> None:
        """Whether the head can stand on a backbone.

        Args:
            backbone: its name, for the error.
            strides: of its maps, finest first.
            has_finest: it gives its finest map alone where `outputs` is "finest".

        Raises:
            ValueError: it cannot; the error says what to set.
        """


class HeatmapKnobs(HeadKnobs):
    """The base of the knobs of heads that make heatmaps."""

    @property
    def confined_to_crop(self) -> str:
        """Cells are all that there is."""
        return f"head {self.kind!r} places keypoints on the cells of a heatmap"


def require_quarter(deconvolutions: int, backbone: str, strides: Sequence[int], has_finest: bool) -> None:
    """Whether deconvolutions make heatmaps of one of a backbone's maps; arguments as in `HeadKnobs.check_maps`.

    A part of the backbone that only serves other maps would never be trained.

    Raises:
        ValueError: they do not, or there are maps that would not be used.
    """
    if len(strides) > 1 and (deconvolutions == 0 or has_finest):
        remedy = f"head.deconvolutions {_needed(strides)}"
        if has_finest:
            remedy = "outputs 'finest' and head.deconvolutions 0"
        raise ValueError(
            f"backbone {backbone} gives maps of strides {tuple(strides)}, a heatmap is made of one: set {remedy}"
        )
    if strides[-1] != HEATMAP_STRIDE * 2**deconvolutions:
        raise ValueError(
            f"head.deconvolutions {deconvolutions} do not bring the stride {strides[-1]} of backbone {backbone} to"
            f" {HEATMAP_STRIDE}: {_needed(strides)} do"
        )


def require_pyramid(head: str, backbone: str, strides: Sequence[int]) -> None:
    """Whether the maps begin at stride 4 and each next one has twice the stride; arguments as in `check_maps`.

    Raises:
        ValueError: they do not.
    """
    if list(strides) != [HEATMAP_STRIDE * 2**level for level in range(len(strides))]:
        raise ValueError(
            f"head {head!r} takes maps of strides {HEATMAP_STRIDE}, {2 * HEATMAP_STRIDE} and so on, and backbone"
            f" {backbone} gives {tuple(strides)}"
        )


def _needed(strides: Sequence[int]) -> int:
    return (strides[-1] // HEATMAP_STRIDE).bit_length() - 1
