"""PRTR: the assignment, its loss, the transformer's counts, and what is learned."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poseur_lib.config import ExperimentConfig
from poseur_lib.config.heads import PRTRConfig
from poseur_lib.costs import cost
from poseur_lib.errors import UserError
from poseur_lib.models.baselines.prtr import PRTRHead
from poseur_lib.models.baselines.set_prediction import SetPrediction, assign, matching_cost, set_loss, take
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseTargets
from poseur_lib.poses import PosePrediction
from tests.models.small import CHANNELS, random_features, random_targets
from tests.models.tokens import learn_by_heart

K, N, CERTAIN = 5, 9, 100.0
FLIP = torch.tensor([0, 2, 1, 4, 3])
SMALL = {
    "num_queries": N,
    "embed_dims": 16,
    "num_heads": 4,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "ffn_dims": 24,
}
OF_THE_NETWORK = [
    ("num_queries", 7),
    ("embed_dims", 32),
    ("num_heads", 2),
    ("encoder_layers", 1),
    ("decoder_layers", 3),
    ("ffn_dims", 8),
    ("dropout", 0.5),
]
OF_THE_LOSS = [
    ("auxiliary_losses", False),
    ("background_weight", 1.0),
    ("keypoint_weight", 1.0),
    ("match_class_cost", 50.0),
    ("match_keypoint_cost", 0.0),
    ("background_in_score", True),
]
R50, W32 = {"kind": "resnet", "depth": 50}, {"kind": "hrnet", "width": 32, "outputs": "classification"}


def head_of(seed: int = 0, **changes) -> PRTRHead:
    torch.manual_seed(seed)
    return PRTRHead(PRTRConfig().with_changes(**{**SMALL, **changes}), K, CHANNELS[:3]).eval()


def features_of() -> list[torch.Tensor]:
    """Maps of which the last has 2 x 2 cells."""
    return random_features()[:3]


def config_of(backbone: dict, size: tuple[int, int], **head) -> ExperimentConfig:
    return ExperimentConfig().with_changes(
        **{
            "model.head": {"kind": "prtr", **head},
            "model.backbone": {"weights": "none", **backbone},
            "data.input_size": list(size),
        }
    )


def perfect(target: torch.Tensor, query_of: torch.Tensor, queries: int) -> SetPrediction:
    """Queries that are certain and right, each keypoint's at its place of `query_of`; the others say "no keypoint"."""
    batch, keypoints = query_of.shape
    logits = torch.zeros(batch, queries, keypoints + 1)
    logits[..., -1] = CERTAIN
    points = torch.rand(batch, queries, 2)
    for b in range(batch):
        for k, query in enumerate(query_of[b].tolist()):
            logits[b, query] = torch.nn.functional.one_hot(torch.tensor(k), keypoints + 1) * CERTAIN
            points[b, query] = target[b, k]
    return SetPrediction(logits, points)


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(0, 4))
def test_permuted_predictions_match_at_no_cost(seed, keypoints, others):
    torch.manual_seed(seed)
    queries = keypoints + others
    target, inside = torch.rand(2, keypoints, 2), torch.ones(2, keypoints, dtype=torch.bool)
    truth = torch.stack([torch.randperm(queries)[:keypoints] for _ in range(2)])
    prediction = perfect(target, truth, queries)
    cost_table = matching_cost(prediction, target, inside, 1.0, 5.0)
    query_of = assign(cost_table)
    assert torch.equal(query_of, truth)
    assert cost_table.gather(2, query_of[..., None]).abs().max() < 1e-6
    for weight in (0.1, 1.0):
        classes, distance = set_loss(prediction, query_of, target, inside, weight)
        assert classes < 1e-6 and distance < 1e-6


@given(st.integers(0, 10_000))
def test_an_assignment_is_the_best_of_all(seed):
    """Against every injection of two keypoints into five queries."""
    torch.manual_seed(seed)
    table = torch.randn(1, 2, 5)
    chosen = assign(table)[0]
    best = min(table[0, 0, i] + table[0, 1, j] for i in range(5) for j in range(5) if i != j)
    assert chosen[0] != chosen[1]
    torch.testing.assert_close(table[0, 0, chosen[0]] + table[0, 1, chosen[1]], best)


def test_two_keypoints_never_share_a_query():
    """Both like query 0 best; the one that loses less gives way."""
    assert assign(torch.tensor([[[0.0, 1.0, 9.0], [0.0, 3.0, 9.0]]])).tolist() == [[1, 0]]


def test_a_cost_that_is_not_finite_is_assigned_anyway():
    table = torch.tensor([[[math.nan, 1.0], [math.inf, -1.0]]])
    assert sorted(assign(table)[0].tolist()) == [0, 1]


def test_matching_cost_by_hand():
    logits = torch.tensor([[[math.log(3.0), 0.0, 0.0]]])  # one query: 3/5, 1/5, and 1/5 for "no keypoint"
    prediction = SetPrediction(logits, torch.tensor([[[0.5, 0.5]]]))
    target = torch.tensor([[[0.25, 0.75], [5.0, 5.0]]])
    table = matching_cost(prediction, target, torch.tensor([[True, False]]), 1.0, 2.0)
    torch.testing.assert_close(table, torch.tensor([[[0.4 + 2 * 0.5], [0.8]]]))


def test_set_loss_by_hand():
    """Indifferent queries: log(K + 1) each, so the weighted mean is that; L1 by axis, over the supervised keypoints."""
    prediction = SetPrediction(torch.zeros(1, 3, 3), torch.tensor([[[0.5, 0.5], [0.0, 0.0], [0.25, 1.0]]]))
    target, inside = torch.tensor([[[0.5, 0.0], [9.0, 9.0]]]), torch.tensor([[True, False]])
    classes, distance = set_loss(prediction, torch.tensor([[2, 0]]), target, inside, 0.1)
    assert classes.item() == pytest.approx(math.log(3))
    assert distance.item() == pytest.approx((0.25 + 1.0) / 2)


def test_background_weighs_less():
    """One of three queries is wrong; it counts 1 or 0.1, beside weights that sum to 1 + 2 weight."""
    logits = torch.zeros(1, 3, 2)
    logits[0, :2] = torch.tensor([[CERTAIN, 0.0], [CERTAIN, 0.0]])
    logits[0, 2] = torch.tensor([0.0, CERTAIN])
    prediction = SetPrediction(logits, torch.zeros(1, 3, 2))
    for weight in (0.1, 1.0):
        classes, _ = set_loss(prediction, torch.tensor([[0]]), torch.zeros(1, 1, 2), torch.ones(1, 1).bool(), weight)
        assert classes.item() == pytest.approx(CERTAIN * weight / (1 + 2 * weight))


def test_a_pose_is_read_from_the_queries(monkeypatch):
    head, target = head_of(), torch.rand(2, K, 2)
    truth = torch.stack([torch.randperm(N)[:K] for _ in range(2)])
    monkeypatch.setattr(head, "predict", lambda content: perfect(target, truth, N))
    pose = head(features_of())
    torch.testing.assert_close(pose.keypoints, target)
    torch.testing.assert_close(pose.keypoint_scores, torch.ones(2, K))
    assert pose.sigma is None


def test_scores_are_shares_among_the_keypoints():
    features = features_of()
    with torch.no_grad():
        among_keypoints, among_all = head_of()(features), head_of(background_in_score=True)(features)
    assert 0 < among_all.keypoint_scores.max() < 1 and 0 < among_keypoints.keypoint_scores.min() < 1
    assert among_keypoints.keypoint_scores.mean() > among_all.keypoint_scores.mean()


def test_the_order_of_the_queries_means_nothing():
    head, features, targets = head_of(), features_of(), random_targets()
    before, loss = head(features), head.loss(features, targets).total
    with torch.no_grad():
        head.queries.copy_(head.queries[torch.randperm(N)])
    torch.testing.assert_close(head(features).keypoints, before.keypoints)
    torch.testing.assert_close(head.loss(features, targets).total, loss)


def test_terms_sum_up_and_layers_are_matched_on_their_own():
    head, features, targets = head_of(), features_of(), random_targets()
    both = head.loss(features, targets)
    torch.testing.assert_close(both.total, both.terms["classes"] + both.terms["keypoints"])
    layers = [head.predict(one) for one in head.decode_queries(features)]
    alone = [head.loss_of([layer], targets).total for layer in layers]
    torch.testing.assert_close(both.total, sum(alone))
    torch.testing.assert_close(head_of(auxiliary_losses=False).loss(features, targets).total, alone[-1])


def test_where_nothing_is_supervised_no_point_moves():
    """The unlabelled and the outside have no say in the coordinates, wherever they are."""
    head, features, targets = head_of(), features_of(), random_targets()
    moved = targets.keypoints + 5.0 * (~targets.supervised)[..., None]
    assert head.loss(features, targets).total == head.loss(features, PoseTargets(moved, targets.supervised)).total
    nothing = PoseTargets(moved, torch.zeros_like(targets.supervised))
    assert head.loss(features, nothing).terms["keypoints"] == 0


def test_flip_of_a_mirrored_prediction_changes_nothing():
    head = head_of()
    pose = head(features_of())
    x, y = pose.keypoints[:, FLIP].unbind(dim=-1)
    flipped = PosePrediction(keypoints=torch.stack([1 - x, y], -1), keypoint_scores=pose.keypoint_scores[:, FLIP])
    merged = head.decode(head.merge_flipped(pose, flipped, FLIP))
    torch.testing.assert_close(merged.keypoints, pose.keypoints)
    torch.testing.assert_close(merged.keypoint_scores, pose.keypoint_scores)


@pytest.mark.parametrize(("knob", "value"), OF_THE_LOSS, ids=str)
def test_a_knob_of_matching_or_loss(knob, value):
    targets = random_targets()
    torch.manual_seed(4)
    layers = [SetPrediction(3 * torch.randn(2, N, K + 1), torch.rand(2, N, 2)) for _ in range(2)]
    outcomes = []
    for head in (head_of(), head_of(**{knob: value})):
        scores = head(features_of()).keypoint_scores
        outcomes.append((scores, head.loss(features_of(), targets).total, head.loss_of(layers, targets).total))
    assert any(not torch.allclose(a, b, atol=1e-6) for a, b in zip(*outcomes, strict=True))


@pytest.mark.parametrize(("knob", "value"), OF_THE_NETWORK, ids=str)
def test_a_knob_of_the_network(knob, value):
    """It trains; every parameter gets a gradient once biases are no longer zero.

    But for the first decoder layer's self-attention matrix: the content starts as zero, so all its values are the same
    whatever the weights are, and queries and keys have no say (as in DETR).
    """
    head = head_of(**{knob: value}).train()
    loss = head.loss(features_of(), random_targets()).total
    assert not torch.allclose(loss, head_of().train().loss(features_of(), random_targets()).total)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    head.loss(features_of(), random_targets()).total.backward()
    gradients = {name: p.grad for name, p in head.named_parameters()}
    assert all(g is not None and g.isfinite().all() for g in gradients.values())
    zero = {name for name, g in gradients.items() if g.abs().sum() == 0}
    assert zero <= {"transformer.decoder.0.self_attention.in_proj_weight"}  # or rounding


def test_every_knob_is_tried():
    assert {knob for knob, _ in OF_THE_NETWORK + OF_THE_LOSS} == set(PRTRConfig.model_fields) - {"kind"}


def test_bad_values():
    with pytest.raises(ValueError, match="embed_dims 36 is not a multiple of 4 and num_heads 8"):
        PRTRConfig(embed_dims=36)
    with pytest.raises(ValueError, match="background_weight"):
        PRTRConfig(background_weight=0.0)
    with pytest.raises(UserError, match=r"model\.head\.num_queries 4 is less than the 5 keypoints"):
        head_of(num_queries=4)


def test_half_precision_keeps_coordinates_and_loss_in_float32():
    head, targets = head_of(), random_targets()
    with torch.autocast("cpu", torch.bfloat16):
        losses, pose = head.loss(features_of(), targets), head(features_of())
    assert losses.total.dtype == pose.keypoints.dtype == torch.float32


def test_attention_is_counted_by_hand():
    """Every linear layer and both matrix products of each attention."""
    cells, queries, keypoints, dims, ffn = 2 * 2, 30, 17, 32, 48
    small = {"num_queries": queries, "embed_dims": dims, "num_heads": 4, "ffn_dims": ffn}
    narrow = {"kind": "narrow_resnet", "widths": [8, 8, 8, 8]}
    counted = cost(config_of(narrow, (64, 48), encoder_layers=1, decoder_layers=1, **small)).part("head")

    def attention(query, key):
        return (2 * query + 2 * key) * dims * dims + 2 * query * key * dims

    encoder = attention(cells, cells) + 2 * cells * dims * ffn
    decoder = attention(queries, queries) + attention(queries, cells) + 2 * queries * dims * ffn
    outputs = queries * (dims * (keypoints + 1) + 2 * dims * dims + 2 * dims)
    assert counted.multiply_adds == cells * 8 * dims + encoder + decoder + outputs


def test_counts_of_resnet50():
    """Printed: 41.5 M and 11.0 GFLOPs. The batch norms are frozen there and no parameters."""
    counted = cost(config_of(R50, (384, 288)))
    batch_norms = 53_120
    assert (counted.parameters - batch_norms) / 1e6 == pytest.approx(41.5, abs=0.01)
    assert round(counted.multiply_adds / 1e9, 1) == 11.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "size", "millions", "gflops"),
    [
        (W32, (384, 288), 57.2, 21.6),
        (W32, (512, 384), 57.2, 37.8),
        ({"kind": "resnet", "depth": 101}, (384, 288), 60.55, 19.16),  # printed: 60.4 M, 19.1 GFLOPs
        (R50, (512, 384), 41.56, 18.86),  # printed: 41.5 M, 18.8 GFLOPs
    ],
    ids=str,
)
def test_counts(backbone, size, millions, gflops):
    counted = cost(config_of(backbone, size))
    assert counted.parameters / 1e6 == pytest.approx(millions, abs=0.05)
    assert counted.multiply_adds / 1e9 == pytest.approx(gflops, abs=0.05)


def test_overfits():
    """Four images of noise: their keypoints are learned by heart."""
    torch.manual_seed(0)
    narrow = {"kind": "narrow_resnet", "widths": [8, 16, 32, 64]}
    small = {"num_queries": 20, "embed_dims": 64, "num_heads": 4, "ffn_dims": 64}
    model = build_model(config_of(narrow, (64, 48), encoder_layers=1, decoder_layers=1, **small)).train()
    first, last, error = learn_by_heart(model, steps=120)
    assert last < 0.1 * first and error < 0.04


def test_take_is_the_rows_of_the_queries():
    rows = torch.arange(12.0).view(1, 4, 3)
    assert take(rows, torch.tensor([[2, 0]])).tolist() == [[[6, 7, 8], [0, 1, 2]]]
