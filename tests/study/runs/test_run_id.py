"""A run's id: what moves it and what must never do so."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poseur_lib.config import ExperimentConfig, PretextRunConfig
from poseur_lib.config.base import Frozen
from poseur_study.runs import run_id as canonical
from poseur_study.runs.run_id import configuration_classes, extended, frozen_defaults, node_form, run_id

FIXTURE = json.loads(Path(__file__).parents[1].joinpath("run_ids.json").read_text())
KNOBS = {
    "seed": st.integers(1, 10**6),
    "data.input_size": st.tuples(st.integers(8, 512), st.integers(8, 512)).map(list),
    "model.head.decoder_layers": st.integers(4, 9),
    "model.head.dropout": st.floats(0.2, 0.9),
    "model.head.noise": st.sampled_from([{"kind": "none"}, {"kind": "paper"}, {"kind": "released", "groups": 2}]),
    "model.head.loss.log_phi_count": st.just(1),
    "model.backbone.depth": st.sampled_from([18, 34, 101, 152]),
    "train.schedule": st.sampled_from([{"kind": "cosine"}, {"kind": "step", "milestones": [3, 4]}]),
    "train.learning_rate": st.floats(1e-5, 9e-4),
    "train.augment": st.sampled_from([None, {"flip_probability": 0.25}]),
    "evaluation.flip_test": st.just(False),
}
changes = st.lists(st.sampled_from(sorted(KNOBS)), unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: KNOBS[name] for name in names})
)


def as_config(tree: dict) -> ExperimentConfig | PretextRunConfig:
    cls = PretextRunConfig if tree.get("kind") == "pretext" else ExperimentConfig
    return cls.model_validate_json(json.dumps(tree))


@pytest.mark.parametrize("entry", FIXTURE, ids=[entry["id"] for entry in FIXTURE])
def test_ids_of_the_past_keep_resolving(entry):
    assert run_id(as_config(entry["config"]), entry["data"], tuple(entry["parents"])) == entry["id"]


def test_an_id_has_a_readable_part_and_ten_digits():
    name, digits = run_id(ExperimentConfig(), "f" * 16).rsplit("_", 1)
    assert name == "poseur_resnet50_256x192_seed0"
    assert len(digits) == 10 and set(digits) <= set("0123456789abcdef")


@given(changes, changes)
def test_the_same_configuration_has_one_id_and_another_has_another(first, second):
    a, b = ExperimentConfig().with_changes(**first), ExperimentConfig().with_changes(**second)
    assert (run_id(a, "data") == run_id(b, "data")) == (a == b)


@given(changes, st.randoms())
def test_key_order_does_not_matter(change, random):
    config = ExperimentConfig().with_changes(**change)
    assert run_id(as_config(_shuffled(config.model_dump(mode="json"), random)), "data") == run_id(config, "data")


@given(st.text("0123456789abcdef", min_size=1), st.lists(st.text("abc", min_size=1), min_size=1, unique=True))
def test_data_and_parents_are_part_of_the_identity(fingerprint, parents):
    config = ExperimentConfig()
    assert run_id(config, fingerprint) != run_id(config, fingerprint + "0")
    assert run_id(config, fingerprint, tuple(parents)) != run_id(config, fingerprint)
    assert run_id(config, fingerprint, tuple(parents)) == run_id(config, fingerprint, tuple(reversed(parents)))


def test_a_default_configuration_is_nothing_but_its_class():
    assert node_form(ExperimentConfig(), frozen_defaults()) == {"class": "ExperimentConfig"}


def test_an_added_knob_at_its_default_changes_no_id():
    class Node(Frozen):
        old: int = 1
        new: str = "a"

    defaults = {"Node": {"old": 1}}
    assert node_form(Node(), defaults) == {"class": "Node"}
    assert node_form(Node(new="b"), defaults) == {"class": "Node", "new": "b"}


def test_a_changed_default_changes_no_id():
    class Node(Frozen):
        size: int = 3  # it was 2 when the defaults were frozen

    defaults = {"Node": {"size": 2}}
    assert node_form(Node(size=2), defaults) == {"class": "Node"}
    assert node_form(Node(), defaults) == {"class": "Node", "size": 3}


def test_an_added_knob_inside_a_nested_default_changes_no_id():
    class Inner(Frozen):
        kind: str = "inner"
        new: int = 0

    class Outer(Frozen):
        inner: Inner = Inner()

    defaults = {"Outer": {"inner": {"class": "Inner"}}, "Inner": {"kind": "inner"}}
    assert node_form(Outer(), defaults) == {"class": "Outer"}


def test_every_class_and_knob_is_in_the_frozen_file():
    assert extended(frozen_defaults()) == frozen_defaults(), "run python -m poseur_study.runs.run_id"
    assert {cls.__name__ for cls in configuration_classes()} >= {"PoseurConfig", "PretextConfig", "AugmentConfig"}


def test_nothing_of_a_device_or_a_path_is_a_knob():
    names = {name for cls in configuration_classes() for name in cls.model_fields}
    assert not names & {"device", "devices", "workers", "loader_workers", "path", "root", "precision", "threads"}


def test_hash_is_over_the_schema_version(monkeypatch):
    before = run_id(ExperimentConfig(), "data")
    monkeypatch.setattr(canonical, "SCHEMA_VERSION", 2)
    assert run_id(ExperimentConfig(), "data") != before


def _shuffled(tree, random):
    if not isinstance(tree, dict):
        return tree
    items = list(tree.items())
    random.shuffle(items)
    return {key: _shuffled(value, random) for key, value in items}
