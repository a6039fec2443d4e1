"""A printed figure beside ours: what counts, and when nothing can be said."""

import pytest

from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.verdict import Evidence, Verdict, level

RELEASED, RETRAINED = Evidence.RELEASED, Evidence.RETRAINED


def ours(value: float, seeds_half: float | None = None) -> Estimate:
    """AP of three seeds, or of one."""
    n = 1 if seeds_half is None else 3
    low, high = value - 0.8, value + 0.9
    return Estimate(
        value=value, low=low, high=high, images_half=0.8, seeds_half=seeds_half, n_seeds=n, n_images=5000
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "evidence", "seeds_half", "expected"),
    [
        (74.9, RELEASED, None, Verdict.REPRODUCED),
        (74.3, RELEASED, None, Verdict.CONTRADICTED),
        (74.75, RETRAINED, 0.2, Verdict.REPRODUCED),
        (74.75, RETRAINED, 0.4, Verdict.INCONCLUSIVE),
        (76.0, RETRAINED, 0.4, Verdict.CONTRADICTED),
        (74.7, RETRAINED, None, Verdict.ONE_SEED),
    ],
)
def test_the_verdict_is_by_the_seeds_and_the_margin(value, evidence, seeds_half, expected):
    found = level("74.7", ours(value, seeds_half), evidence)
    assert (found.verdict, found.evidence) == (expected, evidence)
    assert found.difference.value == pytest.approx(value - 74.7)
    half = seeds_half or 0.0
    assert found.difference.high - found.difference.low == pytest.approx(2 * half)


def test_figures_of_others_are_held_against_released_checkpoints_alone():
    found = {of: level("74.7", ours(76.0, 0.4), of, unlike_paper=True).verdict for of in (RELEASED, RETRAINED)}
    assert found == {RELEASED: Verdict.CONTRADICTED, RETRAINED: Verdict.UNLIKE_PAPER}


@pytest.mark.parametrize("evidence", [Evidence.GENERATED, Evidence.NONE])
def test_no_figure_on_coco_is_decided_by_other_people(evidence):
    assert level("74.7", ours(74.7, 0.1), evidence) is None


def test_nothing_printed_or_nothing_of_ours():
    assert level(None, ours(74.7), RELEASED) is None and level("74.7", None, RELEASED) is None
