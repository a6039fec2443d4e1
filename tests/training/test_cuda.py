"""What a GPU gives is what a processor gives, at full precision; mixed precision learns alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from poseur_lib.checkpoints.checkpoint import load_model
from poseur_lib.data.coco import CocoPeople
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.files import MODEL_FILE
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.pose_model import PoseTargets
from poseur_lib.runtime import InferenceRuntime, Runtime
from poseur_lib.training.fit import train
from tests.models.test_pose_model import HEADS, model_of
from tests.training.tiny import tiny_config, write_people

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

SIZE = (64, 48)


@pytest.fixture(autouse=True)
def full_float32(monkeypatch):
    """GPUs else round convolutions to TF32, with a mantissa of 10 bits."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people") / "data", train=48, val=8)


def batch_of(people: int) -> tuple[torch.Tensor, PoseTargets]:
    generator = torch.Generator().manual_seed(3)
    keypoints = torch.rand(people, 17, 2, generator=generator)
    supervised = torch.rand(people, 17, generator=generator) > 0.3
    return torch.randn(people, 3, *SIZE, generator=generator), PoseTargets(keypoints, supervised)


@pytest.mark.parametrize("name", HEADS)
def test_poses_are_those_of_the_processor(name):
    """In evaluation mode, after weights were moved away from their first values, which are zeros in places."""
    model, (images, _) = model_of(name).eval(), batch_of(4)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
        ours = model.predict_flipped(images)
        theirs = model.cuda().predict_flipped(images.cuda())
    assert theirs.keypoints.is_cuda
    torch.testing.assert_close(theirs.keypoints.cpu(), ours.keypoints, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(theirs.keypoint_scores.cpu(), ours.keypoint_scores, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", HEADS)
def test_losses_and_gradients_are_those_of_the_processor(name):
    """Without noise and dropout, which come from each device's own generator."""
    found, changes = [], {"noise": {"kind": "none"}} if name == "poseur" else {}
    images, targets = batch_of(4)
    for device in ("cpu", "cuda"):
        model = model_of(name, **changes).eval().to(device)
        moved = PoseTargets(targets.keypoints.to(device), targets.supervised.to(device))
        losses = model.loss(images.to(device), moved)
        losses.total.backward()
        gradients = {key: value.grad.cpu() for key, value in model.named_parameters() if value.grad is not None}
        found.append((losses.total.item(), {key: term.item() for key, term in losses.terms.items()}, gradients))
    (ours, our_terms, our_gradients), (theirs, their_terms, their_gradients) = found
    assert theirs == pytest.approx(ours, rel=1e-4) and their_terms == pytest.approx(our_terms, rel=1e-3, abs=1e-5)
    assert our_gradients.keys() == their_gradients.keys()
    for key, gradient in our_gradients.items():
        apart = (gradient - their_gradients[key]).norm() / gradient.norm().clamp(min=1e-6)
        assert apart < 1e-2, f"gradient of {key}: {apart:.1e} apart"


@pytest.mark.parametrize("precision", ["32", "bf16-mixed", "16-mixed"])
def test_training_learns_at_every_precision(people, tmp_path, precision):
    """The loss falls as on a processor, to a quarter of what it falls by, and weights stay float32."""
    config = tiny_config(**{"train.epochs": 12, "train.learning_rate": 5e-3})
    runs = {
        where: train(config, tmp_path / where, Runtime(data=people, device=where, precision=given, threads=1))
        for where, given in (("cuda", precision), ("cpu", "32"))
    }
    gained = {where: curve[0].loss - curve[-1].loss for where, curve in runs.items()}
    assert gained["cuda"] == pytest.approx(gained["cpu"], rel=0.25)
    weights = torch.load(tmp_path / "cuda" / MODEL_FILE, weights_only=True)["state_dict"]
    assert all(not value.is_floating_point() or value.dtype == torch.float32 for value in weights.values())
    assert all(bool(torch.isfinite(value).all()) for value in weights.values())


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_every_method_has_finite_losses_and_gradients_in_16_bits(name, precision):
    images, targets = batch_of(8)
    model = model_of(name).train().cuda()
    moved = PoseTargets(targets.keypoints.cuda(), targets.supervised.cuda())
    with torch.autocast("cuda", torch.bfloat16 if precision == "bf16-mixed" else torch.float16):
        losses = model.loss(images.cuda(), moved)
    losses.total.backward()
    assert losses.total.isfinite() and losses.total.dtype == torch.float32
    gradients = [value.grad for value in model.parameters() if value.grad is not None]
    assert gradients and all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_a_stopped_run_goes_on_with_its_optimiser_and_generator(people, tmp_path):
    config = tiny_config(**{"train.epochs": 4, "model.head.dropout": 0.1})
    runtime = Runtime(data=people, device="cuda", threads=1)
    unbroken = train(config, tmp_path / "unbroken", runtime)
    train(config, tmp_path / "resumed", replace(runtime, limit_epochs=2))
    resumed = train(config, tmp_path / "resumed", runtime)
    assert [point.step for point in resumed] == [point.step for point in unbroken]
    assert [point.loss for point in resumed] == pytest.approx([point.loss for point in unbroken], rel=2e-3)


def test_predictions_of_a_checkpoint_do_not_depend_on_the_device(people, tmp_path):
    train(tiny_config(), tmp_path, Runtime(data=people, device="cuda", threads=1))
    model, config = load_model(tmp_path / MODEL_FILE)
    boxes = CocoPeople(people, "val", COCO_17).people()
    on = {
        (device, precision): predict_people(model, boxes, config, InferenceRuntime(device=device, precision=precision))
        for device, precision in (("cpu", "32"), ("cuda", "32"), ("cuda", "bf16-mixed"))
    }
    reference = on["cpu", "32"].keypoints
    assert np.abs(on["cuda", "32"].keypoints - reference).max() < 1e-3
    assert np.abs(on["cuda", "bf16-mixed"].keypoints - reference).mean() < 0.02
