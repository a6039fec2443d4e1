"""What was computed: every run with its time, device and energy, where runs were made, and a page of each."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

from markupsafe import Markup

from poseur_study.display.html_table import Cell
from poseur_study.display.learning import curve_figure
from poseur_study.display.run_tables import settings_table
from poseur_study.display.tables import metrics_table, provenance_table, strata_table
from poseur_study.evidence.evidence import Origin
from poseur_study.report.pages.page import Page, make_page
from poseur_study.report.view import StudyView, run_page
from poseur_study.runs.provenance import Provenance
from poseur_study.runs.record import Record
from poseur_study.runs.store import ERROR_FILE


def compute_page(view: StudyView) -> Page:
    """Totals by device, the runs behind the tables, and what else lies in the folder."""
    done = [run_id for run_id in view.behind if run_id in view.records]
    by_device = _grouped(view, done, lambda one: one.device)
    wall, train = _hours(view, done)
    read = sum(view.records[run_id].provenance.joules is not None for run_id in done)
    lead = f"{len(done)} runs, {wall} hours of runs, {train} of them training. Energy could be read in {read} of them."
    return make_page(
        "compute.html", "Compute", "Compute used, run by run",
        lead=lead if done else "Nothing was run yet.",
        devices=[_device(view, device, run_ids) for device, run_ids in by_device.items()],
        behind=[_run(view, run_id) for run_id in view.behind], others=[_run(view, run_id) for run_id in view.others],
    )  # fmt: skip


def environment_page(view: StudyView) -> Page:
    """By what the runs were made, and by what these pages were."""
    names = ("commit", "Python", "packages", "device", "processors", "threads")
    groups = _grouped(view, (run_id for run_id in view.behind if run_id in view.records), _environment)
    lines = [{"runs": f"{len(runs)} runs"} | dict(zip(names, key, strict=True)) for key, runs in groups.items()]
    origin = Origin.now()
    here = [{"package": name, "version": version} for name, version in origin.versions.items()]
    return make_page("environment.html", "Environment", "Environment", lines=lines, origin=origin.text(), here=here)


def _grouped(
    view: StudyView, run_ids: Iterable[str], by: Callable[[Provenance], Hashable]
) -> dict[Hashable, list[str]]:
    groups = defaultdict(list)
    for run_id in run_ids:
        groups[by(view.records[run_id].provenance)].append(run_id)
    return groups


def _environment(one: Provenance) -> tuple[str, ...]:
    commit = (one.commit[:10] or "none") + " with changes" * one.dirty
    packages = ", ".join(f"{name} {version}" for name, version in one.versions.items())
    return (commit, one.python, packages, one.device, str(one.cpu_count), str(one.threads))


def _hours(view: StudyView, run_ids: Sequence[str]) -> tuple[str, str]:
    """Hours of runs, and of training."""
    of = [view.records[run_id].provenance for run_id in run_ids]
    return tuple(f"{sum(getattr(one, name) for one in of) / 3600:.2f}" for name in ("wall_seconds", "train_seconds"))


def _device(view: StudyView, device: str, run_ids: Sequence[str]) -> dict[str, Cell]:
    wall, train = _hours(view, run_ids)
    return {"device": device, "runs": str(len(run_ids)), "hours of runs": wall, "of them training": train}


def _run(view: StudyView, run_id: str) -> dict[str, Cell]:
    state, record = view.store.state(run_id).value, view.records.get(run_id)
    measured: dict[str, Cell] = dict.fromkeys(("AP", "wall time", "training", "energy", "device", "finished"), "")
    if record is None:
        why = Markup('{}: <span class="wrap">{}</span>')
        state = why.format(state, view.store.error(run_id))
    else:
        one = record.provenance
        known = [found for found in record.metrics if found.AP is not None]
        measured = {
            "AP": ", ".join(f"{found.AP:.1f} ({found.boxes.value.replace('_', ' ')})" for found in known),
            "wall time": f"{one.wall_seconds:.0f} s", "training": f"{one.train_seconds:.0f} s",
            "energy": _energy(one.joules), "device": one.device,
            "finished": one.finished_at[:16].replace("T", " "),
        }  # fmt: skip
    return {"run": _name(view, run_id), "state": state, **measured, "for": "; ".join(view.behind.get(run_id, ()))}


def _name(view: StudyView, run_id: str) -> Markup:
    """A run's id, which may break after each underscore, with a link where it has a page."""
    name = Markup("_<wbr>").join(run_id.split("_"))
    has_page = run_id in view.records or (view.store.path(run_id) / ERROR_FILE).exists()
    return Markup('<a href="{}">{}</a>').format(run_page(run_id), name) if has_page else name


def _energy(joules: float | None) -> str:
    """`7.3 Wh`, `1.52 kWh`."""
    if joules is None:
        return "not readable"
    return f"{joules / 3600:.1f} Wh" if joules < 3.6e6 else f"{joules / 3.6e6:.2f} kWh"


def record_page(record: Record) -> Page:
    """A finished run's page, the same wherever its record is, with or without the executed notebook."""
    where, run_id = record.provenance, record.run_id
    return make_page(
        run_page(run_id), run_id, run_id, template="run.html",
        settings=settings_table(run_id, record.config, where.data_name, where.data_fingerprint),
        curve=curve_figure(record.curve, record.config.name) if record.curve else None,
        metrics=metrics_table(record.metrics) if record.metrics else None,
        strata=strata_table(record.strata), provenance=provenance_table({run_id: where}),
    )  # fmt: skip
