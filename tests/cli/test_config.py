"""`poseur config`, and what a misspelt knob is told."""

import inspect
import re

import pytest
from pydantic import ValidationError

from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import describe_validation, knobs
from poseur_study.cli.config import entry, meaning, tables_by_setting
from poseur_study.cli.main import main
from poseur_study.experiments.profiles import profile


def leaves(tree: dict, above: str = "") -> set[str]:
    """The dotted paths of a configuration's values."""
    found = set()
    for name, value in tree.items():
        found |= leaves(value, f"{above}{name}.") if isinstance(value, dict) else {above + name}
    return found


def test_every_knob_that_a_configuration_has_is_listed_with_its_default(capsys):
    assert main(["config"]) == 0
    listed = dict(re.findall(r"^(\S+) = (.*?)(?:   \[kind .*)?$", capsys.readouterr().out, re.MULTILINE))
    for config in (ExperimentConfig(), profile("mini").config):
        there = {path for path in leaves(config.model_dump(mode="json")) if not path.endswith("kind")}
        assert there <= set(listed)
    assert listed["train.epochs"] == "325" and listed["pretext.epochs"] == "4" and listed["pretext"] == "null"


def test_every_knob_has_a_meaning_and_no_line_is_wider_than_the_terminal():
    for knob in knobs(ExperimentConfig):
        if not knob.path.endswith("kind"):
            head, *words = entry(knob, 60).split("\n")
            assert head.startswith(f"{knob.path} = ") and words, knob.path
            assert all(len(line) <= 60 for line in (head, *words))


def test_a_documented_knob_has_a_meaning_of_its_own():
    for knob in knobs(ExperimentConfig):
        summary, _, attributes = inspect.cleandoc(knob.owner.__doc__).partition("Attributes:")
        if re.search(rf"^ +(\w+, )*{knob.path.rpartition('.')[2]}(, \w+)*: ", attributes, re.MULTILINE):
            assert meaning(knob) not in " ".join(summary.split()) and "Raises:" not in meaning(knob), knob.path


def test_words_choose_knobs_and_tables_are_named(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["config", "decoder_layers", "poseur"]) == 0
    assert "model.head.decoder_layers = 3   [kind poseur]\n" in (said := capsys.readouterr().out)
    assert "Varied in Table 1e, Table 5, Fig. 1." in said and "train.epochs" not in said
    assert main(["config", "decodr"]) == 1
    assert "unknown knob 'decodr'" in capsys.readouterr().err


def test_a_knob_is_varied_where_the_rows_of_its_kind_have_several_values():
    varied = tables_by_setting()
    assert varied["model.head.noise", "poseur"] == ["Table 1b", "Noisy proposals"]
    assert "Table 5" in varied["model.backbone.width", "hrnet"] and ("model.backbone.width", "timm") not in varied
    assert ("model.head.embed_dims", "poseur") not in varied, "the other heads' widths are other knobs"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("learning_rate", "train.learning_rate"),
        ("lerning_rate", "train.learning_rate"),
        ("head.decoder_layer", "model.head.decoder_layers"),
        ("train.decoder_layers", "model.head.decoder_layers"),
        ("model.head.decoder_weigth", "model.head.loss.decoder_weight"),
        ("data.flip-test", "evaluation.flip_test"),
        ("backbone.width", "model.backbone.width"),
        ("model.pretext.weight_decay", "pretext.weight_decay"),
    ],
)
def test_a_misspelt_or_misplaced_knob_is_told_its_nearest_neighbour_in_the_tree(given, meant):
    with pytest.raises(ValidationError) as caught:
        ExperimentConfig().with_changes(**{given: 1})
    expected = f"unknown parameter {given!r}: did you mean {meant!r}?"
    assert describe_validation(caught.value, ExperimentConfig) == expected


def test_a_knob_of_another_kind_is_not_offered_as_itself():
    assert "model.head.layers" in {knob.path for knob in knobs(ExperimentConfig)}  # of tokenpose
    with pytest.raises(ValidationError) as caught:
        ExperimentConfig().with_changes(**{"model.head": {"kind": "poseur", "layers": 9}})
    said = describe_validation(caught.value, ExperimentConfig)
    assert said == "unknown parameter 'layers': did you mean 'share_layers'? (in model.head.poseur)"


def test_a_neighbour_beside_it_comes_first():
    with pytest.raises(ValidationError) as caught:
        profile("mini").config.with_changes(**{"pretext.learning_rat": 1.0})
    assert describe_validation(caught.value, ExperimentConfig).endswith("did you mean 'learning_rate'? (in pretext)")
