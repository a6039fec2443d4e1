"""What `poseur study run --source released` prints."""

from collections.abc import Iterable, Sequence

from poseur_study.analysis.released_results import UNKNOWN_SIZE
from poseur_study.released_checkpoints.evaluate import Outcome
from poseur_study.released_checkpoints.inventory import Refused
from poseur_study.released_checkpoints.row_match import described
from poseur_study.runs.record import BoxMetrics


def outcome_lines(outcome: Outcome) -> list[str]:
    """A checkpoint: what it is, its AP by box source, and the rows that it is of."""
    match = outcome.match
    done = "recorded before" if outcome.there else f"evaluated in {outcome.record.provenance.wall_seconds:.0f} s"
    lines = [f"{match.file.name}: {described([match.config])}, {done}"]
    lines += [f"   {_metrics(metrics)}" for metrics in outcome.record.metrics]
    lines += [f"   for {'; '.join(match.rows)}", f"   record {outcome.record.run_id}"]
    return lines if match.size_known else [*lines, f"   {UNKNOWN_SIZE} (--input-size {match.file.name}=HxW)"]


def refused_lines(refused: Sequence[Refused]) -> Iterable[str]:
    """A line for each file that is not used."""
    for one in refused:
        yield f"{one.name}: {'unreadable' if one.unreadable else 'not used'}: {one.why}"


def _metrics(metrics: BoxMetrics) -> str:
    numbers = [f"{name} {_points(getattr(metrics, name))}" for name in ("AP", "AP50", "AP75", "AP_M", "AP_L", "AR")]
    return f"{metrics.boxes.value.replace('_', '-')} boxes ({metrics.n_people:,}): {'  '.join(numbers)}"


def _points(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f}"
