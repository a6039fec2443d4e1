"""The numbers of the README's headline are those of the recorded runs."""

import csv
import re
from pathlib import Path

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


def test_the_other_effects_are_recorded():
    text, attention, levels = whole(), claim("S2", "attention-gain"), claim("1d", "levels_4 over levels_3")
    assert attention["verdict"].startswith("no effect found") and levels["verdict"].startswith("same direction")
    numbers = [float(attention[key]) for key in ("paper", "ours", "low", "high")]
    assert "({:+.1f} in the paper, {:.1f} here, {:.1f} to {:.1f})".format(*numbers) in text
    numbers = [float(levels[key]) for key in ("paper", "ours", "low", "high")]
    assert "the paper's {:+.1f} ({:+.1f}, {:.1f} to {:.1f})".format(*numbers) in text


def test_the_first_figure_is_there():
    (figure,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert (ROOT / figure).read_bytes().startswith(b"\x89PNG")
