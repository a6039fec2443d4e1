"""What a run is, what a plan holds, and what separates it from the paper."""

from collections.abc import Mapping, Sequence

from IPython.display import HTML
from markupsafe import Markup

from poseur_lib.config import ExperimentConfig, PretextConfig, PretextRunConfig
from poseur_lib.config.evaluation import InstanceRule
from poseur_lib.scoring.instance import Scoring
from poseur_study.analysis.table_data import TableData
from poseur_study.display.html_table import bullets, show_table
from poseur_study.display.variants import flatten
from poseur_study.execution.run_job import RunOptions, missing_runs
from poseur_study.experiments.profiles import Profile, override_lines, still_true
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.run_steps import Run
from poseur_study.runs.store import RunState, RunStore
from poseur_study.table_study import TableStudy


def run_table(run: Run) -> HTML:
    """What a run trains: all that differs from the defaults, which are the paper's configuration."""
    return settings_table(run.planned.run_id, run.planned.config, run.data.root.name, run.data.fingerprint)


def settings_table(
    run_id: str, config: ExperimentConfig | PretextRunConfig, data_name: str, data_fingerprint: str
) -> HTML:
    """The settings of a run that differ from the defaults."""
    paper = flatten((PretextRunConfig() if isinstance(config, PretextRunConfig) else ExperimentConfig()).model_dump())
    paper = flatten({"pretext": PretextConfig().model_dump()}) | paper
    moved = {path: value for path, value in flatten(config.model_dump()).items() if paper.get(path, "—") != value}
    rows = [
        {"setting": path, "here": str(value), "default": str(paper.get(path, "—"))} for path, value in moved.items()
    ]
    where = f"{run_id}, on {data_name} ({data_fingerprint})"
    caption = f"{where}: the settings that differ from the defaults, which are the paper's."
    return show_table(rows or [{"setting": "none", "here": "—", "default": "—"}], caption)


def plan_table(plan: Sequence[PlannedRun], store: RunStore, profile: Profile) -> HTML:
    """The distinct runs, what is there of each, and what the others will cost."""
    rows = []
    for run in plan:
        state, cost = store.state(run.run_id).value, _cost(run, store, profile)
        rows.append({"run": run.run_id, "state": state, "cost": cost, "needed by": "; ".join(run.rows)})
    missing = len(missing_runs(plan, store, RunOptions(profile.name)))
    minutes = missing * profile.minutes_per_run
    expected = f"about {minutes:.0f} minutes one after another" if missing else "nothing to do"
    return show_table(rows, f"{len(rows)} distinct runs, {missing} to be executed: {expected}. A finished run is kept.")


def states_table(states: Mapping[str, RunState]) -> HTML:
    """How each run ended."""
    return show_table([{"run": run_id, "state": state.value} for run_id, state in states.items()])


def deviations_list(study: TableStudy) -> HTML:
    """What differs from the paper, what the paper leaves open, and what stays open here."""
    table = study.table
    overrides = study.settings.overrides
    declared = study.profile.deviations_of(table.number, [table.changes(row) for row in table.runnable])
    deviations = [*still_true(declared, overrides), *override_lines(overrides)]
    if study.data.boxes != study.table.boxes:
        deviations.append("The data set has no detector file: ground-truth boxes are used instead of detector boxes.")
    parts = [
        ("Deviations from the paper", deviations),
        ("The base configuration", [study.table.base_reason, *study.table.alternatives]),
        ("Open questions", study.table.open_questions),
    ]
    return HTML(Markup().join(Markup("<p><b>{}</b></p>{}").format(title, bullets(items)) for title, items in parts))


def rules_list(study: TableStudy) -> HTML:
    """The rule of each claim."""
    return HTML(bullets(f"{claim.text} {claim.rule}" for claim in study.collect().claims))


def instance_rules_table(data: TableData) -> HTML:
    """AP of rows under both rules for the score of a person."""
    rules: tuple[InstanceRule, ...] = ("paper", "released")
    heads = {"paper": "AP, box × mean (Eq. 5)", "released": "AP, box + mean + max (released code)"}
    rows = []
    for row in data.table.rows:
        cells = {heads[rule]: data.ap_under_rule(row.key, rule) for rule in rules}
        if row.scoring == Scoring.BOX:
            cells[heads["released"]] = "—" if cells[heads["released"]] is not None else None
        rows.append({"keypoint score": row.label} | cells)
    return show_table(rows, "The same predictions; only the rule that makes one score of box and keypoints changes.")


def _cost(run: PlannedRun, store: RunStore, profile: Profile) -> str:
    if store.recorded_state(run.run_id).done:
        return f"{store.record(run.run_id).provenance.wall_seconds:.0f} s, measured"
    return f"about {profile.minutes_per_run:g} min"
