"""load_released: what it unwraps, recognises and asks for, and what it refuses, each with one line."""

import inspect
import pickle
from dataclasses import replace

import pytest
import torch

import poseur_lib
from poseur_lib.checkpoints import released_recognise
from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.checkpoints.initial import initial_model
from poseur_lib.checkpoints.released_convert import released_state_dict, save_released
from poseur_lib.checkpoints.released_keys import RULES, our_name, released_name, rename_ours
from poseur_lib.checkpoints.released_load import load_released
from poseur_lib.config import PAPER_TEXT, ExperimentConfig
from poseur_lib.errors import UserError
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.build import build_model
from tests.training.tiny import tiny_config

SMALL = {
    "model.backbone": {"kind": "mobilenetv2", "weights": "none"},
    "model.head.embed_dims": 32,
    "model.head.num_heads": 4,
    "model.head.num_points": 2,
    "model.head.decoder_layers": 2,
    "model.head.ffn_dims": 48,
    "model.head.loss.flow_hidden": 8,
}


def small(**changes) -> ExperimentConfig:
    """A configuration that the released code could have, of milliseconds."""
    return ExperimentConfig().with_changes(**{**SMALL, **changes})


@pytest.fixture(scope="module")
def config():
    return small()


@pytest.fixture(scope="module")
def model(config):
    torch.manual_seed(0)
    return build_model(config).eval()


@pytest.fixture
def state(model, config):
    return released_state_dict(model, config)


def same_weights(a, b) -> bool:
    theirs = b.state_dict()
    return a.state_dict().keys() == theirs.keys() and all(
        torch.equal(value, theirs[name]) for name, value in a.state_dict().items()
    )


def test_it_is_the_public_face():
    assert poseur_lib.load_released is load_released
    with pytest.raises(AttributeError, match="load_relaesd"):
        poseur_lib.load_relaesd  # noqa: B018


def test_every_rule_is_undone_by_its_inverse():
    holes = {"i": "1", "j": "2", "k": "0", "path": "stage2.0.branches.0.0", "rest": "weight"}
    for released, ours in RULES:
        assert released_name(our_name(released.format(**holes))) == released.format(**holes)
        assert our_name(released_name(ours.format(**holes))) == ours.format(**holes)


@pytest.mark.parametrize(
    ("released", "ours"),
    [
        ("layers.0.attentions.0.attn.in_proj_weight", "layers.0.self_attention.in_proj.weight"),
        ("layers.0.norms.0.weight", "layers.0.self_norm.weight"),
        ("layers.0.attentions.1.sampling_offsets.bias", "layers.0.cross_attention.sampling_offsets.bias"),
        ("layers.0.norms.1.weight", "layers.0.cross_norm.weight"),
        ("layers.0.ffns.0.layers.0.0.weight", "layers.0.ffn.0.weight"),
        ("layers.0.ffns.0.layers.1.weight", "layers.0.ffn.3.weight"),
        ("layers.5.norms.2.bias", "layers.5.ffn_norm.bias"),
    ],
)
def test_names_within_the_decoder(released, ours):
    assert our_name(f"keypoint_head.transformer.decoder.{released}") == f"head.decoder.{ours}"
    assert released_name(f"head.decoder.{ours}") == f"keypoint_head.transformer.decoder.{released}"


@pytest.mark.parametrize(
    ("released", "ours"),
    [
        ("keypoint_head.enc_flow.t.0.0.weight", "head.coarse_flow.shift.0.0.weight"),
        ("keypoint_head.enc_flow.s.0.0.weight", "head.coarse_flow.log_scale.0.0.weight"),
        ("keypoint_head.dec_flow.t.5.4.bias", "head.decoder_flow.shift.5.4.bias"),
        ("keypoint_head.dec_flow.s.5.4.bias", "head.decoder_flow.log_scale.5.4.bias"),
        ("keypoint_head.transformer.fc_coord.linear.weight", "head.coarse_stage.coordinates.weight"),
        ("keypoint_head.transformer.fc_sigma.linear.weight", "head.coarse_stage.sigma.weight"),
        ("keypoint_head.transformer.pos_embed.weight", "head.keypoint_encoder.class_embedding"),
        ("keypoint_head.fc_coord_branches.0.4.bias", "head.decoder.branches.0.step.4.bias"),
        ("keypoint_head.fc_coord_output_branches.0.4.bias", "head.decoder.branches.0.correction.4.bias"),
        ("keypoint_head.fc_sigma_branches.0.2.linear.bias", "head.decoder.branches.0.sigma.2.bias"),
        ("neck.convs.3.conv.weight", "head.neck.convs.3.weight"),
        ("neck.convs.3.gn.weight", "head.neck.norms.3.weight"),
        ("neck.deconv_layers.6.weight", "head.neck.deconvs.2.weight"),
        ("neck.deconv_layers.7.weight", "head.neck.deconv_norms.2.weight"),
    ],
)
def test_names_beside_the_decoder(released, ours):
    assert (our_name(released), released_name(ours)) == (ours, released)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model.head.decoder_layers": 1, "model.head.num_points": 3, "model.head.num_heads": 2},
        {"model.head.feature_levels": ["res3", "res5"], "model.head.loss.flow_layers": 4},
        {"model.head.neck": "deconvolution"},
        {"data.keypoint_set": "mpii16", "data.input_size": [64, 64]},
        {"model.backbone": {"kind": "resnet", "depth": 18, "weights": "none"}},
    ],
    ids=lambda changes: ",".join(changes) or "as is",
)
def test_round_trip(changes):
    config = small(**changes)
    model = build_model(config).eval()
    loaded, found = load_released(released_state_dict(model, config), input_size=config.data.input_size)
    assert found == config and not loaded.training
    assert same_weights(model, loaded)


def test_wrapped_and_prefixed(model, state, tmp_path):
    wrapped = {"meta": {"epoch": 325}, "state_dict": {f"module.{name}": value for name, value in state.items()}}
    torch.save(wrapped, tmp_path / "released.pth")
    for source in (wrapped, tmp_path / "released.pth", str(tmp_path / "released.pth")):
        assert same_weights(load_released(source)[0], model)


def test_constant_buffers_may_be_absent(model, state):
    bare = {name: value for name, value in state.items() if not name.endswith(("num_batches_tracked", "_flow.mask"))}
    assert same_weights(load_released(bare)[0], model)


def test_what_weights_do_not_tell(state):
    released = load_released(state)[1]
    assert released.data.input_size == (256, 192)
    assert (released.model.head.flip_fusion, released.model.head.keypoint_score) == ("mean", "rle")
    assert released.evaluation.instance_score == "released"
    model, asked = load_released(
        state, input_size=(64, 48), flip_fusion="type2", keypoint_score="laplace", instance_score="paper"
    )
    assert asked.data.input_size == (64, 48) and asked.evaluation.instance_score == "paper"
    assert (model.head.config.flip_fusion, model.head.config.keypoint_score) == ("type2", "laplace")
    assert model(torch.zeros(1, 3, 64, 48)).keypoints.shape == (1, 17, 2)


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


SIGMA = "keypoint_head.fc_sigma_branches.1.0.weight"
LEVELS = "keypoint_head.transformer.level_embeds"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: without(s, SIGMA), f"1 missing: {SIGMA}"),
        (lambda s: without(s, LEVELS), f"'{LEVELS}' is missing"),
        (lambda s: {**s, "backbone.extra.weight": torch.zeros(1)}, "1 unexpected: backbone.extra.weight"),
        (lambda s: {**s, SIGMA: torch.zeros(3, 2)}, rf"1 mis-shaped: {SIGMA} \(3, 2\) for \(32, 32\)"),
        (lambda s: without({**s, "a.b": torch.zeros(1)}, SIGMA), "1 missing: .*; 1 unexpected: a.b"),
        (lambda s: {k: v for k, v in s.items() if "backbone" not in k}, "unknown backbone: 0 residual blocks"),
        (lambda s: {k: v for k, v in s.items() if "_head" not in k}, "no state_dict of the released code"),
        (
            lambda s: {**s, "keypoint_head.transformer.pos_embed.weight": torch.zeros(19, 32)},
            "19 keypoints; known are sets of 17, 16, 133",
        ),
        (lambda s: {**s, SIGMA: 3}, f"{SIGMA!r} is no tensor"),
        (lambda s: {"state_dict": [1]}, "holds no state_dict, or an empty one"),
        (lambda s: {}, "holds no state_dict"),
        (lambda s: {"head.decoder": torch.zeros(1)}, "this project's parameter names but no configuration"),
    ],
)
def test_state_dicts_that_do_not_fit(state, change, says):
    with pytest.raises(UserError, match=says) as error:
        load_released(change(state))
    assert "\n" not in str(error.value)


def test_many_misfits_are_counted(state):
    cut = {k: v for k, v in state.items() if "backbone.layer7" not in k}
    with pytest.raises(UserError, match=r"15 missing: backbone\.layer7.* and 10 more"):
        load_released(cut)


OWN = {"name": "dots", "names": [f"dot {number}" for number in range(5)]}


def test_a_round_trip_of_ones_own_keypoints():
    """A released checkpoint of a number of keypoints that no built-in set has asks which they are."""
    config = small(**{"data.keypoint_set": OWN})
    model = build_model(config).eval()
    released = released_state_dict(model, config)
    size = config.data.input_size
    with pytest.raises(UserError, match="5 keypoints; known are sets of 17, 16, 133: say which they are"):
        load_released(released, input_size=size)
    loaded, found = load_released(released, input_size=size, keypoint_set=config.data.keypoint_set)
    assert found == config and same_weights(model, loaded)
    with pytest.raises(UserError, match=r"none is known for .* with dots: give input_size"):
        load_released(released, keypoint_set=config.data.keypoint_set)


def test_a_number_of_keypoints_that_fits_several_sets_asks(state, monkeypatch):
    animals = replace(COCO_17, name="animals17")
    monkeypatch.setattr(released_recognise, "RELEASED_SETS", (COCO_17, animals))
    with pytest.raises(UserError, match="coco17 and animals17 have as many: say which they are"):
        load_released(state)
    assert load_released(state, keypoint_set="coco17")[1].data.keypoint_set == "coco17"


def test_leeds_keypoints_are_taken_only_where_they_are_asked_for():
    """A released model of 14 keypoints would be CrowdPose's, in another order."""
    config = small(**{"data.keypoint_set": "lsp14"})
    state = released_state_dict(build_model(config), config)
    with pytest.raises(UserError, match="14 keypoints; known are sets of 17, 16, 133"):
        load_released(state, input_size=(64, 48))
    assert load_released(state, input_size=(64, 48), keypoint_set="lsp14")[1].data.keypoint_set == "lsp14"


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"keypoint_set": "mpii16"}, "keypoint set 'mpii16' has 16 keypoints, the weights 17"),
        ({"keypoint_set": "coco"}, "did you mean 'coco17'"),
        ({"flip_fusion": "type3"}, "type3"),
        ({"keypoint_score": "max"}, "max"),
        ({"input_size": (0, 192)}, "input_size"),
    ],
)
def test_choices_that_do_not_exist(state, choices, says):
    with pytest.raises(ValueError, match=says):
        inspect.unwrap(load_released)(state, **choices)  # as outside the tests, where no hook checks types


def test_an_input_size_that_nobody_released_must_be_given():
    config = small(**{"model.backbone": {"kind": "resnet", "depth": 18, "weights": "none"}})
    state = released_state_dict(build_model(config), config)
    with pytest.raises(UserError, match=r"none is known for resnet18 with coco17: give input_size .*`poseur convert`"):
        load_released(state)


def test_a_position_embedding_has_its_own_size(monkeypatch):
    state = {
        "backbone.pos_embed": torch.empty(1, 193, 768, device="meta"),
        **{k: v for k, v in rename_ours(build_model(small()).state_dict()).items() if k.startswith("keypoint_head")},
        "neck.deconv_layers.0.weight": torch.empty(768, 32, 4, 4),
    }
    with pytest.raises(UserError, match="input size 384x288 does not fit a position embedding of 192 16x16 patches"):
        load_released(state, input_size=(384, 288))


def test_own_checkpoints(tmp_path):
    config = tiny_config()
    model = build_model(config).eval()
    save_weights(tmp_path / "model.pt", model, config)
    loaded, found = load_released(tmp_path / "model.pt")
    assert found == config and same_weights(loaded, model)
    loaded, found = load_released(tmp_path / "model.pt", keypoint_score="laplace")
    assert loaded.head.config.keypoint_score == found.model.head.keypoint_score == "laplace"
    with pytest.raises(UserError, match=r"do not fit with data.keypoint_set='mpii16'"):
        load_released(tmp_path / "model.pt", keypoint_set="mpii16")
    assert load_released(tmp_path / "model.pt", input_size=(64, 48))[1] == config
    with pytest.raises(UserError, match=r"input size 48x64 is not that of the checkpoint, .* crops of 64x48"):
        load_released(tmp_path / "model.pt", input_size=(48, 64))
    initial, trained = initial_model(tmp_path / "model.pt", (48, 64))  # as a training at another size starts
    assert trained == config and same_weights(initial, model)


def test_knobs_of_poseur_s_score_are_not_those_of_another_head(tmp_path):
    """An integral head's score_radius is in cells, and no fraction of the crop."""
    config = tiny_config(**{"model.head": {"kind": "integral", "channels": 8}})
    save_weights(tmp_path / "model.pt", build_model(config), config)
    with pytest.raises(UserError, match=r"score_radius 0\.1: keypoint head 'integral' has nothing to choose there"):
        load_released(tmp_path / "model.pt", score_radius=0.1)


def test_weights_are_of_32_bits_whatever_torch_s_default_is(tmp_path):
    config = tiny_config()
    save_weights(tmp_path / "model.pt", build_model(config).eval(), config)
    torch.set_default_dtype(torch.float64)
    try:
        loaded, _ = load_released(tmp_path / "model.pt")
    finally:
        torch.set_default_dtype(torch.float32)
    assert {value.dtype for value in loaded.state_dict().values() if value.is_floating_point()} == {torch.float32}


class Harmful:
    """Runs code when it is unpickled by a reader that allows it."""

    def __reduce__(self):
        return (print, ("harm",))


def test_pickles_that_need_more_than_weights(state, tmp_path):
    path = tmp_path / "released.pth"
    torch.save({"meta": Harmful(), "state_dict": state}, path)
    with pytest.raises(UserError, match=r"released\.pth .*could run code; if you trust it, keep its weights alone"):
        load_released(path)
    path.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(UserError, match=r"released\.pth"):
        load_released(path)
    with pytest.raises(UserError, match="no such checkpoint"):
        load_released(tmp_path / "other.pth")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model.head.coarse_fc": "plain"}, "cannot express model.head with coarse_fc='plain'"),
        ({"model.head.loss.flow_prior_mean": 0.0}, "flow_prior_mean=0.0"),
        ({"model.backbone": {"kind": "narrow_resnet", "weights": "none"}}, "unknown backbone"),
        ({"model.backbone": {"kind": "timm", "name": "resnet10t", "weights": "none"}}, "unknown backbone"),
        ({"model.head.class_embedding": "content"}, "class_embedding='content'"),
        ({"model.head.cross_attention": "msda"}, "cannot express model.head with cross_attention='msda'"),
        ({"model.head.initial_points": "learned"}, "cannot express model.head with initial_points='learned'"),
        ({"model.head.self_attention": False}, "cannot express model.head with self_attention=False"),
        ({"model.head.share_layers": True}, "cannot express model.head with share_layers=True"),
        ({"model.head.output_branch": "paper"}, "cannot express model.head with output_branch='paper'"),
        ({"model.head.norm_groups": 8}, "cannot express model.head with norm_groups=8"),
        (PAPER_TEXT, "coarse_features='backbone', coarse_fc='plain', query_content='paper'.*flow_prior_mean=0.0"),
        ({"model.head": {"kind": "heatmap"}}, "no model.head of kind 'heatmap'"),
    ],
)  # fmt: skip
def test_what_the_released_code_cannot_express(changes, says, tmp_path):
    config = ExperimentConfig() if "model.head" in changes else small()
    config = config.with_changes(**{"model.backbone.weights": "none", **changes})
    with pytest.raises(UserError, match=says):
        save_released(tmp_path / "model.pth", build_model(config), config)
    assert not any(tmp_path.iterdir())
