"""The numbers of the README's headline are those of the recorded runs."""

import csv
import json
import re
from pathlib import Path

import pytest

from poseur_study.analysis.power import detectable
from poseur_study.analysis.result_types import TableResult
from poseur_study.experiments import TABLES
from poseur_study.experiments.experiment import EffectKind, Table
from poseur_study.experiments.profiles import profile

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


def test_gains_of_the_score_are_recorded():
    result = TableResult.model_validate_json((ROOT / "runs/mini/tables/1c/result.json").read_text())
    effects = {one.key.partition(":")[0]: one.effect for one in result.claims}
    none, rle = (effects[f"1c-over-{other}"] for other in ("none", "rle"))
    over_none = f"{none.value:+.1f} AP (95 % interval {none.low:+.1f} to {none.high:+.1f}) over the detector's alone"
    assert f"{over_none} and {rle.value:+.1f} ({rle.low:+.1f} to {rle.high:+.1f}) over RLE's" in whole()


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


HEADLINE = ("1b", "1c-over-none", "1c-over-rle", "1c-same-ar")
WORDS = {"laplace-comparable": "comparable", "emsda-as-good": "almost the same", "layers-saturate": "saturates"}


def listed() -> list[list[str]]:
    lines = [line for line in (ROOT / "README.md").read_text().splitlines() if re.match(r"\| .+ \((1|S)\w\)", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def measured() -> list[tuple[Table, dict[str, str]]]:
    """Every effect on AP of the tables that were run, but for the headline's, in the order of the tables."""
    found = []
    for table in TABLES:
        path = ROOT / "runs" / "mini" / "tables" / table.number / "claims.csv"
        if path.exists() and not any(claim.measured for claim in table.claims):
            rows = list(csv.DictReader(path.open()))
            found += [(table, row) for row in rows if row["ours"] and not row["claim"].startswith(HEADLINE)]
    return found


def shown(effect: dict[str, str]) -> list[str]:
    ours, low, high = (f"{round(float(effect[key]), 1) + 0.0:+.1f}" for key in ("ours", "low", "high"))
    return [f"{ours} ({low} to {high})", effect["verdict"].partition(",")[0]]


def test_all_effects_are_listed_as_they_are_recorded():
    recorded = sorted([table.number, *shown(effect)] for table, effect in measured())
    assert sorted([re.search(r"\((\w+)\)", row[0])[1], row[2], row[4]] for row in listed()) == recorded


def test_what_the_paper_says_and_what_could_be_found():
    for table, effect in measured():
        (row,) = [one for one in listed() if f"({table.number})" in one[0] and [one[2], one[4]] == shown(effect)]
        (claim,) = [one for one in table.claims if one.key == effect["claim"]]
        word = WORDS.get(effect["claim"].partition(":")[0])
        assert row[1] == (word or (f"{float(effect['paper']):+.1f}" if effect["paper"] else "grows"))
        could = detectable(table, claim, profile("mini"), int(effect["seeds"]))
        assert row[3] == (f"±{claim.margin:g} asked" if claim.kind == EffectKind.EQUIVALENCE else f"{could.points:.1f}")


def test_tables_of_mixed_devices_are_marked():
    for table in {table.number for table, _ in measured()}:
        result = TableResult.model_validate_json((ROOT / f"runs/mini/tables/{table}/result.json").read_text())
        marked = {"†" in row[0] for row in listed() if f"({table})" in row[0]}
        assert marked == {bool(result.mixed_devices)}, table


def test_calibration_errors_are_recorded():
    bins = csv.DictReader((ROOT / "runs" / "mini" / "tables" / "calibration" / "calibration.csv").open())
    of_eq6 = [one for one in bins if (one["predicted"], one["radius"]) == ("Eq. 6", "0.2")]
    apart = sum(abs(float(one["mean"]) - float(one["observed"])) * float(one["part"]) for one in of_eq6) / 100
    assert f"calibration error is {float(claim('calibration', 'probability')['ours']):.0f} %" in headline()
    assert f"has a calibration error of {apart:.1f} %" in whole()
    assert sum(float(one["part"]) for one in of_eq6 if float(one["mean"]) > 97) == pytest.approx(80, abs=1)


def test_the_number_of_runs_is_that_of_the_records():
    records = [json.loads(path.read_text())["record"] for path in (ROOT / "runs" / "mini").glob("*/record.json")]
    on_gpu = sum("NVIDIA" in record["provenance"]["device"] for record in records)
    assert f"All {len(records)} runs" in whole() and f"the other {on_gpu} on one GPU" in whole()
    assert f"{len(records) - on_gpu} were made on a CPU" in whole()
    days = {record["provenance"]["finished_at"][:10] for record in records}
    assert len(days) == 1 and "several commits of one day" in whole()


def test_runs_from_uncommitted_changes_are_named():
    found = {path.parent.name for path in (ROOT / "runs" / "mini").glob("*/record.json") if dirty(path)}
    table = json.loads((ROOT / "runs" / "mini" / "tables" / "1d" / "result.json").read_text())
    assert "Two, of Table 1d, come from a tree with uncommitted changes" in whole() and len(found) == 2
    assert found <= {run_id for row in table["rows"] for run_id in row["run_ids"]}


def dirty(record: Path) -> bool:
    return json.loads(record.read_text())["record"]["provenance"]["dirty"]


def test_the_figures_are_there():
    """What was found, as a picture that any viewer shows, and the model."""
    found, model = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert (ROOT / found).read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (ROOT / model).read_text()[:1000]
