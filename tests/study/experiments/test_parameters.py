"""A notebook's parameters are named and typed."""

import re
from pathlib import Path

import pytest

from poseur_lib.errors import UserError
from poseur_lib.keypoints import COCO_17
from poseur_study.cli.main import main
from poseur_study.cli.options import parse_changes, parse_seeds
from poseur_study.execution.batch import Batch
from poseur_study.experiments.notebook_parameters import RunSettings, TableSettings, check_parameters
from poseur_study.experiments.profiles import profile
from poseur_study.runs.run_steps import open_run
from poseur_study.table_study import TableStudy

NOTEBOOKS = Path(__file__).resolve().parents[3] / "notebooks"


def test_parameters_are_taken_from_the_namespace():
    namespace = {"profile": "mini", "seed": 3, "something_else": object(), "In": ["", "import os"]}
    settings = RunSettings.from_notebook(namespace)
    assert (settings.profile, settings.seed, settings.device) == ("mini", 3, "auto")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", "3"), ("seed", -1), ("seed", 1.0), ("seed", True), ("progress", "true"), ("device", "gpu"),
        ("overrides", "model.head=1"), ("limit_epochs", None),
    ],
)  # fmt: skip
def test_an_ill_typed_parameter_is_named_with_its_value(name, value):
    with pytest.raises(UserError, match=name):
        RunSettings.from_notebook({name: value})


def test_a_name_that_papermill_injected_and_no_one_knows_is_an_error():
    injected = '# Parameters\nprofile = "mini"\nseeed = 3\n'
    with pytest.raises(UserError, match="unknown parameter 'seeed': did you mean 'seed'"):
        RunSettings.from_notebook({"profile": "mini", "seeed": 3, "In": ["", "x = 1", injected]})
    with pytest.raises(UserError, match="did you mean 'workers'"):
        TableSettings.from_notebook({"In": ["# Parameters\nworker = 2"]})


def test_the_batch_checks_names_before_it_starts():
    check_parameters(NOTEBOOKS / "train_variant.ipynb", {"seed": 0, "overrides": {}})
    with pytest.raises(UserError, match=r"'sead'.*'seed'"):
        check_parameters(NOTEBOOKS / "train_variant.ipynb", {"sead": 0})


def test_a_seed_that_is_given_twice_is_refused_on_every_way_in():
    message = "seeds \\[0, 1, 0\\]: seed 0 is given more than once"
    with pytest.raises(UserError, match=message):
        TableStudy("1b", profile="mini", workers=0, seeds=[0, 1, 0])
    with pytest.raises(UserError, match=message):
        Batch("mini", ("1b",), parse_seeds("0,1,0"), "", "runs", {})


def test_seeds_are_a_list_a_tuple_or_a_range():
    assert [TableSettings(seeds=seeds).seeds for seeds in ([1], (0, 2), range(2))] == [[1], [0, 2], [0, 1]]
    for seeds in ("01", {0}, (0, "1"), 0):
        with pytest.raises(ValueError, match="seeds"):
            TableSettings(seeds=seeds)


@pytest.mark.parametrize("start", [[], ["--init", "none.pt"]], ids=["profile", "init"])
def test_a_seed_among_the_changes_is_refused_and_not_ignored(tmp_path, capsys, start):
    plain = ["--set", "pretext=null", "--set", "model.backbone.weights=none"]
    assert main(["train", str(tmp_path / "run"), "--data", str(tmp_path), "--set", "seed=3", *plain, *start]) == 1
    assert "--set seed=3: give --seed 3" in capsys.readouterr().err
    with pytest.raises(UserError, match="seed = 3 is no change"):
        profile("mini").experiment(0, {"seed": 3})


@pytest.mark.parametrize("change", [{"pretext.seed": 0}, {"pretext": {"epochs": 1, "seed": 0}}], ids=["knob", "whole"])
def test_the_seed_of_a_pretraining_that_has_the_run_s_is_refused(change):
    with pytest.raises(UserError, match=r"pretext\.seed = 0: profile 'midi' pretrains a backbone for every seed"):
        profile("midi").experiment(1, change)
    with pytest.raises(UserError, match=r"pretext\.seed = 0: .*here 1"):
        Batch("midi", ("1b",), (0, 1), "", "runs", change)
    assert profile("midi").experiment(0, change).pretext.seed == profile("mini").experiment(1, change).pretext.seed == 0


def test_keypoints_of_one_s_own_are_no_study_s():
    """They were judged by the profile's."""
    own = {"data.keypoint_set": {"name": "mine", "names": list(COCO_17.names), "flip_pairs": []}}
    message = r"keypoints 'mine' are your own, .*poseur train takes them \(docs/own_keypoints\.md\)"
    with pytest.raises(UserError, match=message):
        Batch("mini", ("1b",), (), "", "runs", own)
    with pytest.raises(UserError, match=message):
        open_run(RunSettings(profile="mini", data="gone", overrides=own))


def test_changes_and_seeds_of_the_command_line():
    assert parse_seeds("2,0, 1") == (2, 0, 1)
    assert parse_changes(["a.b=2", "c=text", 'd={"e": [1]}', "f=1e-3"]) == {
        "a.b": 2, "c": "text", "d": {"e": [1]}, "f": 1e-3,
    }  # fmt: skip
    with pytest.raises(UserError, match="'x'"):
        parse_seeds("0,x")
    with pytest.raises(UserError, match="PATH=VALUE"):
        parse_changes(["a.b"])
    for path, value in (("a", "[" * 5000), ("a", "[" * 160 + "]" * 160), ("a", '{"b":' * 400), ("a" + ".b" * 160, "1")):
        with pytest.raises(
            UserError, match=f"--set {re.escape(repr(path)[:80])}.*: has more than 150 dots and brackets"
        ):
            parse_changes([f"{path}={value}"])
