"""The three keypoint heads, against torchvision, closed forms, and themselves on one image at a time."""

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torchvision.models.detection.roi_heads import heatmaps_to_keypoints, keypointrcnn_loss

from poseur_lib.data.whole_images import collate
from poseur_lib.models.end_to_end.frames import mirrored, to_box
from poseur_lib.models.end_to_end.keypoint_heads import cells_loss, cells_of, decode_cells, some_of_each
from poseur_lib.models.end_to_end.pooling import RegionPooler
from poseur_lib.models.end_to_end.region_heads import ImagePeople, _with_keypoints, box_losses, without_crowds
from poseur_lib.models.pose_model import PoseTargets
from poseur_lib.poses import StagePrediction
from tests.end_to_end.small import KEYPOINT_HEADS, sample, small_model

HEADS = list(KEYPOINT_HEADS)
BOXES = torch.tensor([[3.0, 4.0, 33.0, 50.0], [10.2, 2.0, 40.5, 60.0]])


@pytest.fixture(scope="module", params=HEADS)
def model(request):
    return small_model(request.param)


def random_points(seed=0, people=2):
    return torch.rand(people, 17, 2, generator=torch.Generator().manual_seed(seed)) * 80 - 10


def test_cross_entropy_is_torchvisions():
    generator = torch.Generator().manual_seed(1)
    logits, points = torch.randn(2, 17, 56, 56, generator=generator), random_points()
    points[0, 0] = BOXES[0, 2:]  # on the far border
    labelled = torch.rand(2, 17, generator=generator) > 0.3
    theirs = keypointrcnn_loss(logits, [BOXES], [torch.cat([points, labelled[..., None]], 2)], [torch.arange(2)])
    ours = cells_loss(logits, PoseTargets(to_box(points, BOXES), labelled))
    torch.testing.assert_close(ours, theirs)
    assert cells_of(to_box(points, BOXES), 56)[0, 0] == 56 * 56 - 1
    nobody = cells_loss(logits, PoseTargets(to_box(points, BOXES), torch.zeros(2, 17, dtype=torch.bool)))
    assert nobody == 0


def test_decoding_is_torchvisions():
    logits = torch.randn(2, 17, 56, 56, generator=torch.Generator().manual_seed(2))
    theirs, _ = heatmaps_to_keypoints(logits, BOXES)
    for maps, box, expected in zip(logits, BOXES, theirs, strict=True):
        points, scores = decode_cells(maps, box[2:] - box[:2])
        torch.testing.assert_close(points * (box[2:] - box[:2]) + box[:2], expected[:, :2])
        assert ((scores > 0) & (scores < 1)).all()


@given(st.floats(0, 0.999), st.floats(0, 0.999), st.integers(56, 300), st.integers(56, 300))
def test_encoded_and_decoded_a_point_moves_by_less_than_a_cell_and_a_pixel(x, y, width, height):
    point = torch.tensor([[[x, y]]])
    maps = torch.zeros(1, 56 * 56)
    maps[0, cells_of(point, 56)[0, 0]] = 20.0
    found, _ = decode_cells(maps.view(1, 56, 56), torch.tensor([float(width), float(height)]))
    slack = torch.tensor([1 / 56 + 1 / width, 1 / 56 + 1 / height])
    assert ((found - point[0]).abs() <= slack).all()


def test_a_peak_between_two_cells_has_no_score_above_1():
    x = torch.arange(56.0)
    peak = 30 * torch.exp(-((x - 27.5) ** 2 + (x[:, None] - 27.5) ** 2) / 2)
    _, scores = decode_cells(torch.stack([peak, torch.zeros(56, 56)]), torch.tensor([224.0, 224.0]))
    assert scores[0] == 1 and scores[1] == pytest.approx(1 / 3136)


def test_outside_of_the_box_there_is_no_cell():
    points = torch.tensor([[[-0.001, 0.5], [0.5, 1.001], [0.0, 0.0], [1.0, 1.0]]])
    assert cells_of(points, 56).tolist() == [[-1, -1, 0, 56 * 56 - 1]]


def test_pooling_is_torchvisions_where_it_is_not_aligned():
    generator = torch.Generator().manual_seed(3)
    maps = {str(level): torch.randn(2, 4, 64 >> level, 64 >> level, generator=generator) for level in range(4)}
    boxes = [BOXES, torch.tensor([[0.0, 0.0, 250.0, 240.0]])]
    theirs = torchvision.ops.MultiScaleRoIAlign(["0", "1", "2", "3"], 14, 2)(maps, boxes, [(256, 256)] * 2)
    assert torch.equal(RegionPooler(4, 14, 2, False, 224)(maps, boxes), theirs)


def test_an_aligned_region_has_no_shift():
    """The map holds the x of its cells' centres in pixels; pooled cells are at their own centres in the box."""
    maps = {
        str(level): ((torch.arange(64 >> level) + 0.5) * 4 * 2**level).expand(1, 1, 64 >> level, -1) for level in (0, 1)
    }
    for box in ([40.0, 40.0, 96.0, 96.0], [30.5, 40.0, 200.0, 200.0]):
        pooled = RegionPooler(2, 7, 0, True, 224)(maps, [torch.tensor([box])])
        expected = box[0] + (torch.arange(7) + 0.5) * (box[2] - box[0]) / 7
        torch.testing.assert_close(pooled[0, 0], expected.expand(7, 7))


def test_box_losses_by_hand():
    offsets = torch.zeros(3, 8)
    offsets[0, 4:] = torch.tensor([0.2, 0.0, 0.0, 1.5])
    terms = box_losses(torch.zeros(3, 2), offsets, torch.tensor([1, 0, 0]), torch.zeros(3, 4), beta=0.5)
    assert terms["class"] == pytest.approx(torch.tensor(2.0).log().item())
    assert terms["box"] == pytest.approx((0.2**2 / 2 / 0.5 + 1.5 - 0.25) / 3)


def test_proposals_for_keypoints_have_a_labelled_one_inside():
    points = torch.full((2, 17, 2), 500.0)
    labelled = torch.ones(2, 17, dtype=torch.bool)
    points[0, 3] = torch.tensor([10.0, 10.0])
    points[1, 4] = torch.tensor([20.0, 20.0])
    labelled[1, 4] = False
    people = ImagePeople(BOXES, points, labelled, torch.zeros(0, 4))
    proposals = torch.tensor([[0.0, 0, 30, 30], [11, 11, 30, 30], [0, 0, 30, 30], [0, 0, 30, 30]])
    labels, matched = torch.tensor([1, 1, 1, 0]), torch.tensor([0, 0, 1, 0])
    boxes, (of_boxes, _) = _with_keypoints(proposals, labels, matched, people)
    assert torch.equal(boxes, proposals[:1]) and torch.equal(of_boxes, points[:1])


def test_background_in_a_crowd_is_ignored():
    """By half of the box's own area, as in COCO's evaluation; whoever is a person stays one."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [15, 0, 25, 10], [16, 0, 26, 10], [0, 0, 10, 10], [0, 0, 10, 10]])
    crowds = torch.tensor([[50.0, 50, 60, 60], [0, 0, 20, 40]])
    labels = torch.tensor([0, 0, 0, 1, -1])
    assert without_crowds(labels, boxes, crowds).tolist() == [-1, -1, 0, 1, -1]
    assert without_crowds(labels, boxes, crowds[:0]).tolist() == labels.tolist()


def test_what_is_sampled_is_torchvisions_where_there_is_no_crowd(model):
    proposals = [torch.rand(60, 4, generator=torch.Generator().manual_seed(seed)) * 30 for seed in (0, 1)]
    proposals = [torch.cat([one[:, :2], one[:, :2] + one[:, 2:] + 1], dim=1) for one in proposals]
    points, labelled = torch.zeros(2, 17, 2), torch.ones(2, 17, dtype=torch.bool)
    people = [ImagePeople(BOXES, points, labelled, BOXES[:0]), ImagePeople(BOXES[:0], points[:0], labelled[:0], BOXES)]
    given = [{"boxes": of.boxes_px, "labels": torch.ones(len(of.boxes_px), dtype=torch.long)} for of in people]
    heads = model.roi_heads
    torch.manual_seed(0)
    theirs = heads.select_training_samples([one.clone() for one in proposals], given)
    torch.manual_seed(0)
    ours = heads._sampled(proposals, [people[0], people[1]._replace(crowds_px=BOXES[:0])])
    for one, other in zip(theirs, ours, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    _, _, labels, _ = heads._sampled(
        proposals, [people[0], people[1]._replace(crowds_px=torch.tensor([[0.0, 0, 99, 99]]))]
    )
    assert len(labels[0]) and len(labels[1]) == 0, "an image that is all crowd teaches nothing"


def test_proposals_learn_nothing_from_a_crowd(model):
    crowded = torch.tensor([[0.0, 0.0, 64.0, 64.0]])
    target = [{"boxes": BOXES[:0], "crowds": crowded}]
    anchors = [torch.tensor([[2.0, 2, 30, 30], [70, 70, 90, 90]])]
    labels, _ = model.rpn.assign_targets_to_anchors(anchors, target)
    assert labels[0].tolist() == [-1, 0]
    image = sample(0, (64, 64))._replace(crowds_px=crowded)
    terms = model.train().loss(collate([image, image])).terms
    model.eval()
    assert all(term.isfinite() for term in terms.values()), terms
    assert [terms[name] for name in ("class", "box", "proposal")] == [0, 0, 0], "nothing was sampled"


def test_as_many_whole_people_of_each_image_as_fit():
    index = torch.tensor([0] * 40 + [1] * 3 + [2] * 36)
    torch.manual_seed(0)
    draws = [some_of_each(index, 35) for _ in range(20)]
    for chosen in draws:
        assert index[chosen].bincount().tolist() == [35, 3, 35] and len(chosen.unique()) == len(chosen)
    assert len(torch.cat(draws).unique()) == len(index), "everybody has a chance"


def test_people_of_one_batch_do_not_know_of_one_another(model):
    """Images and people together, and apart: `image_index` leads each query to the maps of its own image."""
    images, boxes = [sample(0, seed=seed).image for seed in (1, 2)], [BOXES, BOXES[:1] + 3]
    views = [model.view(image) for image in images]
    together = {name: torch.cat([view.pyramid[name] for view in views]) for name in views[0].pyramid}
    regions = model.roi_heads.regions(together, boxes, views[0].canvas)
    assert all(level.data_ptr() == together[str(at)].data_ptr() for at, level in enumerate(regions.pyramid)), "no copy"
    head = model.roi_heads.keypoint_predictor
    joined = head.decode(head(regions), torch.full((3, 2), 40.0))
    for view, some, rows in zip(views, boxes, ([0, 1], [2]), strict=True):
        alone = head.decode(
            head(model.roi_heads.regions(view.pyramid, [some], view.canvas)), torch.full((len(some), 2), 40.0)
        )
        torch.testing.assert_close(alone.keypoints, joined.keypoints[rows], atol=1e-5, rtol=1e-4)


def test_poseur_alone_sees_the_whole_image(model):
    """A far corner of the finest map changes: RoI features do not, the sampled maps do for far enough queries."""
    view = model.view(sample(0).image)
    before = model.poses([view], BOXES[:1])
    seen = {name: level + (level.shape[2] > 1) * torch.randn_like(level) for name, level in view.pyramid.items()}
    head = model.roi_heads.keypoint_predictor
    regions = model.roi_heads.regions(view.pyramid, [BOXES[:1]], view.canvas)
    others = head(regions._replace(pyramid=[seen[str(level)] for level in range(4)]))
    after = head.decode(others, BOXES[:1, 2:] - BOXES[:1, :2])
    is_poseur = hasattr(head, "decoder")
    assert torch.equal(before.keypoints, after.keypoints) != is_poseur


def test_the_places_of_the_last_canvas_alone_are_kept():
    model = small_model()
    for size in ((64, 64), (96, 64), (64, 96)):
        model.poses([model.view(torch.zeros(3, *size))], torch.tensor([[8.0, 8.0, 40.0, 40.0]]))
    assert [sizes[0] for sizes, _ in model.roi_heads.keypoint_predictor.memory_embedding._pyramids] == [(16, 24)]


def test_queries_start_at_the_proposal_in_the_frame_of_the_canvas():
    """Told apart from boxes, from pixels and from swapped sides: the canvas is twice as wide as it is high."""
    model = small_model("poseur").eval()
    view, head = model.view(torch.rand(3, 64, 128)), model.roi_heads.keypoint_predictor
    regions = model.roi_heads.regions(view.pyramid, [BOXES], view.canvas)
    proposal, seen = torch.rand(2, 17, 2), []
    with torch.no_grad():
        hook = head.decoder.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
        layers = head.refine(regions, proposal)
        hook.remove()
    assert view.canvas == (64, 128)
    corners, sides = BOXES[:, None, :2], BOXES[:, None, 2:] - BOXES[:, None, :2]
    torch.testing.assert_close(seen[0][:, 0], (corners + proposal * sides) / torch.tensor([128.0, 64.0]))
    assert layers[-1].keypoints.shape == (2, 17, 2)


def test_heatmaps_of_several_views_are_averaged():
    head = small_model("heatmap").roi_heads.keypoint_predictor
    one, other = torch.rand(2, 17, 56, 56), torch.rand(2, 17, 56, 56)
    torch.testing.assert_close(head.mean([one, other]), (one + other) / 2)


def test_the_mirror_image_of_a_mirror_image_is_the_image(model):
    image = sample(0).image
    flip = torch.tensor(model.flip_index)
    head = model.roi_heads.keypoint_predictor
    as_flipped = model.poses([model.view(image, flipped=True)], BOXES)
    view = model.view(image.flip(2))
    outputs = head(model.roi_heads.regions(view.pyramid, [mirrored(BOXES, image.shape[2])], view.canvas))
    by_hand = head.decode(head.unflipped(outputs, flip), BOXES[:, 2:] - BOXES[:, :2])
    torch.testing.assert_close(as_flipped.keypoints, by_hand.keypoints)
    twice = head.unflipped(head.unflipped(outputs, flip), flip)
    pairs = [(outputs, twice)] if isinstance(outputs, torch.Tensor) else [(outputs.keypoints, twice.keypoints)]
    for one, other in pairs:
        torch.testing.assert_close(one, other)
    both = [
        StagePrediction(BOXES[:1, None, :2], BOXES[:1, None, :2]),
        StagePrediction(BOXES[:1, None, 2:], BOXES[:1, None, 2:]),
    ]
    if not isinstance(outputs, torch.Tensor):
        torch.testing.assert_close(head.mean(both).keypoints, (both[0].keypoints + both[1].keypoints) / 2)


def test_two_views_are_averaged_and_a_second_size_lies_in_the_same_boxes(model):
    image = sample(0).image
    views = [
        model.view(image),
        model.view(torch.nn.functional.interpolate(image[None], scale_factor=2.0)[0], (2.0, 2.0)),
    ]
    assert torch.equal(model.poses(views[:1] * 2, BOXES).keypoints, model.poses(views[:1], BOXES).keypoints)
    found = model.find_in_all(views)
    assert len(found.boxes) <= model.config.boxes_per_image and (found.scores.diff() <= 0).all()
    overlap = torchvision.ops.box_iou(found.boxes, found.boxes).fill_diagonal_(0)
    assert (overlap <= model.config.nms_threshold).all()


def test_nobody_in_the_batch_is_no_loss_of_keypoints_and_no_nan(model):
    batch = collate([sample(0, seed=4), sample(0, (40, 64), seed=5)])
    assert batch.images.shape == (2, 3, 64, 64) and batch.sizes.tolist() == [[64, 48], [40, 64]]
    model.train()
    nobody, somebody = model.loss(batch), model.loss(collate([sample(2, seed=4), sample(0, (40, 64), seed=5)]))
    model.eval()
    assert list(nobody.terms) == list(somebody.terms) and nobody.total.isfinite()
    detection = {"objectness", "class", "proposal", "box"}
    assert all(term == 0 for name, term in nobody.terms.items() if name not in detection | {"class", "objectness"})
    assert all(term != 0 for name, term in somebody.terms.items() if name not in detection)
    torch.testing.assert_close(somebody.total, sum(somebody.terms.values()))
    somebody.total.backward()
    reached = {
        name.split(".")[2] for name, p in model.named_parameters() if p.grad is not None and "keypoint_pred" in name
    }
    assert reached and all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_only_so_many_people_get_queries():
    model = small_model("poseur", **{"model.head.queries_per_image": 34, "model.head.region_batch": 64})
    head, passed = model.roi_heads.keypoint_predictor, []
    head.decoder.register_forward_pre_hook(lambda _, given: passed.append(given[1].shape))
    people = sample(1)._replace(boxes_px=torch.tensor([[4.0, 4, 40, 60]]))
    many = people._replace(boxes_px=people.boxes_px.repeat(5, 1), keypoints_px=people.keypoints_px.repeat(5, 1, 1),
                           labelled=people.labelled.repeat(5, 1))  # fmt: skip
    model.train().loss(collate([many, sample(0)]))
    rows, groups, keypoints, _ = passed[0]
    assert (rows, keypoints) == (2, 17) and groups == 1 + model.config.keypoints.noise.groups


def test_an_image_without_people_finds_without_failing(model):
    view = model.view(torch.zeros(3, 40, 40))
    assert model.poses([view], torch.zeros(0, 4)).keypoints.shape == (0, 17, 2)


def test_the_proposal_starts_at_the_centre_of_the_box_and_sigma_far_from_its_ends():
    """With a wide tower, whose features no norm tames: a sigma near 0 would make the first losses huge."""
    model = small_model("poseur", **{"model.head.tower": [256] * 4})
    regions = model.roi_heads.regions(model.view(sample(0).image).pyramid, [BOXES], (64, 64))
    proposal = model.roi_heads.keypoint_predictor.coarse_stage(regions.features)
    assert ((proposal.keypoints - 0.5).abs() < 0.2).all() and ((proposal.sigma - 0.5).abs() < 0.3).all()
