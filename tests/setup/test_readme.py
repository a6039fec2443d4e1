"""The numbers of the README's headline are those of the recorded runs."""

import csv
import re
from collections import defaultdict
from pathlib import Path
from statistics import mean

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.analysis.result_types import TableResult
from poseur_study.analysis.seed_model import pooled, trainings
from poseur_study.experiments import tables
from poseur_study.runs.store import RunStore, runs_of

ROOT = Path(__file__).resolve().parents[2]


def rows_of(table: str) -> list[dict[str, str]]:
    path = ROOT / "runs" / "mini" / "tables" / table / "rows.csv"
    return [row for row in csv.DictReader(path.open()) if row["column"] == "AP" and row["ours"]]


def rows(table: str) -> dict[str, dict[str, str]]:
    return {row["row"]: row for row in rows_of(table)}


def claim(table: str, text: str) -> dict[str, str]:
    path = ROOT / "runs" / "mini" / "tables" / table / "claims.csv"
    (found,) = [row for row in csv.DictReader(path.open()) if text in row["claim"]]
    return found


BRIER = "Brier skill rescaled"
SEEDS = {"1": "one seed", "2": "two seeds", "3": "three seeds"}


def said() -> str:
    return " ".join((ROOT / "README.md").read_text().split())


def test_headline_scores_are_recorded():
    scored = rows("1c")
    for key, words in (("none", "the detector's score alone"), ("RLE", "RLE's score"), ("Laplace", "Eq. 8")):
        ours, paper = float(scored[key]["ours"]), scored[key]["paper"]
        assert re.search(rf"\| {words}[^|]*\| {ours:.1f} \| {paper} \|", said())
    recall = claim("1c", "same-ar")
    ours, low, high = (float(recall[name]) for name in ("ours", "low", "high"))
    assert f"AR hardly moves (+{ours:.2f}, 95 % interval {low:.2f} to {high:.2f})" in said()


def test_headline_effect_of_noise_is_recorded():
    text, effect = said(), claim("1b", "gain")
    assert f"cost {-float(effect['ours']):.1f} AP here" in text
    seeds = SEEDS[effect["seeds"]]
    assert f"(95 % interval {float(effect['low']):.1f} to {float(effect['high']):.1f}, {seeds}" in text
    assert effect["verdict"].partition(",")[0] in text
    assert f"worth +{float(effect['paper']):.1f} AP in the paper" in text
    every = trainings(RunStore(ROOT / "runs" / "mini"), "7adba307a1f5b976", BoxSource.DETECTOR)
    crops = every[~every["whole_images"] & every["size"].isin([(64, 48)])]
    assert f"(Bartlett's p = {pooled(crops, 'AP').bartlett:.3f})" in text
    narrow = crops.loc[crops["run_id"].str.startswith("poseur_narrow12_"), "AP"]
    assert f"whose seeds lie {narrow.max() - narrow.min():.1f} AP apart" in text and len(narrow) == 3


def test_what_is_said_of_truncated_people_is_recorded():
    path = ROOT / "runs" / "mini" / "tables" / "figure_s1" / "measured_truncation.csv"
    correct = defaultdict(list)
    for one in csv.DictReader(path.open()):
        if (one["side"], one["zone"], one["share cut"]) == ("bottom", "outside", "all"):
            correct[one["row"]].append(float(one["correct %"]))
    found = {row: f"{mean(of):.1f} %" for row, of in correct.items()}
    assert (
        f"Poseur as released finds {found['as_released']} of the keypoints, heatmaps {found['heatmap']}, and" in said()
    )
    whole = {row["row"]: float(row["ours"]) for row in rows_of("figure_s1")}
    cost = whole["Poseur, as released"] - whole["Poseur, supervised outside"]
    assert f"trained on such keypoints {found['supervised']}, for {cost:.1f} AP on whole people" in said()
    beyond = [one for one in csv.DictReader(path.open())
              if (one["side"], one["zone"], one["share cut"]) == ("right", "outside", "all")]  # fmt: skip
    assert {(one["correct %"], one["keypoints"]) for one in beyond} == {("0", "211")}


def test_what_noise_is_for_is_recorded():
    path = ROOT / "runs" / "mini" / "tables" / "noisy_proposals" / "measured_shifts.csv"
    ap = defaultdict(list)
    for one in csv.DictReader(path.open()):
        ap[one["row"], one["shift"]].append(float(one["AP"]))
    left = {row: round(100 * mean(ap[row, "0.1"]) / mean(ap[row, "0"])) for row in ("with", "without")}
    assert (
        left["without"] == 0 and f"a tenth of the crop {left['with']} % of the AP is left, without it nothing" in said()
    )


def test_the_effect_in_whole_images_is_recorded():
    effect = claim("3", "over-mask-rcnn")
    ours, low, high, paper = (float(effect[name]) for name in ("ours", "low", "high", "paper"))
    assert f"Poseur is {-ours:.1f} AP behind the heatmap head of Mask R-CNN ({low:.1f} to {high:.1f})" in said()
    table = tables(["3"])[0]
    printed = table.printed_difference(next(one for one in table.claims if one.of == "over-mask-rcnn"))
    assert f"the paper has it {paper:.1f} ahead in its text and {printed:.1f} in its table" in said()


def test_the_lead_over_heatmaps_at_every_size_is_recorded():
    large, middle, small = (claim("2b", f"better-at-all-sizes: poseur_{side} over") for side in (256, 128, 64))
    ours, low, high = (float(large[name]) for name in ("ours", "low", "high"))
    leads = f"by {ours:.1f} AP ({low:.1f} to {high:.1f}) at 64×48, by {float(middle['ours']):.1f} at 32×32"
    assert f"{leads} and by {float(small['ours']):.1f} at 16×16" in said()
    ap = {row["row"]: float(row["ours"]) for row in rows_of("2b") if row["column"] == "AP"}
    left = [ap[f"SimpleBaseline, ResNet-50, {size} × {size}"] for size in (128, 64)]
    assert "heatmaps have {:.1f} and {:.1f} AP".format(*left) in said()
    bounds = csv.reader((ROOT / "reports" / "mini" / "csv" / "table_2b_7.csv").open())
    bound = {line[1]: float(line[3]) for line in bounds if line[0].startswith("SimpleBaseline")}
    assert f"targets that are learned exactly give {bound['32 × 32']:.1f} and {bound['16 × 16']:.1f} AP" in said()
    more, less = (claim("2b", f"heatmaps-lose-more: simba_256 over simba_{size} beyond poseur_256 over poseur_{size}")
                  for size in (128, 64))  # fmt: skip
    assert more["verdict"].startswith("same") and less["verdict"].startswith("opposite")


def test_the_runs_on_real_people_are_recorded():
    of = {}
    for one in runs_of(RunStore(ROOT / "runs" / "real")):
        config, reached = one.record.config, one.record.of(BoxSource.GROUND_TRUTH).AP
        head = config.model.head
        kind = head.codec.decoding if head.kind == "heatmap" else head.kind
        of[kind, config.train.epochs, config.seed] = reached
    kinds = ("quarter", "dark", "regression", "poseur")
    seeds = [sorted(of[kind, 16, seed] for seed in (0, 1, 2)) for kind in kinds]
    ends = [end for reached in seeds for end in (reached[0], reached[-1])]
    first, *others = ("{:.1f} to {:.1f}".format(*ends[place : place + 2]) for place in range(0, 8, 2))
    assert f"SimpleBaseline has {first} AP, with DARK {others[0]}, RLE {others[1]}, Poseur {others[2]}." in said()
    short = (of[kind, 4, 0] for kind in ("quarter", "regression", "poseur"))
    assert "SimpleBaseline, RLE and Poseur have {:.1f}, {:.1f} and {:.1f}".format(*short) in said()
    table = TableResult.model_validate_json((ROOT / "runs/real/tables/budget/result.json").read_text(encoding="utf-8"))
    heatmaps, dark, rle = (next(one for one in table.claims if one.key.endswith(f"poseur_33 over {other}_33"))
                           for other in ("simba", "dark", "rle"))  # fmt: skip
    behind, apart = heatmaps.effect, "{:.1f} AP behind heatmaps ({:.1f} to {:.1f})"
    assert apart.format(-behind.value, behind.low, behind.high) in said()
    assert f"{-dark.effect.value:.1f} behind those with DARK and {-rle.effect.value:.1f} behind RLE" in said()
    assert {str(one.verdict).split(",")[0] for one in (heatmaps, dark, rle)} == {"opposite direction"}
    moved = list(csv.DictReader((ROOT / "runs/real/tables/budget/measured_moved_boxes.csv").open()))
    ap = {kind: mean([float(one["AP"]) for one in moved if (one["row"], one["spread"]) == (kind, "0.03")])
          for kind in ("poseur_33", "simba_33")}  # fmt: skip
    assert f"moved by 3 % of the sides, Poseur is {ap['simba_33'] - ap['poseur_33']:.1f} AP behind" in said()


def test_the_calibration_error_is_recorded():
    assert f"calibration error is {float(claim('calibration', 'probability')['ours']):.0f} %" in said()


def test_what_the_score_gains_and_a_factor_on_sigma_are_recorded():
    path = ROOT / "runs" / "mini" / "tables" / "scoring" / "scoring.csv"
    found = {one["what"]: float(one["value"]) for one in csv.DictReader(path.open()) if one["row"] == "Poseur"}
    gain, people = found["gain"], found["gain on people"]
    assert f"Of the {gain:.1f} AP, {people:.1f} are there without the boxes on the background" in said()
    assert round(10 * people / gain) == 9, "nine tenths"
    assert (
        f"brings that to {found['ECE rescaled']:.1f} % and costs the ranking ({found['AP rescaled']:.1f} AP)" in said()
    )
    small = f"{found['AP rescaled, small']:.1f} AP and {found['ECE rescaled, small']:.1f} %"
    radius = f"with a radius of {found['small radius']:g}, chosen on these images, both are had at once"
    assert f"{radius}: {small}" in said()
    constant, skill = ([found[f"{what}{end}"] for end in ("", ", small")] for what in ("ECE constant", BRIER))
    assert f"A constant has {constant[0]:.1f} and {constant[1]:.1f} %" in said()
    assert f"of the two are {100 * skill[0]:.0f} and {100 * skill[1]:.0f} % below a constant's" in said()


def test_the_figures_are_there():
    """People, as a picture that any viewer shows, and the model."""
    people, model = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert (ROOT / people).read_bytes().startswith(b"\xff\xd8")
    assert "<svg" in (ROOT / model).read_text()[:1000]


def test_the_first_screen_has_the_picture_and_the_answer():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert next(place for place, line in enumerate(lines) if line.startswith("![")) < 12
    assert next(place for place, line in enumerate(lines) if line.startswith("**")) < 15
