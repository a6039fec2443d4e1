"""Frames of the study of effects against budget: runs, differences, their slopes over people seen; its registration.

`docs/preregistration.md` says what decides.
"""

import subprocess
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from IPython.display import Markdown

from poseur_study.analysis.interval import student_half_width
from poseur_study.runs.project import project_root
from poseur_study.table_study.study import TableStudy

REGISTERED = "7fd52beac3"
"""The commit that has `docs/preregistration.md` as it was before the first run."""
REGISTRATION = "docs/preregistration.md"


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


def slopes_by_budget(study: TableStudy) -> pd.DataFrame:
    """A line a pair: what threefold training adds to the difference (AP), 95 % interval over seeds, lengths, seeds.

    Of each seed, the least squares slope over log3 of people seen; none where there are not two of either.
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
            lines.append((pair, np.nan, np.nan, np.nan, by_seed.shape[1], len(by_seed)))
            continue
        slopes = np.polyfit(np.log(by_seed.columns.astype(float)) / np.log(3), by_seed.T, 1)[0]
        half = student_half_width(slopes.tolist())
        lines.append((pair, slopes.mean(), slopes.mean() - half, slopes.mean() + half, *by_seed.shape[::-1]))
    return pd.DataFrame(lines, columns=["pair", "AP for threefold training", "low", "high", "lengths", "seeds"])


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
