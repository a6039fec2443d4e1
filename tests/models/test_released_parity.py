"""Ours against the released implementation, with the same weights and inputs: ResNet-50, 256x192, six layers."""

import json

import pytest
import torch

from poseur_lib.models.pose_model import PoseTargets
from poseur_lib.models.poseur.queries import move_points
from poseur_lib.poses import StagePrediction
from poseur_lib.scoring.flip import fuse, unflip
from poseur_study.parity.outputs import in_image
from tests.models.reference import RES50, Reference
from tests.models.test_flow import from_prior


@pytest.fixture(scope="module")
def reference(shared):
    return Reference(shared / "reference", RES50)


@pytest.fixture(scope="module")
def images(reference):
    return reference.fill("input", (2, 3, 256, 192))


@pytest.fixture(scope="module")
def model(reference):
    return reference.model()


@pytest.fixture(scope="module")
def outputs(reference):
    return reference.outputs()


@pytest.fixture(scope="module")
def prediction(model, images):
    with torch.no_grad():
        return model(images)


def close(ours, theirs, tolerance=1e-5):
    torch.testing.assert_close(ours, theirs.view_as(ours), atol=tolerance, rtol=0)


def test_every_released_name_and_shape_has_a_place(reference, model):
    ours = sum(p.numel() for p in model.parameters())
    manifest = json.loads((reference.root / "manifests" / f"{RES50}.json").read_text())
    assert ours == manifest["params"]["total"] == 33_256_408


def test_coarse_stage(prediction, outputs):
    close(prediction.coarse.keypoints, outputs["enc_pred"])
    close(prediction.coarse.sigma, outputs["enc_sigma"])


def test_memory(model, images, outputs):
    with torch.no_grad():
        head = model.head
        memory = head.memory_embedding(head.neck(model.backbone(images)))
    close(memory.values[0, 0, :8], outputs["memory_first8"])
    close(memory.values[1, -1, -8:], outputs["memory_last8"])


def test_sampling_locations(model, prediction, images, outputs):
    with torch.no_grad():
        head = model.head
        memory = head.memory_embedding(head.neck(model.backbone(images)))
        queries = head.keypoint_encoder(prediction.coarse.keypoints[:, None])
        close(queries.content[0, 0], outputs["query_init_b0"])
        layer = head.decoder.layers[0]
        content = queries.content
        mixed = layer.self_attention(content, content + queries.class_embedding)
        content = layer.self_norm(content + mixed)
        query = (content + queries.class_embedding)[:, 0]
        locations, weights = layer.cross_attention.samples(query, prediction.coarse.keypoints, memory.levels)
    close(locations[0, 3], outputs["sampling_loc_l0_b0_q3"])
    torch.testing.assert_close(weights.sum(dim=(-1, -2)), torch.ones(2, 17, 8))


def test_every_decoder_layer(prediction, outputs):
    close(torch.stack([layer.keypoints for layer in prediction.layers]), outputs["dec_pred"])
    close(torch.stack([layer.sigma for layer in prediction.layers]), outputs["dec_sigma"])
    close(prediction.keypoint_scores, outputs["dec_score"])


@pytest.mark.parametrize(
    ("fusion", "key"), [("mean", "flip_default_preds"), ("type1", "flip_type1_preds"), ("type2", "flip_type2_preds")]
)
def test_flip_fusions(reference, model, prediction, images, outputs, fusion, key):
    torch.testing.assert_close(
        in_image(prediction, outputs),
        outputs["noflip_preds"][..., :2],
        atol=1e-3,
        rtol=0,
    )
    with torch.no_grad():
        on_mirror = model(images.flip(3))
    close(on_mirror.keypoints, outputs["flipimg_dec_pred_last"])
    model.head.config = model.head.config.with_changes(flip_fusion=fusion)
    merged = model.head.merge_flipped(prediction, on_mirror, torch.tensor(model.flip_index))
    model.head.config = model.head.config.with_changes(flip_fusion="mean")
    close(in_image(merged, outputs), outputs[key][..., :2], 1e-3)
    close(merged.keypoint_scores, outputs[key][..., 2])


def test_fusing_a_prediction_with_itself_changes_nothing(prediction, model):
    flip_index = torch.tensor(model.flip_index)
    last = prediction.layers[-1]
    assert torch.equal(unflip(unflip(last, flip_index), flip_index).sigma, last.sigma)
    for fusion in ("mean", "type1", "type2"):
        close(fuse(last, last, fusion)[0], last.keypoints, 1e-4)


LOSS_NAMES = ("coarse", *(f"layer_{i}" for i in range(6)))
RECORDED = ("enc_rle_loss", *(f"dec_rle_loss_{i}" for i in range(6)))


@pytest.fixture(scope="module")
def recorded_loss(reference):
    return reference.arrays("loss_res50.npz")


def _stages(recorded, requires_grad=True):
    names = ("enc_pred", "enc_sigma", "dec_pred", "dec_sigma")
    inputs = {name: recorded[name].clone().requires_grad_(requires_grad) for name in names}
    coarse = StagePrediction(inputs["enc_pred"], inputs["enc_sigma"])
    pairs = zip(inputs["dec_pred"], inputs["dec_sigma"], strict=True)
    layers = tuple(StagePrediction(p.reshape(-1, 17, 2), s.reshape(-1, 17, 2)) for p, s in pairs)
    targets = PoseTargets(recorded["target"], recorded["target_weight"][..., 0] > 0)
    return inputs, coarse, layers, targets


def test_losses_and_their_gradients(model, recorded_loss):
    inputs, coarse, layers, targets = _stages(recorded_loss)
    losses = model.head.loss_of(coarse, layers, targets)
    for ours, theirs in zip(LOSS_NAMES, RECORDED, strict=True):
        torch.testing.assert_close(losses.terms[ours], recorded_loss[f"loss.{theirs}"].view(()), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(losses.total, recorded_loss["loss.total"].view(()), rtol=1e-4, atol=1e-5)
    losses.total.backward()
    for name, tensor in inputs.items():
        torch.testing.assert_close(tensor.grad, recorded_loss[f"grad.{name}"], rtol=1e-4, atol=1e-5)
    for flow, key in ((model.head.coarse_flow, "enc_flow"), (model.head.decoder_flow, "dec_flow")):
        norm = torch.stack([p.grad.norm() for p in flow.parameters()]).norm()
        torch.testing.assert_close(norm, recorded_loss[f"gradnorm.{key}"].view(()), rtol=1e-4, atol=0)
    model.zero_grad()


def test_losses_without_noise_groups_and_without_visible_keypoints(model, recorded_loss):
    _, coarse, layers, targets = _stages(recorded_loss, requires_grad=False)
    clean = tuple(StagePrediction(x.keypoints.view(2, 4, 17, 2)[:, 0], x.sigma.view(2, 4, 17, 2)[:, 0]) for x in layers)
    losses = model.head.loss_of(coarse, clean, targets)
    for i in range(6):
        expected = recorded_loss[f"loss_nonoise.dec_rle_loss_{i}"].view(())
        torch.testing.assert_close(losses.terms[f"layer_{i}"], expected, rtol=1e-4, atol=1e-5)
    nothing = PoseTargets(targets.keypoints, torch.zeros_like(targets.supervised))
    assert model.head.loss_of(coarse, layers, nothing).total == 0


@pytest.mark.parametrize("which", ["enc_flow", "dec_flow"])
def test_flow(model, recorded_loss, which):
    flow = model.head.coarse_flow if which == "enc_flow" else model.head.decoder_flow
    grid = recorded_loss["grid"]
    with torch.no_grad():
        z, log_det = flow.to_prior(grid)
        torch.testing.assert_close(flow.log_prob(grid), recorded_loss[f"{which}.log_prob"], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(z, recorded_loss[f"{which}.z"], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(log_det, recorded_loss[f"{which}.logdet"], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(from_prior(flow, grid), recorded_loss[f"{which}.forward_p"], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(from_prior(flow, z), grid, rtol=1e-4, atol=1e-4)
    assert torch.equal(flow.mask, recorded_loss[f"{which}.mask"])


def test_a_training_step(reference, images, monkeypatch):
    """One training forward with the recorded noise: losses, predictions, and the gradient of every parameter."""
    recorded = reference.arrays("train_res50.npz")
    model = reference.model(**{"model.head.dropout": 0.0})
    noise = model.head.config.noise
    for part in (model.head.decoder, model.head.keypoint_encoder):
        part.train()

    def recorded_points(_, proposal):
        moved = recorded["noise_moved"] > 0
        noisy = move_points(proposal.repeat(1, 3, 1), recorded["noise_offset"], moved, noise)
        return torch.cat([proposal, noisy], dim=1).unflatten(1, (4, 17))

    monkeypatch.setattr("poseur_lib.models.poseur.head.starting_points", recorded_points)
    features = model.backbone(images)
    targets = PoseTargets(recorded["target"], recorded["target_weight"][..., 0] > 0)
    coarse, layers = model.head.forward_stages(features, noisy=True)
    close(torch.stack([layer.keypoints for layer in layers]), recorded["dec_pred"])
    losses = model.head.loss_of(coarse, layers, targets)
    for ours, theirs in zip(LOSS_NAMES, RECORDED, strict=True):
        torch.testing.assert_close(losses.terms[ours], recorded[f"loss.{theirs}"].view(()), rtol=1e-4, atol=1e-5)
    losses.total.backward()
    expected = json.loads((reference.root / "train_res50_gradnorms.json").read_text())
    from poseur_lib.checkpoints.released_keys import our_name

    parameters = dict(model.named_parameters())
    worst = max(abs(parameters[our_name(k)].grad.norm().item() / v - 1) for k, v in expected.items() if v > 1e-3)
    assert len(expected) > 300
    assert worst < 2e-3, f"largest relative difference of a gradient norm: {worst}"
