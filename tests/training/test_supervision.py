"""Keypoints outside the crop: without a target as released, with one where the knob asks for it and the head can."""

import json
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from poseur_lib.config import ExperimentConfig, RegressionConfig
from poseur_lib.config.heads import HeadConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.crop import CropRule
from poseur_lib.data.dataset import PoseBatch, PoseCrops
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.build import build_model
from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import pose_loss, train
from poseur_lib.training.folder import train_in_folder
from poseur_study.runs.run_id import run_id
from tests.training.tiny import tiny_config, write_people

KNOB = "train.supervise_outside_crop"
REACHING = {"poseur": {}, "regression": {"model.head": {"kind": "regression", "flow_hidden": 8}}}
CONFINED = {
    "heatmap": "head 'heatmap'",
    "integral": "head 'integral'",
    "transpose": "head 'transpose'",
    "tokenpose": "head 'tokenpose'",
    "prtr": "head 'prtr'",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), train=16, val=4)


@pytest.fixture(scope="module")
def batch(data) -> PoseBatch:
    """Crops of the upper left quarter of each person: most of the labelled keypoints lie outside."""
    people = [replace(person, box=(10, 10, 26, 38)) for person in CocoPeople(data, "val", COCO_17).people()]
    crops = PoseCrops(people, COCO_17, (64, 48), CropRule(), None, 0)
    return PoseBatch(*(torch.stack(column) for column in zip(*crops, strict=True)))


def outside(batch: PoseBatch) -> torch.Tensor:
    return (batch.visibility > 0) & ~batch.inside


@pytest.mark.parametrize("kind", REACHING)
def test_a_keypoint_outside_the_crop_moves_the_loss_only_if_supervised(batch, kind):
    torch.manual_seed(0)
    model = build_model(tiny_config(**REACHING[kind])).eval()
    assert outside(batch).sum() > 20 and batch.inside.any()
    gradients = {}
    for supervised in (False, True):
        points = batch.keypoints.clone().requires_grad_()
        torch.manual_seed(0)
        pose_loss(model, batch._replace(keypoints=points), supervise_outside_crop=supervised).total.backward()
        gradients[supervised] = points.grad.abs().sum(-1)
    assert (gradients[False][outside(batch)] == 0).all() and (gradients[True][outside(batch)] > 0).all()
    assert torch.equal(gradients[False][batch.inside], gradients[True][batch.inside])
    assert (gradients[True][batch.visibility == 0] == 0).all()


@pytest.mark.parametrize("kind", REACHING)
def test_the_gradient_of_outside_keypoints_alone_reaches_the_output_layers(batch, kind):
    torch.manual_seed(0)
    model = build_model(tiny_config(**REACHING[kind]))
    beyond = batch._replace(visibility=batch.visibility * outside(batch), inside=torch.zeros_like(batch.inside))
    assert pose_loss(model, beyond).total == 0
    pose_loss(model, beyond, supervise_outside_crop=True).total.backward()
    last = model.head.coordinates if kind == "regression" else model.head.decoder.branches[-1].correction[-1]
    assert last.weight.grad.abs().sum() > 0


def test_supervised_poseur_learns_to_pass_the_border_and_as_released_does_not(batch):
    """The oracle is the data: four crops learned by heart, most of whose keypoints lie outside."""
    errors = {}
    for supervised in (False, True):
        torch.manual_seed(0)
        model = build_model(tiny_config(**{"model.head.noise": {"kind": "none"}, "model.head.decoder_layers": 1}))
        optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
        for _ in range(120):
            optimiser.zero_grad()
            pose_loss(model, batch, supervise_outside_crop=supervised).total.backward()
            optimiser.step()
        error = (model.eval()(batch.images).keypoints - batch.keypoints).abs().mean(-1)
        errors[supervised] = error[outside(batch)].mean().item()
    assert errors[True] < 0.5 * errors[False], errors


def test_a_run_trains_with_the_knob(data, tmp_path):
    augment = {"half_body_probability": 1.0}
    for supervised in (False, True):
        config = tiny_config(**{KNOB: supervised, "train.augment": augment})
        train(config, tmp_path / str(supervised), Runtime(data=data, device="cpu", threads=1))
    ours, theirs = (
        torch.load(tmp_path / str(supervised) / "model.pt", weights_only=True)["state_dict"]
        for supervised in (False, True)
    )
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("kind", CONFINED)
def test_a_head_that_cannot_reach_outside_is_refused_by_name(kind):
    head = {"model.head": {"kind": kind, **({"deconvolutions": 0} if kind == "transpose" else {})}}
    ExperimentConfig().with_changes(**head)
    with pytest.raises(ValidationError, match=rf"supervise_outside_crop True: {CONFINED[kind]}.*cannot reach"):
        ExperimentConfig().with_changes(**head, **{KNOB: True})


def test_poseur_as_its_paper_words_the_output_is_refused():
    with pytest.raises(ValidationError, match=r"supervise_outside_crop True: head\.output_branch 'paper'"):
        ExperimentConfig().with_changes(**{"model.head.output_branch": "paper", KNOB: True})
    assert ExperimentConfig().with_changes(**{KNOB: True}).train.supervise_outside_crop


def test_every_kind_of_head_is_known_to_reach_or_not():
    kinds = {member.model_fields["kind"].default for member in HeadConfig.__origin__.__args__}
    assert kinds == {*REACHING, *CONFINED, "mask_rcnn"}  # it is as its keypoint head
    assert RegressionConfig().confined_to_crop == ""


def test_the_knob_at_its_default_is_no_part_of_a_run_s_identity():
    config = tiny_config()
    tree = json.loads(config.model_dump_json())
    del tree["train"]["supervise_outside_crop"]
    before = ExperimentConfig.model_validate_json(json.dumps(tree))
    assert run_id(before, "data") == run_id(config, "data") != run_id(tiny_config(**{KNOB: True}), "data")


def test_what_was_trained_before_there_was_the_knob_is_still_the_run(data, tmp_path):
    config = tiny_config()
    train_in_folder(config, tmp_path, Runtime(data=data, device="cpu", threads=1))
    for file, key in ((tmp_path / "config.json", None), (tmp_path / "model.pt", "config")):
        content = file.read_text() if key is None else torch.load(file, weights_only=True)
        tree = json.loads(content if key is None else content[key])
        del tree["train"]["supervise_outside_crop"]
        if key is None:
            file.write_text(json.dumps(tree))
        else:
            torch.save({**content, key: json.dumps(tree)}, file)
    (tmp_path / "last.ckpt").unlink()
    written = (tmp_path / "model.pt").stat().st_mtime_ns
    train_in_folder(config, tmp_path, Runtime(data=data, device="cpu", threads=1))
    assert (tmp_path / "model.pt").stat().st_mtime_ns == written
    assert not config.is_written_as("no configuration") and not config.is_written_as("{}")
