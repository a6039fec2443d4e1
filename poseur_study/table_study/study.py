"""`TableStudy`: a table at one profile, as its notebook asks, runs, reads and concludes with it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import Markdown

from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError, shown
from poseur_lib.files import write_atomically
from poseur_study.analysis.effect import Effect
from poseur_study.analysis.error_breakdown import BREAKDOWN_CSV, Breakdown, breakdown, breakdown_csv
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.power import detectable
from poseur_study.analysis.result_types import TableResult
from poseur_study.analysis.table_data import TableData
from poseur_study.analysis.table_results import claims_csv, collect, difference_words, rows_csv
from poseur_study.analysis.verdict import Evidence
from poseur_study.execution.progress import PlanProgress
from poseur_study.execution.run_job import RunOptions, missing_runs
from poseur_study.experiments import tables
from poseur_study.experiments.experiment import ClaimTest, EffectKind, Row
from poseur_study.experiments.notebook_parameters import TableSettings
from poseur_study.experiments.profile_deviations import on_other_people, override_lines, still_true
from poseur_study.experiments.profiles import profile
from poseur_study.plotting.captioned import Captioned
from poseur_study.plotting.style import use_house_style
from poseur_study.runs.datasets import open_data
from poseur_study.runs.heartbeat import die_with_parent_in_batch
from poseur_study.runs.plan import PlannedRun, plan, row_run
from poseur_study.runs.project import below_root, results_folder
from poseur_study.runs.store import RESULT_FILE, RunState, RunStore
from poseur_study.table_study.answer import answer, result_frame, verdicts_frame
from poseur_study.table_study.frames import TableFrames, paper_frame, subjects_frame, variants_frame
from poseur_study.table_study.paper_beside_ours import paper_beside_ours
from poseur_study.table_study.pictures import MOST_ROWS, pictures


class TableStudy(TableFrames):
    """A table at one profile: its variants, its runs, tidy frames of what they have left, and its results.

    Args:
        number: of the table, as `1b`.
        parameters: see `TableSettings`: profile, seeds, data, runs, overrides, limit_epochs, workers, device,
            precision.

    Attributes:
        plan: all runs, parents first; also the pretraining behind the rows' runs.
        data: what the rows' runs have left; frames are made of it.
        measured: what claims need beside the rows' metrics, by key; a notebook that measures it sets it before it
            asks for results.

    Raises:
        UserError: a parameter, also one that papermill has injected, is unknown, ill-typed or out of range.
    """

    def __init__(self, number: str, **parameters: Any) -> None:
        die_with_parent_in_batch()
        use_house_style()
        self.settings = settings = TableSettings.of_notebook(parameters)
        (self.table,) = tables([number])
        self.profile = profile(settings.profile)
        self.seeds = self.profile.chosen_seeds(settings.seeds)
        self.dataset = open_data(self.profile, settings.data, keypoints=self.table.keypoints)
        self.store = RunStore(below_root(settings.runs) / self.profile.name)
        overrides, fingerprint, learnt_from = settings.overrides, self.dataset.fingerprint, self.dataset.learnt_from
        self.plan = plan(self.profile, [self.table], self.seeds, fingerprint, overrides, learnt_from)
        runs = {
            (row.key, seed): row_run(self.profile, self.table, row, seed, fingerprint, overrides, learnt_from)
            for seed in self.seeds
            for row in self.table.runnable
        }
        where = (self.profile, self.table, self.dataset, self.store)
        super().__init__(TableData(*where, self.seeds, runs, overrides, settings.device))
        self.measured: Mapping[str, Estimate | None] = {}

    def __repr__(self) -> str:
        done = sum(self.store.recorded_state(run.run_id).done for run in self.plan)
        seeds, runs = ", ".join(map(str, self.seeds)), f"{done} of {len(self.plan)} runs done"
        return f"{self.table.name}: {self.table.title}; profile {self.profile.name}, seeds {seeds}; {runs}"

    @property
    def configs(self) -> dict[str, ExperimentConfig]:
        """The configurations of the rows that can be run, by row key, with the first seed."""
        return {row.key: self.data.runs[row.key, self.seeds[0]].config for row in self.table.runnable}

    @cached_property
    def variants(self) -> pd.DataFrame:
        """The settings that differ between the rows' configurations: a line a row, a column a setting."""
        return variants_frame(self.table, self.configs)

    @cached_property
    def paper(self) -> pd.DataFrame:
        """The numbers that the paper prints of the rows: a line a row, a column each."""
        return paper_frame(self.table)

    @cached_property
    def subjects(self) -> pd.DataFrame:
        """What the rows are: method, kind (heatmap or regression), backbone, input size; a line a row."""
        return subjects_frame(self.table)

    def run(self) -> pd.DataFrame:
        """Execute what is missing, each run in a process of its own, and return the frame of runs.

        Nothing that is finished is touched. A run that failed before is not tried again here: `poseur study run` does
        that. With no workers nothing is executed.
        """
        chosen = [run for run in self.plan if self.store.state(run.run_id) != RunState.FAILED]
        if self.settings.workers and missing_runs(chosen, self.store, self.options):
            from poseur_study.execution.scheduler import execute_plan  # brings dask.distributed

            with PlanProgress(self.plan, self.store) as progress:
                execute_plan(chosen, self.store, self.options.with_share(), progress.show)
        return self.runs()

    def runs(self) -> pd.DataFrame:
        """Every run by what it is: run, state, minutes (estimated where not done), device, commit, data, run id."""
        return pd.DataFrame([self._run(run) for run in self.plan], columns=RUN_COLUMNS).set_index("run")

    @property
    def options(self) -> RunOptions:
        """How missing runs are executed."""
        named = {"profile", "data", "runs", "device", "precision", "limit_epochs", "workers"}
        return RunOptions(**self.settings.model_dump(include=named))

    @property
    def result(self) -> TableResult:
        """Rows and claims as far as the runs are there, computed once for all that was measured so far."""
        if self._collected is None or self._collected[0] != self.measured:
            self._collected = dict(self.measured), collect(self.data, self.measured)
        return self._collected[1]

    _collected: tuple[Mapping[str, Estimate | None], TableResult] | None = None

    def answer(self) -> Markdown:
        """What came of the table's claims, in a sentence or two."""
        return Markdown(answer(self.table, self.result, self.profile))

    def summary(self) -> pd.DataFrame:
        """Paper and ours, a line a row: ours, its 95 % interval below it, and below that the paper's number."""
        return result_frame(self.table, self.result)

    def figure(self) -> Captioned:
        """The rows, the paper's hollow, ours filled, and the claimed differences in the colours of their verdicts."""
        return paper_beside_ours(self.table, self.result)

    def pictures(
        self,
        people: Sequence[int],
        above: Sequence[str],
        caption: str,
        seed: int | None = None,
        rows: Sequence[str] = (),
    ) -> Captioned | Markdown:
        """Some labelled people (ids of annotations), each with the poses of the rows whose predictions are here.

        Rows that are one run by several scores are one pose. A sentence says so where too little is here to see a
        difference: no pose, or one of several.

        Args:
            above: a line above each.
            seed: None: the first.
            rows: keys or labels of the rows, at most four; none: the table's first four.

        Raises:
            UserError: there is no such person, row or seed, or there are more than four rows.
        """
        if isinstance(rows, str) or len(rows) > MOST_ROWS:
            raise UserError(f"pictures(): rows {shown(rows)}: give a list of at most {MOST_ROWS} rows")
        seed = self.seeds[0] if seed is None else seed
        chosen = [self.table.row(row) for row in rows] or self.table.runnable[:MOST_ROWS]
        rows_of: dict[str, list[Row]] = {}
        for row in (one for one in self.table.rows if one in chosen):
            rows_of.setdefault(self.data.run(row.key, seed).run_id, []).append(row)
        poses = {", ".join(row.label for row in of): self.poses(of[0].key, seed) for of in rows_of.values()}
        absent = [label for label, of_run in poses.items() if not of_run]
        if len(poses) - len(absent) < min(2, len(poses)):
            return Markdown(f"Not drawn: the poses of seed {seed} are not here for {'; '.join(absent)}.")
        return pictures(self.dataset.val, people, poses, above, caption)

    def power(self, seeds: Sequence[int] = (3, 5, 10, 20, 40)) -> pd.DataFrame:
        """What would change one's mind: the minimum detectable effect of each claim (points) by number of seeds.

        A claim that was run with several seeds has its own error, any other one a pilot's (`power.METHOD`). None where
        only a lower bound is known, as of one seed, whose spread over seeds nobody knows, and of an equivalence. Claims
        that ask the same and have the same figure in the paper have one line.

        Raises:
            UserError: a number of seeds is no whole number from 1 on.
        """
        for n in seeds:
            if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
                raise UserError(f"power(): {shown(n)} is no number of seeds, give whole numbers from 1 on")

        effects = {claim.key: claim.effect for claim in self.result.claims}

        def points(claim: ClaimTest, n: int) -> float | None:
            effect = effects.get(claim.key)
            if isinstance(effect, Effect) and effect.seeds_half is not None and claim.kind != EffectKind.EQUIVALENCE:
                return effect.detectable_with(n)
            least = detectable(self.table, claim, self.profile, n)
            return None if least.bound or least.margin is not None else least.points

        asked = {(difference_words(self.table, claim), claim.paper_effect): claim for claim in self.table.claims}
        lines = [[points(claim, int(n)) for n in seeds] + [claim.paper_effect] for claim in asked.values()]
        index = pd.Index([words for words, _ in asked], name="claim")
        return pd.DataFrame(lines, index, [*(f"{n} seeds" for n in seeds), "paper"], dtype=float)

    def verdicts(self) -> pd.DataFrame:
        """A line a claim: what is compared, paper, ours, interval, p, minimum detectable effect, verdict; numbers."""
        return verdicts_frame(self.table, self.result, self.profile)

    def rules(self) -> pd.DataFrame:
        """The rule of each claim, fixed before the run."""
        lines = [{"claim": one.text, "source": one.source, "rule": one.rule} for one in self.result.claims]
        return pd.DataFrame(lines, columns=["claim", "source", "rule"])

    def breakdown(self) -> pd.DataFrame:
        """Each claim's two rows compared part by part: error types, keypoints, visibility, kinds of people.

        Columns: rows (what is compared), by, part, measure, number, first, second, difference, low, high (95 %
        interval of the difference).
        """
        lines = [
            (claim.difference, row.part, row.name, row.measure, row.number, row.better, row.than, row.difference.value,
             row.difference.low, row.difference.high)
            for claim in self._breakdown.claims
            for row in claim.rows
        ]  # fmt: skip
        names = ("rows", "by", "part", "measure", "number", "first", "second", "difference", "low", "high")
        return pd.DataFrame(lines, columns=list(names))

    def deviations(self) -> pd.DataFrame:
        """What separates this from the paper's experiment: deviation, base configuration, open question."""
        table, overrides = self.table, self.settings.overrides
        declared = self.profile.deviations_of(table.number, [table.changes(row) for row in table.runnable])
        if not self.dataset.generated:
            declared = on_other_people(declared, self.dataset.root.name)
        found = [*still_true(declared, overrides), *override_lines(overrides)] if table.runnable else []
        if table.runnable and self.data.boxes != table.boxes:
            weak = " That is no evidence of the paper's figures, which are by a detector's."
            found.append(
                "The data set has no detector file: ground-truth boxes are used instead of detector boxes."
                + weak * (self.data.evidence == Evidence.NONE)
            )
        parts = (("deviation", found), ("base configuration", [table.base_reason, *table.alternatives]),
                 ("open question", table.open_questions))  # fmt: skip
        return pd.DataFrame([(kind, line) for kind, of in parts for line in of], columns=["what", "in words"])

    @cached_property
    def _breakdown(self) -> Breakdown:
        return breakdown(self.data)

    def write(self) -> pd.DataFrame:
        """Write the results beside the runs, as JSON for the report and as CSV; returns the files.

        In a batch they are put aside first: they replace earlier ones once the whole notebook has been executed.
        """
        folder = results_folder(self.folder)
        files = {
            "rows.csv": rows_csv(self.result), "claims.csv": claims_csv(self.result),
            BREAKDOWN_CSV: breakdown_csv(self._breakdown),
            RESULT_FILE: self.result.model_dump_json(indent=1) + "\n",
        }  # fmt: skip
        for name, text in files.items():
            write_atomically(folder / name, text.encode())
        return pd.DataFrame([(name, len(text)) for name, text in files.items()], columns=["file", "characters"])

    @property
    def folder(self) -> Path:
        """Where the table's results lie."""
        return self.store.table_folder(self.table.number)

    def _run(self, run: PlannedRun) -> dict[str, Any]:
        state = self.store.state(run.run_id)
        line = {"run": run.name, "state": state.value, "run id": run.run_id}
        if not self.store.recorded_state(run.run_id).done:
            return line
        one = self.store.record(run.run_id).provenance
        measured = {"minutes": one.wall_seconds / 60, "device": one.device, "torch": one.versions.get("torch")}
        return line | measured | {"commit": one.commit_words, "data": f"{one.data_name} {one.data_fingerprint}"}


RUN_COLUMNS = ["run", "state", "minutes", "device", "torch", "commit", "data", "run id"]
