"""The numbers behind the calibration figures, as CSV files beside the table's other results."""

from collections.abc import Sequence

from poseur_study.analysis.measured_values import write_lines
from poseur_study.execution.table_job import results_folder
from poseur_study.measurements.calibration import Reliability, ScaleCalibration, calibration_lines
from poseur_study.measurements.score_ranking import Ranking, ranking_lines
from poseur_study.table_study import TableStudy


def write_calibration(
    study: TableStudy, scales: Sequence[ScaleCalibration], scores: Sequence[Reliability], ranks: Sequence[Ranking]
) -> None:
    """Every bin as `calibration.csv`, every rank correlation as `ranking.csv`."""
    folder = results_folder(study.store.table_folder(study.table.number))
    write_lines(folder / "calibration.csv", calibration_lines(scales, scores))
    write_lines(folder / "ranking.csv", ranking_lines(ranks))
