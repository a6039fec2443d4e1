"""Frames of the study of effects against budget: runs, gains, differences and their slopes; its registration.

`docs/preregistration.md` says what decides.
"""

import subprocess
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from IPython.display import Markdown
from scipy import stats

from poseur_study.analysis.effect import holm
from poseur_study.analysis.interval import student, student_half_width
from poseur_study.experiments.budget import PRIMARY
from poseur_study.runs.project import project_root
from poseur_study.table_study.study import TableStudy

REGISTERED = "7fd52beac3"
"""The commit that has `docs/preregistration.md` as it was before the first run."""
REGISTRATION = "docs/preregistration.md"
PLATEAU = 0.3
"""AP that threefold training brings, below which an arm is at its plateau."""


def runs_by_budget(study: TableStudy) -> pd.DataFrame:
    """A line a run: row, arm, epochs (of this profile), seed, people (seen in training), AP."""
    arms = {row.label: row.ticks[0] for row in study.table.rows}
    seen = study.curves().groupby(["row", "seed"], observed=True)["people"].max()
    runs = study.ap()[["row", "seed", "AP"]].merge(seen.reset_index(), on=["row", "seed"])
    epochs = {row.label: study.configs[row.key].train.epochs for row in study.table.rows}
    return runs.assign(arm=runs["row"].map(arms).astype(str), epochs=runs["row"].map(epochs).astype(int))


def effects_by_budget(study: TableStudy) -> pd.DataFrame:
    """A line a claimed difference: pair, epochs, people, paper (AP), ours (AP), low, high, seeds, verdict."""
    runs = runs_by_budget(study)
    people = runs.groupby("epochs")["people"].max()
    rows = [study.table.row(claim.better) for claim in study.table.claims]
    others = [study.table.row(claim.than).ticks[0] for claim in study.table.claims]
    found = study.verdicts()[["ours", "low", "high", "seeds", "verdict"]].assign(
        pair=[f"{row.ticks[0]} minus {than}" for row, than in zip(rows, others, strict=True)],
        epochs=[study.configs[row.key].train.epochs for row in rows],
        paper=[claim.paper_effect for claim in study.table.claims],
    )
    found["people"] = found["epochs"].map(people)
    return found[["pair", "epochs", "people", "paper", "ours", "low", "high", "seeds", "verdict"]]


def steps_by_budget(study: TableStudy) -> pd.DataFrame:
    """A line an arm and a length after the first: people, gain (AP, over the length before), low, high, plateau.

    The 95 % interval of the mean over seeds takes the variance of a gain between seeds from all arms of that step; arms
    that are others scored anew are the same trainings, and have no part in it. The plateau is "reached" where all of it
    lies below `PLATEAU`, else "not shown"; with one seed there is none.
    """
    runs, lines = runs_by_budget(study), []
    rescored = {row.ticks[0] for row in study.table.rows if row.scoring}
    by_people = runs.pivot_table(index=["arm", "seed"], columns="people", values="AP", sort=False).sort_index(axis=1)
    for people, gains in by_people.diff(axis=1).iloc[:, 1:].items():
        by_arm = gains.dropna().groupby("arm", sort=False)
        degrees = (by_arm.size() - 1).drop(rescored, errors="ignore")
        freedom = int(degrees.sum())
        error = np.sqrt((by_arm.var() * degrees).sum() / freedom) if freedom else np.nan
        for arm, of_arm in by_arm:
            half = student(freedom + 1) * error / np.sqrt(len(of_arm)) if freedom else np.nan
            plateau = "reached" if of_arm.mean() + half < PLATEAU else "not shown"
            lines.append((arm, people, of_arm.mean(), of_arm.mean() - half, of_arm.mean() + half, plateau))
    return pd.DataFrame(lines, columns=["arm", "people", "gain", "low", "high", "plateau"])


def slopes_by_budget(study: TableStudy) -> pd.DataFrame:
    """A line a pair: what threefold training adds to the difference (AP), 95 % interval over seeds, p, lengths, seeds.

    Of each seed, the least squares slope over log3 of people seen; none where there are not two of either. p of the
    primary pairs is adjusted by Holm for all of them, those to come included; that of others is as it is.
    """
    runs = runs_by_budget(study).set_index(["row", "seed"])
    lines = []
    for pair, claims in _claims_by_pair(study).items():
        apart = {}
        for claim in claims:
            better, than = (study.table.row(key).label for key in (claim.better, claim.than))
            if {better, than} <= set(runs.index.get_level_values("row")):
                apart[runs.loc[better, "people"].max()] = runs.loc[better, "AP"] - runs.loc[than, "AP"]
        by_seed = pd.DataFrame(apart).dropna()
        if min(by_seed.shape) < 2:
            lines.append((pair, np.nan, np.nan, np.nan, np.nan, by_seed.shape[1], len(by_seed)))
            continue
        slopes = np.polyfit(np.log(by_seed.columns.astype(float)) / np.log(3), by_seed.T, 1)[0]
        mean, half, p = slopes.mean(), student_half_width(slopes.tolist()), stats.ttest_1samp(slopes, 0).pvalue
        lines.append((pair, mean, mean - half, mean + half, p, *by_seed.shape[::-1]))
    found = pd.DataFrame(lines, columns=["pair", "AP for threefold training", "low", "high", "p", "lengths", "seeds"])
    found.loc[: PRIMARY - 1, "p"] = holm(found.loc[: PRIMARY - 1, "p"].fillna(1).tolist())
    found.loc[found["AP for threefold training"].isna(), "p"] = np.nan
    return found


def registration(study: TableStudy) -> Markdown:
    """Which commit has the design, and how many of the study's runs began after it."""
    records = {one.run_id: one for one in (study.record(key, seed) for key, _, seed in study.finished)}
    began = [one.provenance.began for one in records.values()]
    when = _committed_at()
    text = f"Design, arms, seeds and rules are those of `{REGISTRATION}` at commit {REGISTERED[:10]}"
    if when is None:
        return Markdown(f"{text}, whose date cannot be told outside a checkout with its history.")
    after = sum(one > when for one in began)
    earlier = "" if after == len(began) else " The others began before it, as runs of tables that share them do."
    known = f"of {when:%Y-%m-%d %H:%M} UTC; changes since are dated at its end"
    return Markdown(f"{text}, {known}. {after} of {len(began)} runs began after it.{earlier}")


def deciding_length(study: TableStudy) -> Markdown:
    """The longest length that the first four arms have with all seeds: by the registration, others decide nothing."""
    runs, primary = runs_by_budget(study), study.table.claims[0]
    seeds = runs.groupby("row", observed=True)["seed"].nunique()
    place = primary.deciding({row.key: int(seeds.get(row.label, 0)) for row in study.table.rows})
    rows = [study.table.row(key) for key in primary.lengths[place]]
    if place < 0:
        methods = ", ".join(row.ticks[0] for row in rows)
        return Markdown(f"**No length decides yet:** none has {primary.least_seeds} seeds of each of {methods}.")
    epochs, people = runs.loc[runs["row"] == rows[0].label, ["epochs", "people"]].max().astype(int)
    return Markdown(f"**{epochs} epochs decide** ({people:,} people seen); what other lengths say decides nothing.")


def _committed_at() -> datetime | None:
    command = ["git", "-C", str(project_root()), "log", "-1", "--format=%cI", REGISTERED, "--"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        return None
    return datetime.fromisoformat(done.stdout.strip()).astimezone(UTC)


def _claims_by_pair(study: TableStudy) -> dict[str, list]:
    found: dict[str, list] = {}
    for claim in study.table.claims:
        better, than = (study.table.row(key).ticks[0] for key in (claim.better, claim.than))
        found.setdefault(f"{better} minus {than}", []).append(claim)
    return found
