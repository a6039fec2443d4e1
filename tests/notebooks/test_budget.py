"""The study of effects against budget: its frames on made runs, and its registration."""

import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from poseur_study.experiments import BUDGET
from poseur_study.experiments.budget import ARMS, EPOCHS, PAIRS
from poseur_study.experiments.profiles import PROFILES, profile
from poseur_study.runs.project import project_root
from poseur_study.table_study import TableStudy
from poseur_study.table_study import budget as module
from poseur_study.table_study.budget import (
    REGISTERED,
    REGISTRATION,
    deciding_length,
    effects_by_budget,
    runs_by_budget,
    slopes_by_budget,
    steps_by_budget,
)


class MadeStudy(TableStudy):
    """AP = level of the arm + growth of the arm x log3(people / 1000) + noise that seeds share."""

    table = BUDGET
    finished = ()

    def __init__(self, seeds=(0, 1), missing=()):
        self.growth = {"poseur": 2.0, "simba": 0.5, "no_noise": 2.0}
        self.rows = [row for row in BUDGET.rows if "_box_" not in row.key and row.key not in missing]
        self.seeds = seeds

    @property
    def configs(self):
        real = profile("real")
        return {row.key: real.experiment(0, real.of_table("budget", BUDGET.changes(row))) for row in BUDGET.rows}

    def frame(self):
        lines = []
        for row in self.rows:
            arm, _, epochs = row.key.rpartition("_")
            people = 1000 * 3 ** EPOCHS.index(int(epochs))
            for seed in self.seeds:
                ap = 30 + self.growth.get(arm, 1.0) * np.log(people / 1000) / np.log(3) + seed
                lines.append((row.label, seed, ap, people))
        return pd.DataFrame(lines, columns=["row", "seed", "AP", "people"])

    def ap(self):
        return self.frame()[["row", "seed", "AP"]]

    def curves(self):
        return self.frame()[["row", "seed", "people"]]

    def verdicts(self):
        return pd.DataFrame({name: [None] * len(BUDGET.claims) for name in ("ours", "low", "high", "seeds", "verdict")})


def test_slopes_are_those_that_the_runs_were_made_with():
    slopes = slopes_by_budget(MadeStudy()).set_index("pair")
    simba, noise = slopes.loc["Poseur minus SimpleBaseline"], slopes.loc["Poseur minus without noise"]
    assert simba["AP for threefold training"] == pytest.approx(1.5) and simba["lengths"] == 4 and simba["seeds"] == 2
    assert noise["AP for threefold training"] == pytest.approx(0.0) and noise["low"] == pytest.approx(noise["high"])


def test_epochs_are_those_of_the_profile_not_of_the_paper():
    runs = runs_by_budget(MadeStudy())
    assert dict(zip(runs["people"], runs["epochs"], strict=True)) == {1000: 4, 3000: 16, 9000: 64, 27000: 256}
    assert set(effects_by_budget(MadeStudy())["epochs"]) == {4, 16, 64, 256}
    assert not any("epoch" in row.label for row in BUDGET.rows)


def test_the_longest_length_that_all_four_arms_have_with_three_seeds_decides():
    assert "No length decides yet" in deciding_length(MadeStudy(seeds=(0, 1))).data
    assert deciding_length(MadeStudy(seeds=(0, 1, 2))).data.startswith("**256 epochs decide** (27,000 people")
    without = MadeStudy(seeds=(0, 1, 2), missing=("dark_325", "rle_100"))
    assert deciding_length(without).data.startswith("**16 epochs decide**")
    primary = [claim for claim in BUDGET.claims if claim.lengths]
    assert len(primary) == 3 * len(EPOCHS) and {claim.least_seeds for claim in primary} == {3}


def test_a_slope_takes_two_lengths_and_two_seeds_of_both_arms():
    only = tuple(f"simba_{epochs}" for epochs in EPOCHS[1:])
    few = slopes_by_budget(MadeStudy(missing=only)).set_index("pair")
    assert np.isnan(few.loc["Poseur minus SimpleBaseline", "AP for threefold training"])
    assert few.loc["Poseur minus SimpleBaseline", "lengths"] == 1
    assert slopes_by_budget(MadeStudy(seeds=(0,)))["AP for threefold training"].isna().all()


class Jittered(MadeStudy):
    """Seed s adds s x the step's number to Poseur's AP and s x 2 x that to SimpleBaseline's; others gain 0.1 a step."""

    def frame(self):
        frame = super().frame()
        arms = frame["row"].str.partition(",")[0]
        steps = np.log(frame["people"] / 1000) / np.log(3)
        frame["AP"] -= (steps * 0.9).where(~arms.isin(["Poseur", "SimpleBaseline", "without noise"]), 0)
        jitter = arms.map({"Poseur": 1.0, "SimpleBaseline": 2.0}).fillna(0)
        return frame.assign(AP=frame["AP"] + frame["seed"] * jitter * steps)


def test_gains_have_the_variance_that_all_arms_of_a_step_show():
    """Ten arms of three seeds: of two, gains differ by 1 and by 2 between seeds, so s^2 = (1 + 4) / 10."""
    steps = steps_by_budget(Jittered(seeds=(0, 1, 2))).set_index(["arm", "people"])
    assert len(steps) == len(ARMS) * (len(EPOCHS) - 1)
    poseur = steps.loc["Poseur", 3000]
    half = stats.t.ppf(0.975, 20) * np.sqrt(0.5 / 3)
    assert (poseur["gain"], poseur["low"], poseur["high"]) == pytest.approx((3.0, 3 - half, 3 + half))
    assert set(steps["plateau"]) == {"not shown"}


def test_trainings_that_are_scored_twice_count_once_in_the_variance_of_a_gain():
    class Rescored(Jittered):
        def frame(self):
            frame = super().frame()
            of = {row.label: row.label.replace(",", " by box score,", 1) for row in BUDGET.rows if not row.scoring}
            again = frame[frame["row"].str.startswith(("Poseur,", "SimpleBaseline,"))]
            return pd.concat([frame, again.assign(row=again["row"].map(of))])

    once, twice = (steps_by_budget(of(seeds=(0, 1, 2))).set_index(["arm", "people"]) for of in (Jittered, Rescored))
    assert len(twice) == len(once) + 2 * (len(EPOCHS) - 1)
    pd.testing.assert_frame_equal(twice.loc[once.index], once)


def test_a_plateau_is_reached_where_the_whole_interval_is_below_it():
    class Flat(Jittered):
        def frame(self):
            frame = super().frame()
            return frame[~frame["row"].str.startswith(("Poseur", "SimpleBaseline,"))]

    steps = steps_by_budget(Flat(seeds=(0, 1, 2))).set_index(["arm", "people"])
    assert (steps.loc["RLE", "plateau"] == "reached").all() and (steps.loc["RLE", "gain"].round(3) == 0.1).all()
    assert (steps.loc["without noise", "plateau"] == "not shown").all()
    assert set(steps_by_budget(Flat(seeds=(0,)))["plateau"]) == {"not shown"}


def test_slopes_of_primary_pairs_are_adjusted_among_themselves():
    slopes = slopes_by_budget(Jittered(seeds=(0, 1, 2))).set_index("pair")
    one = stats.ttest_1samp([1.9, 2.9, 3.9], 0).pvalue  # Poseur gains 2 + seed, DARK and RLE 0.1
    assert slopes.loc["Poseur minus RLE", "p"] == pytest.approx(3 * one)
    assert slopes.loc["Poseur minus one level", "p"] == pytest.approx(one)
    missing = tuple(f"dark_{epochs}" for epochs in EPOCHS)
    early = slopes_by_budget(Jittered(seeds=(0, 1, 2), missing=missing)).set_index("pair")
    assert early.loc["Poseur minus RLE", "p"] == pytest.approx(3 * one)
    assert np.isnan(early.loc["Poseur minus SimpleBaseline with DARK", "p"])


def test_each_pair_is_tested_at_each_length_beside_what_the_paper_prints():
    effects = effects_by_budget(MadeStudy())
    assert len(effects) == len(PAIRS) * len(EPOCHS) and set(effects["people"]) == {1000, 3000, 9000, 27000}
    paper = effects.drop_duplicates("pair").set_index("pair")["paper"]
    assert paper["Poseur minus SimpleBaseline"] == pytest.approx(74.7 - 71.0)
    assert paper["Poseur minus RLE"] == pytest.approx(74.7 - 70.5)
    for claim in BUDGET.claims:  # Table 5's 5.0 and 4.9 AP are of other rows
        assert claim.of not in ("over-simba", "over-rle") or not any(map(str.isdigit, claim.text.replace("-50", "")))


def test_the_primary_differences_of_a_length_are_adjusted_among_themselves():
    families = Counter(claim.family for claim in BUDGET.claims)
    primary = {f"primary, length {place} of 4": 3 for place in range(1, 5)}
    assert families == {**primary, "secondary": (len(PAIRS) - 3) * len(EPOCHS)}


def test_every_profile_has_four_lengths_and_the_longest_arm_s_schedule_ends_with_it():
    for size in PROFILES:
        configs = [size.experiment(0, size.of_table("budget", BUDGET.changes(row))) for row in BUDGET.rows[:40:10]]
        lengths = [one.train.epochs for one in configs]
        assert len(set(lengths)) == 4 and lengths == sorted(lengths)
        assert size.light or all(one.train.people_per_epoch is None for one in configs)
        assert not any("Supp. Table 1" in line for line in size.deviations_of("budget", [{"train.epochs": 10}]))


def test_midi_pretrains_a_backbone_for_each_seed_and_mini_shares_one():
    midi, mini = profile("midi"), profile("mini")
    assert [midi.experiment(seed).pretext.seed for seed in range(3)] == [0, 1, 2]
    assert [mini.experiment(seed).pretext.seed for seed in range(3)] == [0, 0, 0]
    assert midi.experiment(1, {"pretext": None, "model.backbone.weights": "none"}).pretext is None


def git(*arguments):
    done = subprocess.run(["git", "-C", str(project_root()), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no history of this checkout: {done.stderr.strip()[:80]}")
    return done.stdout


def test_the_registered_design_is_the_one_that_is_shown():
    """Changes since are added at its end, and nothing before them is touched."""
    registered = git("show", f"{REGISTERED}:{REGISTRATION}")
    now = (project_root() / REGISTRATION).read_text()
    assert now.startswith(registered.partition("## Changes since")[0])
    for label, *_ in ARMS.values():
        word = label.split(",")[0].replace("SimpleBaseline with DARK", "with DARK")
        assert word.lower() in " ".join(now.lower().split())
    for name in ("midi", "real"):
        lengths = ", ".join(map(str, profile(name).budgets.values()))
        assert f"| {lengths} | {', '.join(map(str, profile(name).seeds))} |" in now


def test_a_checkout_without_history_says_that_it_cannot_tell(monkeypatch):
    monkeypatch.setattr(module, "REGISTERED", "f" * 40)
    assert "cannot be told" in module.registration(MadeStudy()).data


def test_runs_that_began_before_the_registration_are_counted_apart(monkeypatch):
    registered = datetime(2026, 11, 28, 12, tzinfo=UTC)
    monkeypatch.setattr(module, "_committed_at", lambda: registered)

    class Recorded(MadeStudy):
        """Three rows, of which two are scored from one run."""

        finished = (("poseur_10", "", 0), ("poseur_box_10", "", 0), ("simba_10", "", 0))

        def record(self, row_key, seed):
            hours = 1 if row_key == "simba_10" else -1
            began = SimpleNamespace(began=registered + timedelta(hours=hours))
            return SimpleNamespace(run_id=row_key.replace("_box", ""), provenance=began)

    said = module.registration(Recorded()).data
    assert "1 of 2 runs began after it. The others began before it" in said
