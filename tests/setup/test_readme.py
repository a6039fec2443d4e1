"""The numbers of the README's headline are those of the recorded runs."""

import csv
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def rows(table: str) -> dict[str, dict[str, str]]:
    path = ROOT / "runs" / "mini" / "tables" / table / "rows.csv"
    return {row["row"]: row for row in csv.DictReader(path.open()) if row["column"] == "AP"}


def claim(table: str, text: str) -> dict[str, str]:
    path = ROOT / "runs" / "mini" / "tables" / table / "claims.csv"
    (found,) = [row for row in csv.DictReader(path.open()) if text in row["claim"]]
    return found


SEEDS = {"1": "one seed", "2": "two seeds", "3": "three seeds"}


def whole() -> str:
    return " ".join((ROOT / "README.md").read_text().split())


def headline() -> str:
    return " ".join(re.search(r"\*\*(.+?)\*\*", (ROOT / "README.md").read_text(), re.DOTALL)[1].split())


def test_headline_scores_are_recorded():
    text, scored = headline(), rows("1c")
    ours = [f"{float(scored[key]['ours']):.1f}" for key in ("none", "RLE", "Laplace")]
    paper = [scored[key]["paper"] for key in ("none", "RLE", "Laplace")]
    assert f"{ours[0]} AP with the detector's score alone, {ours[1]} with RLE's score and {ours[2]} with Eq. 8" in text
    assert f"(paper, on COCO: {', '.join(paper)})" in text
    assert abs(float(claim("1c", "same-ar")["ours"])) <= 0.1


def test_headline_effect_of_noise_is_recorded():
    text, effect = headline(), claim("1b", "gain")
    assert f"cost {-float(effect['ours']):.1f} AP here" in text
    seeds = SEEDS[effect["seeds"]]
    assert f"(95 % interval {float(effect['low']):.1f} to {float(effect['high']):.1f}, {seeds}" in text
    assert effect["verdict"].partition(",")[0] in text
    assert f"worth +{float(effect['paper']):.1f} AP in the paper" in text


def test_what_noise_does_for_wrong_proposals_is_recorded():
    text, effect = whole(), claim("noisy_proposals", "AP at 0.1")
    assert effect["verdict"].startswith("same direction")
    numbers = (float(effect[key]) for key in ("ours", "low", "high"))
    words = "keeps {:.1f} points more of its AP in percent ({:.1f} to {:.1f}, {})"
    assert words.format(*numbers, SEEDS[effect["seeds"]]) in text


CLAIMS = {
    "(1a)": "coarse-gain",
    "(1d)": "levels_4 over levels_3",
    "(1e)": "layers_3 over layers_2",
    "(S2)": "attention-gain",
    "(S3)": "sharing-costs",
    "(S4)": "emsda-as-good",
    "(S6)": "poseur_box over rle_box",
    "(1c)": "laplace-comparable",
}


def listed() -> dict[str, list[str]]:
    lines = [line for line in (ROOT / "README.md").read_text().splitlines() if re.match(r"\| .+ \((1|S)\w\) \|", line)]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].split()[-1]: row for row in cells}


@pytest.mark.parametrize("table", CLAIMS)
def test_the_other_effects_are_recorded(table):
    effect = claim(table.strip("()"), CLAIMS[table])
    _, paper, here, verdict = listed()[table]
    ours, low, high = (f"{round(float(effect[key]), 1) + 0.0:+.1f}" for key in ("ours", "low", "high"))
    assert here == f"{ours} ({low} to {high})" and verdict == effect["verdict"].partition(",")[0]
    if effect["kind"] == "equivalence":
        assert paper == "almost the same"
    else:
        assert paper == (f"{float(effect['paper']):+.1f}" if effect["paper"] else "more")
    assert effect["seeds"] == "3"


def test_every_listed_effect_is_tested():
    assert listed().keys() == CLAIMS.keys()


def test_calibration_errors_are_recorded():
    bins = csv.DictReader((ROOT / "runs" / "mini" / "tables" / "calibration" / "calibration.csv").open())
    of_eq6 = [one for one in bins if (one["predicted"], one["radius"]) == ("Eq. 6", "0.2")]
    apart = sum(abs(float(one["mean"]) - float(one["observed"])) * float(one["part"]) for one in of_eq6) / 100
    assert f"calibration error of {float(claim('calibration', 'probability')['ours']):.0f} %" in whole()
    assert f"has one of {apart:.1f} %" in whole()


def test_the_number_of_runs_is_that_of_the_records():
    records = [json.loads(path.read_text())["record"] for path in (ROOT / "runs" / "mini").glob("*/record.json")]
    on_gpu = sum("NVIDIA" in record["provenance"]["device"] for record in records)
    assert f"All {len(records)} runs" in whole() and f"the other {on_gpu} on one GPU" in whole()


def test_the_first_figure_is_there():
    (figure,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert (ROOT / figure).read_bytes().startswith(b"\x89PNG")
