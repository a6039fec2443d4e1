"""A finished run's page, from its record: the same wherever the record is, with or without the executed notebook."""

from poseur_study.display.learning import curve_figure
from poseur_study.display.run_tables import settings_table
from poseur_study.display.tables import metrics_table, provenance_table, strata_table
from poseur_study.report.pages.page import Page, make_page
from poseur_study.report.view import run_page
from poseur_study.runs.record import Record


def record_page(record: Record) -> Page:
    """Settings, learning curve, metrics, strata and provenance."""
    where, run_id = record.provenance, record.run_id
    return make_page(
        run_page(run_id), run_id, run_id, template="run.html",
        settings=settings_table(run_id, record.config, where.data_name, where.data_fingerprint),
        curve=curve_figure(record.curve, record.config.name) if record.curve else None,
        metrics=metrics_table(record.metrics) if record.metrics else None,
        strata=strata_table(record.strata), provenance=provenance_table({run_id: where}),
    )  # fmt: skip
