"""The distinct runs behind the chosen tables, parents first: a row that two tables share is one run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from poseur_lib.config import ExperimentConfig, OwnKeypoints, PretextRunConfig
from poseur_lib.errors import UserError, describe_validation
from poseur_study.experiments.experiment import Row, Table, shown_name
from poseur_study.experiments.profile_deviations import one_within_other
from poseur_study.experiments.profiles import Profile
from poseur_study.runs.run_id import RunConfig, run_id
from poseur_study.runs.store import RunState

TRAIN_NOTEBOOK = "train_variant.ipynb"
PRETRAIN_NOTEBOOK = "pretrain_backbone.ipynb"
LearntFrom = Callable[[], str] | None
"""Gives the fingerprint of the data set that backbones are pretrained on; None: it is the runs' own."""


def require_named_keypoints(config: ExperimentConfig) -> None:
    """Check that runs are of a built-in keypoint set: data sets of a study are found, and judged, by its name.

    Raises:
        UserError: the keypoints are one's own.
    """
    if isinstance(own := config.data.keypoint_set, OwnKeypoints):
        raise UserError(
            f"keypoints {own.name!r} are your own, and a study's runs are judged by built-in ones: poseur train takes"
            " them (docs/own_keypoints.md)"
        )


@dataclass(frozen=True)
class PlannedRun:
    """A run and what its notebook needs to derive the same configuration again.

    Attributes:
        changes: by dotted path, over the profile's configuration.
        rows: the tables' rows that need it, such as "1b: with noise, seed 0".
    """

    run_id: str
    config: RunConfig
    parents: tuple[str, ...]
    notebook: str
    changes: dict[str, Any]
    seed: int
    rows: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is, by the first row that needs it: `Table 1b, with noise, seed 0`; a run of no table by its id."""
        if not self.rows:
            return self.run_id
        number, _, row = self.rows[0].partition(": ")
        return f"{shown_name(number)}, {row}"

    def done_in(self, state: RunState) -> bool:
        """True if nothing is left to be made: the record, and of pretraining the weights that other runs start from."""
        return state == RunState.FINISHED if isinstance(self.config, PretextRunConfig) else state.done


def planned_experiment(
    profile: Profile, changes: dict[str, Any], seed: int, fingerprint: str, learnt_from: LearntFrom = None
) -> PlannedRun:
    """The run of one configuration."""
    config = profile.experiment(seed, changes)
    pretext = planned_pretext(config, changes, seed, fingerprint, learnt_from)
    parents = () if pretext is None else (pretext.run_id,)
    return PlannedRun(run_id(config, fingerprint, parents), config, parents, TRAIN_NOTEBOOK, changes, seed)


def planned_pretext(
    config: ExperimentConfig, changes: dict[str, Any], seed: int, fingerprint: str, learnt_from: LearntFrom = None
) -> PlannedRun | None:
    """The pretraining run that an experiment starts from, if it does."""
    pretext = config.pretext_run
    if pretext is None:
        return None
    fingerprint = fingerprint if learnt_from is None else learnt_from()
    return PlannedRun(run_id(pretext, fingerprint), pretext, (), PRETRAIN_NOTEBOOK, changes, seed)


def row_run(
    profile: Profile,
    table: Table,
    row: Row,
    seed: int,
    fingerprint: str,
    overrides: dict[str, Any],
    learnt_from: LearntFrom = None,
) -> PlannedRun:
    """The run behind a row: the profile, over it the study's overrides, the table's base and the row, scaled.

    Raises:
        UserError: an override that is unknown or out of range, would be overridden in turn, or that a table cannot
            follow.
    """
    own = profile.scaled(table.number, table.changes(row))
    for path in overrides:
        if any(one_within_other(path, of_row) for of_row in own):
            raise UserError(f"{path} cannot be overridden: row {row.label!r} of table {table.number} sets it")
    changes = {**profile.light_of(table.number), **overrides, **own}
    try:
        run = planned_experiment(profile, changes, seed, fingerprint, learnt_from)
    except ValidationError as error:
        raise UserError(describe_validation(error, ExperimentConfig)) from None
    if run.config.evaluation.split != "val":
        raise UserError("evaluation.split cannot be overridden in a table: tables are judged on the val split")
    keypoints = table.keypoints or profile.config.data.keypoints_name
    if run.config.data.keypoints_name != keypoints:
        raise UserError(f"data.keypoint_set cannot be overridden in a table: the people of this one have {keypoints}")
    return run


def plan(
    profile: Profile,
    tables: Sequence[Table],
    seeds: Sequence[int],
    fingerprint: str,
    overrides: dict[str, Any],
    learnt_from: LearntFrom = None,
    others: Mapping[str, tuple[str, LearntFrom]] = MappingProxyType({}),
) -> tuple[PlannedRun, ...]:
    """Every distinct run of these tables and seeds in their order, parents before their children.

    So the first tables are there first, and what takes longest, the full tables of a light profile, is not begun last.

    Args:
        others: fingerprint and what backbones learn from, for tables whose people have other keypoints, by those.
    """
    runs: dict[str, PlannedRun] = {}
    for seed in seeds:
        for table in tables:
            data, learnt = others.get(table.keypoints, (fingerprint, learnt_from))
            for row in table.runnable:
                run = row_run(profile, table, row, seed, data, overrides, learnt)
                label = f"{table.number}: {row.label}, seed {seed}"
                for known in run.parents:
                    parent = runs.get(known) or planned_pretext(run.config, run.changes, seed, data, learnt)
                    of_seed = f", seed {seed}" if profile.pretext_per_seed else ""
                    _add(runs, parent, f"{table.number}: pretraining{of_seed}")
                _add(runs, run, label)
    return tuple(runs.values())


def _add(runs: dict[str, PlannedRun], run: PlannedRun, row: str) -> None:
    """Note that a row needs a run, which may be there already."""
    known = runs.setdefault(run.run_id, run)
    if row not in known.rows:
        runs[run.run_id] = replace(known, rows=(*known.rows, row))
