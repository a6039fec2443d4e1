"""What was computed: every run with its time, device and energy, and the environments that runs were made in."""

import html
from collections import defaultdict
from collections.abc import Sequence

from markupsafe import Markup

from poseur_study.display.tables import show_table
from poseur_study.report.blocks import Block, Cell, stacked_table
from poseur_study.report.evidence import Origin
from poseur_study.report.view import StudyView
from poseur_study.runs.provenance import Provenance

COMPUTE_TITLE, COMPUTE_PAGE = "Compute used, run by run", "compute.html"
ENVIRONMENT_TITLE, ENVIRONMENT_PAGE = "Environment", "environment.html"
UNREADABLE = "not readable"
_COLUMNS = ("run", "state", "AP", "wall time", "training", "energy", "device", "finished", "for")
_NUMBERS = ("wall time", "training", "energy")
_ENERGY = (
    "Energy is what was read while a run lasted: that of the whole machine's processor packages (RAPL) and GPUs "
    "(nvidia-smi), other work and other runs included. It is not added up, as runs that shared a machine read the same "
    "energy; where neither can be read, as in most containers, or a run is older than this reading, it says so. Wall "
    "time includes evaluation and start-up; on a machine with other work it says little about the work itself, "
    "multiply-adds say more (<code>poseur study plan</code>)."
)


def compute_blocks(view: StudyView) -> tuple[Block, ...]:
    """Totals by device, the runs behind the tables, and what else lies in the folder."""
    blocks = [Block("prose", f'<h1>{COMPUTE_TITLE}</h1><p class="lead">{html.escape(_lead(view))}</p><p>{_ENERGY}</p>')]
    if view.behind:
        blocks += [Block("prose", "<h2>By device</h2>"), Block("output", _by_device(view, list(view.behind)))]
        blocks += [Block("prose", "<h2>Runs behind the tables</h2>"), _runs(view, list(view.behind))]
    if view.others:
        about = "<p>In the same folder, but behind no table that is shown here.</p>"
        blocks += [Block("prose", f"<h2>Other runs</h2>{about}"), _runs(view, view.others)]
    return tuple(blocks)


def environment_blocks(view: StudyView) -> tuple[Block, ...]:
    """By what the runs were made, and by what these pages were."""
    groups: dict[tuple, list[str]] = defaultdict(list)
    for run_id in view.behind:
        if run_id in view.records:
            groups[_environment(view.records[run_id].provenance)].append(run_id)
    names = ("commit", "Python", "packages", "device", "processors", "threads")
    rows = [[f"{len(runs)} runs", *key] for key, runs in groups.items()]
    exact = (
        "<p>Exact versions and hashes of all packages: <code>requirements.lock</code>, from which <code>make "
        "study</code> installs; <code>environment.yml</code> holds the system's part.</p>"
    )
    blocks = [Block("prose", f"<h1>{ENVIRONMENT_TITLE}</h1>{exact}<h2>Of the runs</h2>")]
    none = Block("prose", "<p>No run is shown.</p>")
    blocks.append(Block("output", stacked_table(("runs", *names), rows)) if rows else none)
    origin = Origin.now()
    here = [{"package": name, "version": version} for name, version in origin.versions.items()]
    blocks.append(Block("prose", f"<h2>Of these pages</h2><p>{html.escape(origin.text())}</p>"))
    return (*blocks, Block("output", show_table(here).data))


def _environment(one: Provenance) -> tuple[str, ...]:
    commit = (one.commit[:10] or "none") + " with changes" * one.dirty
    packages = ", ".join(f"{name} {version}" for name, version in one.versions.items())
    return (commit, one.python, packages, one.device, str(one.cpu_count), str(one.threads))


def _lead(view: StudyView) -> str:
    run_ids = [run_id for run_id in view.behind if run_id in view.records]
    if not run_ids:
        return "Nothing was run yet."
    done = [view.records[run_id].provenance for run_id in run_ids]
    read = sum(one.joules is not None for one in done)
    wall, train = (sum(getattr(one, name) for one in done) for name in ("wall_seconds", "train_seconds"))
    return (
        f"{len(done)} runs, {wall / 3600:.2f} hours of runs, {train / 3600:.2f} of them training. Energy could be read "
        f"in {read} of them."
    )


def _by_device(view: StudyView, run_ids: Sequence[str]) -> str:
    groups: dict[str, list[str]] = defaultdict(list)
    for run_id in run_ids:
        if run_id in view.records:
            groups[view.records[run_id].provenance.device].append(run_id)
    rows = []
    for device, of in groups.items():
        wall, train = (
            sum(getattr(view.records[run_id].provenance, name) for run_id in of) / 3600
            for name in ("wall_seconds", "train_seconds")
        )
        rows.append([device, str(len(of)), f"{wall:.2f}", f"{train:.2f}"])
    return stacked_table(("device", "runs", "hours of runs", "of them training"), rows)


def _runs(view: StudyView, run_ids: Sequence[str]) -> Block:
    return Block("output", stacked_table(_COLUMNS, [_run(view, run_id) for run_id in run_ids], _NUMBERS))


def _run(view: StudyView, run_id: str) -> list[Cell]:
    link = Markup('<a href="runs/{0}.html">{1}</a>') if _has_page(view, run_id) else Markup("{1}")
    name = link.format(run_id, Markup("_<wbr>").join(run_id.split("_")))
    rows = "; ".join(view.behind.get(run_id, ()))
    record = view.records.get(run_id)
    if record is None:
        why = Markup('{}: <span class="wrap">{}</span>')
        return [name, why.format(view.store.state(run_id).value, view.store.error(run_id)), *[""] * 6, rows]
    one = record.provenance
    known = [found for found in record.metrics if found.AP is not None]
    ap = ", ".join(f"{found.AP:.1f} ({found.boxes.value.replace('_', ' ')})" for found in known)
    return [
        name, view.store.state(run_id).value, ap, f"{one.wall_seconds:.0f} s", f"{one.train_seconds:.0f} s",
        _energy(one.joules), one.device, one.finished_at[:16].replace("T", " "), rows,
    ]  # fmt: skip


def _has_page(view: StudyView, run_id: str) -> bool:
    path = view.store.path(run_id)
    return any((path / name).exists() for name in ("notebook.ipynb", "failed.ipynb", "error.txt"))


def _energy(joules: float | None) -> str:
    """`7.3 Wh`, `1.52 kWh`."""
    if joules is None:
        return UNREADABLE
    return f"{joules / 3600:.1f} Wh" if joules < 3.6e6 else f"{joules / 3.6e6:.2f} kWh"
