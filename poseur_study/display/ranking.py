"""Which score ranks keypoints best, side by side."""

from collections.abc import Sequence

from IPython.display import HTML

from poseur_study.display.html_table import show_table
from poseur_study.display.words import with_interval
from poseur_study.measurements.score_ranking import ERROR, RANK_RESAMPLES, Ranking

UNDEFINED = "not defined"


def ranking_table(of: Sequence[Ranking]) -> HTML:
    """A line a score of a method, a column for each thing that it is held against."""
    lines = dict.fromkeys((one.label, one.score) for one in of)
    values = {(one.label, one.score, one.against): one.value for one in of}
    heads = {one.against: f"AUROC, {one.against}" for one in of} | {ERROR: "Spearman with the error"}
    rows = []
    for label, score in lines:
        row = {"method": label, "score": score}
        for against in dict.fromkeys(one.against for one in of):
            shown = with_interval(values.get((label, score, against)), missing=UNDEFINED)
            row[heads[against]] = shown.replace("-", "−")
        rows.append(row)
    caption = (
        "Labelled keypoints inside their crops, at ground-truth boxes. AUROC × 100: how often a keypoint that meets "
        "the condition is scored above one that does not; 50 by chance, 100 at best. Spearman × 100 of score and "
        f"error: −100 at best. 95 % intervals over {RANK_RESAMPLES} resamples of the images; with several seeds, "
        f"Student's t over the seeds is added in quadrature. {best_words(of)}"
    )
    return show_table(rows, caption)


def best_words(of: Sequence[Ranking]) -> str:
    """Who ranks best by error, and whether the intervals of the next one lie apart; they are not paired."""
    known = [one for one in of if one.against == ERROR and one.value is not None]
    if len(known) < 2:
        return ""
    first, second = sorted(known, key=lambda one: one.value.value)[:2]
    apart = "the intervals lie apart" if first.value.high < second.value.low else "the intervals overlap"
    return (
        f"By Spearman's correlation {first.label} with {first.score} ranks best, then {second.label} with "
        f"{second.score}; {apart}, each taken for itself. A score is held against its own method's errors."
    )
