"""What a session keeps, what it averages, and what can be chosen in it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.data.dataset import PoseCrops
from poseur_lib.data.images import decode_image
from poseur_lib.errors import UserError
from poseur_lib.models.build import build_model
from poseur_study.experiments.notebook_parameters import ExplorerSettings
from poseur_study.experiments.profiles import Profile
from poseur_study.explorer.attention.images import ValImages, own_image, with_boxes
from poseur_study.explorer.attention.open_model import open_checkpoint
from poseur_study.explorer.session import Session
from poseur_study.runs.datasets import data_folder
from tests.training.tiny import tiny_config, write_people


def test_one_forward_pass_a_person(session, monkeypatch):
    passes = []
    forward = type(session.model.model).explain
    monkeypatch.setattr(type(session.model.model), "explain", lambda *a: passes.append(1) or forward(*a))
    first = session.seen
    session.keypoint = 7
    assert session.seen is first
    session.choose_image(session.val.image(1))
    assert session.seen is not first and session.seen is session.seen
    assert len(passes) == 2


def test_what_is_seen_is_what_the_model_predicts_of_the_data_set_s_crop(session):
    people = [people[0] for people in session.val.by_image]
    network = session.model.model
    crops = PoseCrops(people, session.model.keypoints, (64, 48), network.head.crop_rule, augment=None, seed=0)
    with torch.no_grad():
        expected = network(crops[0].images[None]).keypoints[0] * torch.tensor([48, 64])
    np.testing.assert_allclose(session.seen.keypoints_px, expected.numpy(), atol=1e-3)
    labels = crops[0].keypoints * torch.tensor([48, 64])
    np.testing.assert_allclose(session.seen.truth_px, labels.numpy(), atol=1e-3)


def test_the_average_is_the_mean_over_people(session):
    each = []
    for number in range(2):
        session.choose_image(session.val.image(number))
        each.append(session.attention().layers)
    average = session.average_attention()
    np.testing.assert_allclose(average.layers, np.mean(each, axis=0), atol=1e-5)
    assert average.what == "mean over 2 of 3 people of the val set"
    assert average is session.average_attention()


def test_a_run_of_mpii_s_keypoints_has_its_own_people(tiny, tmp_path):
    """Table 4's: they lie beside the profile's."""
    config = tiny_config(**{"data.keypoint_set": "mpii16"})
    opened = Session(ExplorerSettings(runs=str(tmp_path)))
    opened.choose_model(replace(tiny, model=build_model(config).eval(), config=config))
    with pytest.raises(UserError, match=r"there is no val set in .*data/smoke_mpii16: give `data`"):
        opened.val.image(0)


def test_layers_and_heads_of_weights(session):
    weights = session.attention()
    one, which, whose = weights.of(1, 2)
    assert np.array_equal(one, weights.layers[1, 2])
    assert which == "layer 2, head 3" and whose == session.seen.who
    mean, which, _ = weights.of()
    np.testing.assert_allclose(mean, weights.layers.mean(axis=(0, 1)))
    assert which == "mean of 2 layers, mean of 4 heads"
    np.testing.assert_allclose(mean.sum(axis=1), 1, atol=1e-5)


def test_images_of_one_s_own(session, tmp_path):
    path = session.val.by_image[2][0].image_path
    from_file, sent = own_image(path), with_boxes("sent.jpg", decode_image(path.read_bytes(), "sent.jpg"))
    assert np.array_equal(from_file.image, sent.image)
    assert from_file.names == ("the whole image",) and from_file.people[0].box == (0.0, 0.0, 72.0, 96.0)
    with pytest.raises(UserError, match=r"nothing\.jpg"):
        own_image(tmp_path / "nothing.jpg")
    with pytest.raises(UserError, match=r"sent\.jpg: image file is truncated"):
        with_boxes("sent.jpg", decode_image(path.read_bytes()[:500], "sent.jpg"))
    with pytest.raises(UserError, match=r"box \(1.0, 2.0, 0.0, 5.0\): width and height must be positive"):
        with_boxes("own", from_file.image, [(1.0, 2.0, 0.0, 5.0)])
    with pytest.raises(UserError, match="lies outside the image of 72 x 96 pixels"):
        with_boxes("own", from_file.image, [(80.0, 2.0, 5.0, 5.0)])


def test_an_image_that_is_not_of_the_labelled_size_is_refused(session):
    root = session.val.people.root
    (people, *_) = session.val.by_image
    resized = ValImages(session.val.people)
    resized.__dict__["by_image"] = (tuple(replace(one, image_size=(48, 36)) for one in people),)
    with pytest.raises(UserError, match=f"{root}.*image is 72 x 96, but the annotation file says 36 x 48"):
        resized.image(0)


def test_a_click_takes_the_smallest_box_around_it(session):
    image = np.zeros((100, 100, 3), np.uint8)
    shown = with_boxes("two", image, [(0.0, 0.0, 60.0, 60.0), (20.0, 20.0, 20.0, 20.0)])
    assert [shown.person_at(0.1, 0.1), shown.person_at(0.3, 0.3), shown.person_at(0.9, 0.9)] == [0, 1, 2]


@pytest.fixture
def two_sets(monkeypatch, tmp_path) -> dict[str, Path]:
    """Val sets of the profiles smoke and mini, as they are found without `data`."""
    roots = {name: write_people(tmp_path / name, train=1, val=2) for name in ("smoke", "mini")}

    def folder(profile: Profile, data: str, keypoints: str) -> Path:
        return roots[profile.name] if profile.people and not data else data_folder(profile, data, keypoints)

    monkeypatch.setattr("poseur_study.explorer.session.data_folder", folder)
    return roots


def test_an_image_of_another_val_set_is_dropped_with_its_model(two_sets, tiny):
    session = Session(ExplorerSettings())
    session.choose_model(tiny)
    session.choose_image(session.val.image(1))
    session.choose_model(tiny)
    assert session.image.name == "val image 1 (smoke)"
    session.choose_model(replace(tiny, profile=""))
    assert session.image.name == "val image 1 (smoke)", "a checkpoint has no val set of its own"
    for other in ("mini", "paper"):  # the one has its own, of the other it is not known
        session.choose_model(replace(tiny, profile=other))
        assert session.image is None
        session.choose_model(tiny)
        session.choose_image(session.val.image(1))


def test_an_image_stays_with_another_profile_s_model_where_it_goes_with_both(two_sets, tiny):
    session = Session(ExplorerSettings(data=str(two_sets["smoke"])))
    session.choose_model(tiny)
    session.choose_image(session.val.image(1))
    session.choose_model(replace(tiny, profile="mini"))
    assert session.image is not None, "`data` is every model's"
    session.settings = ExplorerSettings()
    session.choose_model(tiny)
    session.choose_image(own_image(session.val.by_image[0][0].image_path))
    session.choose_model(replace(tiny, profile="mini"))
    assert session.image is not None, "one's own"


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda s: s.choose_image(s.image, 5), "person 5: val image 0 .* has people 0 to 1"),
        (lambda s: s.val.image(3), "image 3: the val set has images 0 to 2"),
    ],
)
def test_what_is_not_there_is_named(session, act, message):
    with pytest.raises(UserError, match=message):
        act(session)


def test_a_checkpoint_of_another_method_is_refused_by_name(tmp_path):
    config = tiny_config(**{"model.head": {"kind": "heatmap"}})
    save_weights(tmp_path / "other.pt", build_model(config), config)
    with pytest.raises(UserError, match=r"other\.pt is a heatmap model, which has no keypoint queries to look into"):
        open_checkpoint(tmp_path / "other.pt")


def test_a_checkpoint_without_a_val_set_says_what_to_give(tiny, tmp_path):
    path = tmp_path / "tiny.pt"
    save_weights(path, tiny.model, tiny.config)
    session = Session(ExplorerSettings())
    session.choose_model(open_checkpoint(path))
    with pytest.raises(UserError, match="give `data`, or an `image` of your own"):
        session.average_attention()


def test_a_run_s_folder_is_the_model_in_it(tiny, tmp_path):
    save_weights(tmp_path / "model.pt", tiny.model, tiny.config)
    opened = open_checkpoint(tmp_path)
    assert opened.name == tmp_path.name and opened.config == tiny.config
    with pytest.raises(UserError, match=r"model\.pt: no such checkpoint"):
        open_checkpoint(tmp_path.parent)
