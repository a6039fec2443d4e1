"""A profile as the pages of its report work with it: results, runs and claims as tidy frames, read once."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import Markdown

from poseur_lib.config import ExperimentConfig
from poseur_lib.costs.parts import parameters_by_part
from poseur_lib.keypoints import LSP_14
from poseur_lib.models.build import build_model
from poseur_study.analysis.claim_ledger import (
    LedgerEntry,
    arithmetic_entries,
    cost_entries,
    effect_entries,
    level_entries,
)
from poseur_study.analysis.ledger_by_claim import by_claim, counted_words, distinct
from poseur_study.analysis.result_types import TableResult, pools, stored_result
from poseur_study.analysis.seed_model import Spread
from poseur_study.analysis.table_results import collect_unexecuted
from poseur_study.analysis.verdict import Verdict
from poseur_study.evidence.evidence import CostClaimRecord, CostRecord, recorded
from poseur_study.experiments import BUDGET, STUDIES, TABLES
from poseur_study.experiments.analyses import SCORING
from poseur_study.experiments.experiment import Table, shown_name
from poseur_study.experiments.profile_deviations import on_other_people, override_lines, still_true
from poseur_study.experiments.profiles import profile
from poseur_study.paper.audit import audit, summary
from poseur_study.plotting.captioned import Captioned
from poseur_study.plotting.frames import Linked
from poseur_study.plotting.style import use_house_style
from poseur_study.runs.datasets import data_folder, open_data
from poseur_study.runs.origin import imported_words
from poseur_study.runs.project import below_root
from poseur_study.runs.record import RECORD_FILE, Record
from poseur_study.runs.store import ERROR_FILE, EXPLORER_TABLE, NOTEBOOK_FILE, RESULT_FILE, RunState, RunStore, runs_of
from poseur_study.table_study.answer import HEADLINE_FILE, score_headline
from poseur_study.table_study.frames import curve_frame
from poseur_study.table_study.pictures import pictures


@dataclass(frozen=True)
class Failure:
    """A table or run whose last attempt failed.

    Attributes:
        name: what it is; `page`: the file that shows it; `folder`: where its notebook and error lie.
        why: one line.
    """

    name: str
    page: str
    folder: Path
    why: str


class ProfileStudy:
    """All tables and runs of a profile.

    Args:
        name: of the profile.
        runs: folder of all profiles' runs, relative to the project.
    """

    def __init__(self, name: str, runs: str = "runs") -> None:
        use_house_style()
        self.profile = profile(name)
        self.store = RunStore(below_root(runs) / self.profile.name)

    @property
    def has_data(self) -> bool:
        """True if the profile's generated people are on this machine."""
        return self.profile.people is not None and data_folder(self.profile, "").is_dir()

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """The tables that have a page."""
        return tuple(table for table in STUDIES if self.missing(table) is None)

    @cached_property
    def results(self) -> dict[str, TableResult]:
        """Of the tables that have a page, by number."""
        found = {table.number: stored_result(self.store, table.number) for table in self.tables}
        return {number: result for number, result in found.items() if result is not None}

    @cached_property
    def unexecuted(self) -> dict[str, TableResult]:
        """Of tables without results whose claims, some of them, have all their runs all the same."""
        without = [table for table in TABLES if not (self.store.table_folder(table.number) / RESULT_FILE).exists()]
        runs = runs_of(self.store)
        found = {table.number: collect_unexecuted(self.profile, table, runs) for table in without}
        return {number: result for number, result in found.items() if result is not None}

    @cached_property
    def pools(self) -> tuple[Spread, ...]:
        """How far AP of trainings is apart over seeds, of all arms of one length and size."""
        return pools(self.store, self.results.values())

    @cached_property
    def run_ids(self) -> tuple[str, ...]:
        """All runs that ended, well or not."""
        folders = sorted(self.store.folder.iterdir()) if self.store.folder.is_dir() else []
        return tuple(path.name for path in folders if any((path / mark).exists() for mark in (RECORD_FILE, ERROR_FILE)))

    @cached_property
    def records(self) -> dict[str, Record]:
        """Of the runs that are done."""
        done = [run_id for run_id in self.run_ids if self.store.recorded_state(run_id).done]
        return {run_id: self.store.record(run_id) for run_id in done}

    @cached_property
    def names(self) -> dict[str, str]:
        """What each run is, by its first row: `Table 1b, with noise, seed 0`; by its id if it is of none."""
        found: dict[str, str] = {}
        for table in self.tables:
            for row in self.results[table.number].rows:
                for seed, run_id in zip(self.results[table.number].seeds, row.run_ids, strict=False):
                    found.setdefault(run_id, f"{table.name}, {row.label}, seed {seed}")
        for run_id in list(found):
            for parent in self.records[run_id].parents if run_id in self.records else ():
                found.setdefault(parent, f"pretraining, {_model_words(parent)}")
        return {run_id: found.get(run_id, run_id) for run_id in self.run_ids}

    @cached_property
    def parts(self) -> dict[str, tuple[LedgerEntry, ...]]:
        """All lines of the ledger: effects, printed figures, costs, arithmetic."""
        name, costs, said = self.profile.name, recorded(CostRecord), recorded(CostClaimRecord)
        effects = STUDIES if BUDGET.number in self.results else TABLES
        return {
            "effect": effect_entries(effects, self.results | self.unexecuted, self.profile, self.began),
            "printed figure": level_entries(TABLES, self.results, self.profile),
            "cost": cost_entries(costs.rows if costs else (), said.statements if said else (), name),
            "arithmetic": arithmetic_entries(audit(), name),
        }

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """The same, one after the other."""
        return tuple(entry for of in self.parts.values() for entry in of)

    def claims(self) -> pd.DataFrame:
        """Every line of the ledger: see `LedgerEntry`; `part` is effect, printed figure, cost or arithmetic."""
        lines = [{"part": part} | entry.model_dump(mode="json") for part, of in self.parts.items() for entry in of]
        frame = pd.DataFrame(lines).astype({"value": float, "low": float, "high": float})
        frame["where"] = [shown_name(number) if number else "" for number in frame["table"]]
        return frame

    def by_claim(self) -> pd.DataFrame:
        """A line a claim of the paper that is about an effect, with its tests and their verdict: see `by_claim`."""
        return by_claim(self.parts["effect"])

    def effects(self) -> tuple[LedgerEntry, ...]:
        """The lines of the ledger that are effects of which the paper speaks, each effect once."""
        return distinct(one for one in self.parts["effect"] if not one.own)

    def runs(self) -> pd.DataFrame:
        """A line a run: run, state, AP and AR by box source, minutes, training, energy, device, versions, id."""
        return pd.DataFrame([self._run(run_id) for run_id in self.run_ids], columns=RUN_COLUMNS)

    def curves(self) -> pd.DataFrame:
        """How every run learned, a line an epoch: run, run id, and what `curve_frame` has."""
        points = [(run_id, point) for run_id, record in self.records.items() for point in record.curve]
        ids = [run_id for run_id, _ in points]
        names = {"run": [self.names[run_id] for run_id in ids], "run id": ids}
        return curve_frame(tuple(point for _, point in points)).assign(**names)

    def strata(self) -> pd.DataFrame:
        """AP and AR by kind of person of every run: run, boxes, group, name, people, AP, AR."""
        lines = [
            {"run": self.names[run_id], **row.model_dump(mode="json")}
            for run_id, record in self.records.items()
            for row in record.strata
        ]
        return pd.DataFrame(lines, columns=["run", "boxes", "group", "name", "people", "AP", "AR"])

    def deviations(self) -> tuple[str, ...]:
        """What differs from the paper in the tables that are shown: not what their overrides have changed."""
        overrides = {number: one.overrides for number, one in self.results.items() if one.overrides}
        everywhere = {path: value for changes in overrides.values() for path, value in changes.items()}
        lines = [*still_true(self.profile.deviations, everywhere)]
        others = {one.provenance.data_name for one in self.records.values() if not one.provenance.generated_data}
        if others:
            lines = [*on_other_people(lines, ", ".join(sorted(others)))]
        for table in self.tables:
            lines += [f"{table.name}: {line}" for line in override_lines(overrides.get(table.number, {}))]
        return tuple(lines)

    def nothing_told(self) -> str:
        """What there is where none of the headline claims was measured; Markdown."""
        pages = [f"[{table.name}]({table_page(table)})" for table in self.tables]
        return f"No headline claim was measured; of other runs: {', '.join(pages)}" if pages else "Nothing was run yet"

    def failures(self) -> tuple[Failure, ...]:
        """Tables and runs whose last attempt failed."""
        shown = {**{table.number: table.name for table in STUDIES}, EXPLORER_TABLE: "Explorer"}
        folders = {number: self.store.table_folder(number) for number in shown}
        found = [
            Failure(shown[number], f"failed_table_{number}.html", folder, _last_line(folder / ERROR_FILE))
            for number, folder in folders.items()
            if (folder / ERROR_FILE).exists()
        ]
        failed = [run_id for run_id in self.run_ids if self.store.state(run_id) == RunState.FAILED]
        return (*found, *(
            Failure(self.names[one], f"failed_{one}.html", self.store.path(one), self.store.error(one) or "no message")
            for one in failed
        ))  # fmt: skip

    @staticmethod
    def audit_sentence() -> str:
        """What the paper's own numbers say to its claims."""
        return summary(audit())

    def score_headline(self) -> str:
        """What came of Poseur's score, with its page; Markdown. Nothing where that page is not there."""
        file = self.store.table_folder(SCORING.number) / HEADLINE_FILE
        if SCORING not in self.tables or not file.exists():
            return ""
        told = score_headline(pd.read_csv(file, index_col=["row", "what"]))
        return f"{told} [{SCORING.title}]({table_page(SCORING)}) has the way there."

    def trust(self) -> str:
        """What was trained on what: the size of the models, seeds, data."""
        made = {run_id: one for run_id, one in self.records.items() if isinstance(one.config, ExperimentConfig)}
        if not made:
            return f"nothing was run yet; `poseur study run --profile {self.profile.name}` does it."
        data = sorted({one.provenance.data_name for one in made.values()})
        generated = all(one.provenance.generated_data for one in made.values())
        shown = [one.config.data for one in made.values()]
        sizes = sorted({"×".join(map(str, one.input_size)) for one in shown if one.whole_image is None})
        whole = sum(one.whole_image is not None for one in shown)
        counted = f"{len(shown) - whole} runs at {', '.join(sizes)}" if sizes else ""
        counted += f"{' and ' * bool(sizes)}{whole} on whole images" * bool(whole)
        seeds = sorted({one.config.seed for one in made.values()})
        lsp = all(one.config.data.keypoint_set == LSP_14.name for one in made.values())
        people = f"real people of Leeds Sports Pose Extended (data set {', '.join(data)})" if lsp else (
            f"generated people (data set {', '.join(data)})" if generated else f"people of {', '.join(data)}"
        )  # fmt: skip
        never = " Nothing here was run on COCO." if generated or lsp else ""
        weak = "" if self.profile.evidential else " Profile smoke proves the plumbing and is no evidence."
        images, plural = max(one.provenance.n_images for one in made.values()), "s" * (len(seeds) > 1)
        return (
            f"{counted} ({self._model_size()}), {len(seeds)} seed{plural}, on {people}, "
            f"{images:,} images to judge them on.{never}{weak}"
        )

    def _model_size(self) -> str:
        """`Poseur has 0.9 M parameters`, as the profile has it, without flows, which serve the loss alone."""
        model = build_model(self.profile.config.with_changes(**{"model.backbone.weights": "none", "pretext": None}))
        parts = parameters_by_part(model)
        return f"Poseur has {sum(n for part, n in parts.items() if part != 'flows') / 1e6:.1f} M parameters"

    def sample_people(self, number: int) -> Captioned | Markdown:
        """Some people of the val split with their labels; a sentence where the data set is not here."""
        if self.profile.people is None:
            return Markdown("People are drawn on the pages of tables: where this profile's data lie is not recorded.")
        if not self.has_data:
            return Markdown("The data set is not on this machine; `poseur data generate` makes generated people.")
        data = open_data(self.profile, "", progress=False)
        split = data.val
        people = [one for one in split.people() if (one.visibility > 0).sum() > len(one.visibility) // 2]
        chosen = [people[place * (len(people) - 1) // (number - 1)] for place in range(number)]
        above = [f"{int((one.visibility == 1).sum())} of {len(one.visibility)} hidden" for one in chosen]
        return pictures(
            split, [one.annotation_id for one in chosen], {}, above, f"Data set {data.root.name}, split val."
        )

    def table_links(self) -> pd.DataFrame:
        """The tables with their pages: table, question, rows run, verdicts; an effect counts in its first table."""
        lines = []
        for table in (*TABLES, *(one for one in self.tables if one not in TABLES)):
            name, here = f"{table.name}: {table.title}", self.results.get(table.number)
            result = here or self.unexecuted.get(table.number)
            ran = sum(row.ap is not None for row in result.rows) if result else 0
            words = self._verdict_words(table) if table in TABLES else counted_words(_verdicts(result))
            words = words or ("claim not tested" if ran else "not run")
            own = [one.verdict for one in self.parts["effect"] if one.own and one.table == table.number and ran]
            words += f"; own modifications: {counted_words(own)}" if own else ""
            if here is None:
                why = self.missing(table)
                words = Linked(f"{'no page' if why == 'not run' else why}; {words}", "ledger.html") if result else why
            linked = name if here is None else Linked(name, table_page(table))
            lines.append((linked, table.question, f"{ran} of {len(table.rows)}", words))
        return pd.DataFrame(lines, columns=["table", "question", "rows run", "verdicts"]).set_index("table")

    def _verdict_words(self, table: Table) -> str:
        """The verdicts on a table's effects, and with which table those of others are counted."""
        effects = [one for one in self.effects() if one.value is not None]
        tests = [one for one in self.parts["effect"] if one.table == table.number and one.value is not None]
        asked = {one.effect for one in tests}
        own = counted_words(one.verdict for one in effects if one.table == table.number)
        others = [one for one in effects if one.effect in asked and one.table != table.number]
        where = ", ".join(dict.fromkeys(shown_name(one.table) for one in others))
        words = [own, f"{counted_words(one.verdict for one in others)} (counted with {where})" if others else ""]
        said = "; ".join(filter(None, words))
        if not tests or table.number in self.results:
            return said
        claims = len({one.of for one in tests})
        return f"{claims} claim{'s' * (claims > 1)} tested by runs of other tables: {said}"

    def failure_links(self) -> pd.DataFrame:
        """Tables and runs whose last attempt failed, with the page that shows it, and why."""
        lines = [(Linked(one.name, one.page), one.why) for one in self.failures()]
        return pd.DataFrame(lines, columns=["what", "why"])

    def missing(self, table: Table) -> str | None:
        """Why a table has no page; None where it can have one."""
        folder = self.store.table_folder(table.number)
        if not (folder / RESULT_FILE).exists():
            return "failed" if (folder / ERROR_FILE).exists() else "not run"
        if not (folder / NOTEBOOK_FILE).exists():
            return "executed elsewhere: poseur study run makes the page"
        return None

    def began(self, table: Table) -> datetime | None:
        """When the first of a table's runs did, evaluations of released checkpoints apart; None without any."""
        rows = self.results[table.number].rows if table.number in self.results else ()
        runs = [self.records[run_id] for row in rows for run_id in row.run_ids if run_id in self.records]
        return min((run.provenance.began for run in runs), default=None)

    def _run(self, run_id: str) -> dict[str, Any]:
        state, record = self.store.state(run_id), self.records.get(run_id)
        line = {"run": self.names[run_id], "state": state.value, "id": run_id, "why": self.store.error(run_id)}
        line["from elsewhere"] = imported_words([self.store.path(run_id)], "run").partition(": ")[2] or None
        if record is None:
            return line
        one = record.provenance
        metrics = {f"{name}, {of.boxes.value.replace('_', ' ')} boxes": getattr(of, name)
                   for of in record.metrics for name in ("AP", "AR")}  # fmt: skip
        versions = {name: one.versions.get(name) for name in ("torch", "torchvision", "lightning", "pycocotools")}
        return line | metrics | versions | {
            "minutes": one.wall_seconds / 60, "training, minutes": one.train_seconds / 60, "device": one.device_words,
            "energy, Wh": None if one.joules is None else one.joules / 3600, "python": one.python,
            "commit": one.commit_words,
            "finished": one.finished_at[:16].replace("T", " "), "data": f"{one.data_name} {one.data_fingerprint}",
        }  # fmt: skip


def _verdicts(result: TableResult) -> tuple[Verdict, ...]:
    return tuple(one.verdict for one in result.claims if one.effect)


RUN_COLUMNS = [
    "run", "state", "AP, ground truth boxes", "AP, detector boxes", "AR, ground truth boxes", "AR, detector boxes",
    "minutes", "training, minutes", "energy, Wh", "device", "finished", "commit", "python", "torch", "torchvision",
    "lightning", "pycocotools", "data", "id", "from elsewhere", "why",
]  # fmt: skip


def _model_words(run_id: str) -> str:
    """`narrow24 64x48` of `pretext_narrow24_64x48_…`."""
    return " ".join(run_id.split("_")[1:-1])


def _last_line(file: Path) -> str:
    lines = file.read_text(encoding="utf-8").strip().splitlines()
    return lines[-1] if lines else "no message"


def table_page(table: Table) -> str:
    """File name of a table's page."""
    return f"table_{table.number}.html"
