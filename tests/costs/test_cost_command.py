"""`poseur cost`."""

import csv
import json
import os
import subprocess
import sys

import pytest

from poseur_study.cli.cost import RECORDED
from poseur_study.cli.main import main
from poseur_study.costs.cost_rows import RULE, CostRow
from poseur_study.costs.paper_costs import compare_costs, printed_costs

SMALL = ["--set", "model.backbone.widths=[8,8,8,8]", "--set", "model.head.decoder_layers=1"]


def test_table_and_csv(tmp_path, capsys):
    target = tmp_path / "costs.csv"
    assert main(["cost", "smoke", *SMALL, "--csv", str(target)]) == 0
    printed = capsys.readouterr().out
    assert all(part in printed for part in ("backbone", "neck", "decoder", "flows", "without flows", "hooks"))
    rows = list(csv.DictReader(target.open()))
    assert rows[-1]["part"] == "total"
    assert int(rows[-1]["parameters"]) == sum(int(row["parameters"]) for row in rows[:-1])


def test_a_configuration_file(tmp_path, capsys):
    from poseur_study.experiments.profiles import profile

    file = tmp_path / "config.json"
    file.write_text(profile("smoke").experiment(0).model_dump_json())
    assert main(["cost", str(file)]) == 0
    assert main(["cost", "smoke"]) == 0
    from_file, from_profile = capsys.readouterr().out.split("GFLOPs: billions")[:2]
    assert from_file.splitlines()[1:] == from_profile.splitlines()[2:]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give configurations, or --paper"),
        (["smoke", "--paper"], "give configurations, or --paper"),
        (["smok"], "did you mean 'smoke'"),
        (["absent.json"], "no such file"),
        (["smoke", "--set", "model.head.layers=2"], "layers"),
    ],
)
def test_errors_are_one_line(arguments, words, capsys):
    assert main(["cost", *arguments]) != 0
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_the_paper_s_costs_fit_the_terminal_and_need_no_torch(tmp_path):
    code = (
        "import sys; from poseur_study.cli.main import main; "
        f"main(['cost', '--paper', '--csv', {str(tmp_path / 'costs.csv')!r}]); assert 'torch' not in sys.modules"
    )
    for columns in (60, 80):
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "COLUMNS": str(columns)}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert max(map(len, lines)) <= columns
    rows, printed = list(csv.DictReader((tmp_path / "costs.csv").open())), done.stdout
    assert len(rows) == len(printed_costs()) == printed.count(" %") - RULE.count(" %")
    assert printed.count("  differs") == sum(row["verdict"] == "differs" for row in rows) > 0


def test_what_is_shown_is_what_is_counted():
    cell = next(cell for cell in printed_costs() if cell[0].number == "2a" and "mobilenet" in cell[1].key)
    (counted,) = compare_costs([cell])
    recorded = [CostRow(**row) for row in json.loads(RECORDED.read_text())["rows"]]
    assert counted in recorded
