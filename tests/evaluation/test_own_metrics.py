"""CrowdPose, COCO-WholeBody and Leeds Sports: sets, files and metrics, each on a small folder."""

import json

import numpy as np
import pytest

from poseur_lib.data.coco import CocoPeople
from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.evaluation.evaluate import evaluate_model
from poseur_lib.evaluation.metrics import evaluate_coco
from poseur_lib.evaluation.own_metrics import crowd_aps, part_aps, pck
from poseur_lib.keypoints import COCO_17, COCO_WHOLEBODY_133, CROWDPOSE_14, LSP_14, WHOLEBODY_PARTS
from poseur_lib.models.build import build_model
from poseur_lib.runtime import Runtime
from tests.training.tiny import tiny_config, write_people


def changed(folder, change, split="val"):
    """The data set with its annotation file changed in place."""
    path = folder / "annotations" / f"person_keypoints_{split}2017.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return folder


def as_results(people, moved=()):
    """Everybody found where they are labelled; on the images `moved` 500 pixels beside it."""
    results = []
    for one in people.coco.dataset["annotations"]:
        points = np.array(one["keypoints"], float).reshape(-1, 3)
        points[:, 0] += 500 * (one["image_id"] in moved)
        results.append(
            {"image_id": one["image_id"], "category_id": 1, "score": 0.9, "keypoints": points.ravel().tolist()}
        )
    return results


def test_crowdpose_s_set_is_that_of_its_files():
    """Left and right change places, and its constants are those that Leeds Sports borrows."""
    exchange = {"left": "right", "right": "left"}
    mirrored = [CROWDPOSE_14.names[index] for index in CROWDPOSE_14.flip_index]
    assert mirrored == ["_".join(exchange.get(word, word) for word in name.split("_")) for name in CROWDPOSE_14.names]
    theirs = dict(zip(CROWDPOSE_14.names, CROWDPOSE_14.oks_sigmas, strict=True)) | {"head_top": 0.079}
    assert [theirs[name] for name in LSP_14.names] == list(LSP_14.oks_sigmas)


@pytest.fixture
def crowdpose(tmp_path):
    """Six images, two of each kind, and no areas, as distributed."""

    def change(content):
        for image, crowd in zip(content["images"], (0.0, 0.19, 0.2, 0.79, 0.8, 1.0), strict=True):
            image["crowdIndex"] = crowd
        for one in content["annotations"]:
            del one["area"]

    return changed(write_people(tmp_path / "crowd", 1, 6, CROWDPOSE_14), change)


def test_ap_by_crowd_index(crowdpose):
    people = CocoPeople(crowdpose, "val", CROWDPOSE_14)
    ids = sorted(people.coco.imgs)
    assert crowd_aps(people, as_results(people)) == {"AP easy": 100, "AP medium": 100, "AP hard": 100}
    assert crowd_aps(people, as_results(people, ids[4:])) == {"AP easy": 100, "AP medium": 100, "AP hard": 0}
    # One of two people is found: at precision 1, or 0.5 where the false one comes first (equal scores, in order).
    assert crowd_aps(people, as_results(people, ids[1:3])) == {
        "AP easy": pytest.approx(50.5, abs=0.1), "AP medium": pytest.approx(25.2, abs=0.1), "AP hard": 100,
    }  # fmt: skip


def test_crowdpose_s_area_is_a_share_of_the_box(crowdpose):
    for person in CocoPeople(crowdpose, "val", CROWDPOSE_14).people():
        assert person.area == pytest.approx(0.53 * person.box[2] * person.box[3], rel=0.1)


@pytest.mark.parametrize("crowd", [None, "0.1", 1.5, True])
def test_a_crowd_index_that_is_none_is_named(crowdpose, crowd):
    people = CocoPeople(crowdpose, "val", CROWDPOSE_14)
    image = sorted(people.coco.imgs)[2]
    people.coco.imgs[image]["crowdIndex"] = crowd
    with pytest.raises(UserError, match=f"image {image}: crowdIndex must be 0 to 1"):
        crowd_aps(people, as_results(people))


FIELDS = {"foot": "foot_kpts", "face": "face_kpts", "left hand": "lefthand_kpts", "right hand": "righthand_kpts"}


@pytest.fixture
def wholebody(tmp_path):
    """Four people with their keypoints in five fields, of whom the first has no left hand."""

    def change(content):
        content["categories"][0]["keypoints"] = list(COCO_17.names)
        for place, one in enumerate(content["annotations"]):
            whole = np.array(one["keypoints"]).reshape(-1, 3)
            if place == 0:
                whole[WHOLEBODY_PARTS["left hand"]] = 0
            for part, field in FIELDS.items():
                one[field] = whole[WHOLEBODY_PARTS[part]].ravel().tolist()
                one[f"{field[:-5]}_valid"] = bool(whole[WHOLEBODY_PARTS[part]].any())
            one["keypoints"] = whole[:17].ravel().tolist()
            one["num_keypoints"] = 17

    return changed(write_people(tmp_path / "whole", 1, 4, COCO_WHOLEBODY_133), change)


def test_five_fields_are_one_person(wholebody, tmp_path):
    assembled = CocoPeople(wholebody, "val", COCO_WHOLEBODY_133).people()
    whole = CocoPeople(write_people(tmp_path / "same", 1, 4, COCO_WHOLEBODY_133), "val", COCO_WHOLEBODY_133).people()
    assert (assembled[0].visibility > 0).sum() == 133 - 21
    for one, other in zip(assembled[1:], whole[1:], strict=True):
        assert (one.keypoints_image == other.keypoints_image).all() and (one.visibility == other.visibility).all()


def test_a_score_in_place_of_a_visibility_says_labelled(wholebody, capsys):
    """As the distributed files have it for hands; 0 stays 0, and nothing is said of the body's `num_keypoints`."""

    def change(content):
        content["annotations"][1]["lefthand_kpts"][2::3] = [0.0, 0.1, 1, 1.0, *[2.0] * 17]

    person = CocoPeople(changed(wholebody, change), "val", COCO_WHOLEBODY_133).people()[1]
    hand = WHOLEBODY_PARTS["left hand"]
    assert person.visibility[hand].tolist() == [0] + [2] * 20
    assert (person.keypoints_image[hand][1:] > 0).all()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("field", "mark", "message"),
    [
        ("keypoints", 0.37, "visibility must be 0, 1 or 2, got 0.37"),
        ("face_kpts", -0.1, "visibility must be 0, 1 or 2, got -0.1"),
        ("face_kpts", 37.0, "visibility must be 0, 1 or 2, got 37.0"),
        ("face_kpts", float("nan"), "keypoints must be finite"),
    ],
)
def test_a_mark_that_is_no_visibility_is_named(wholebody, field, mark, message):
    folder = changed(wholebody, lambda content: content["annotations"][1][field].__setitem__(2, mark))
    with pytest.raises(UserError, match=f"annotation 2: {message}"):
        CocoPeople(folder, "val", COCO_WHOLEBODY_133)


def test_the_same_file_is_still_one_of_coco_s_bodies(wholebody):
    assert CocoPeople(wholebody, "val", COCO_17).people()[0].keypoints_image.shape == (17, 2)


@pytest.mark.parametrize(("value", "message"), [([1, 2, 2] * 5, "keypoints must be 399 values"), ("x", "must be 399")])
def test_a_part_of_another_length_is_an_error(wholebody, value, message):
    folder = changed(wholebody, lambda content: content["annotations"][1].update(foot_kpts=value))
    with pytest.raises(UserError, match=message):
        CocoPeople(folder, "val", COCO_WHOLEBODY_133)


def test_parts_are_judged_apart(wholebody):
    """Right hands that are all wrong cost right hands their AP, and no other part its own."""
    people = CocoPeople(wholebody, "val", COCO_WHOLEBODY_133)
    results = as_results(people)
    assert set(part_aps(people, results).values()) == {100.0}
    for one in results:
        for keypoint in WHOLEBODY_PARTS["right hand"]:
            one["keypoints"][3 * keypoint] += 500
    aps = part_aps(people, results)
    assert aps == {"AP body": 100, "AP foot": 100, "AP face": 100, "AP left hand": 100, "AP right hand": 0}
    assert evaluate_coco(people.coco, results, COCO_WHOLEBODY_133).AP < 100


def test_pck_counts_joints_within_a_fifth_of_the_torso():
    truth = np.random.default_rng(0).uniform(0, 200, (3, 14, 2))
    truth[:, 9], truth[:, 2] = (0, 0), (60, 80)  # left shoulder, right hip: 100 apart
    labelled = np.ones((3, 14), bool)
    found = truth.copy()
    assert pck(found, truth, labelled, LSP_14) == 100
    found[0, 5, 0] += 19.9
    found[1, 5, 0] += 20.1
    assert pck(found, truth, labelled, LSP_14) == pytest.approx(100 * 41 / 42)
    labelled[1, 9] = False  # without a torso nobody counts
    assert pck(found, truth, labelled, LSP_14) == 100
    labelled[:, 2] = False
    assert np.isnan(pck(found, truth, labelled, LSP_14))


def test_a_pck_that_nobody_s_torso_allows_says_so(tmp_path):
    def change(content):
        for one in content["annotations"]:
            one["keypoints"][3 * 2 : 3 * 2 + 3] = [0, 0, 0]  # the right hip
            one["num_keypoints"] = 13

    data = changed(write_people(tmp_path / "data", 1, 3, LSP_14), change)
    config = tiny_config(**{"data.keypoint_set": LSP_14.name})
    evaluated = evaluate_model(build_model(config), config, Runtime(data=data, device="cpu"), BoxSource.GROUND_TRUTH)
    assert "PCK@0.2 nan\nPCK@0.2: nobody has a torso, left_shoulder and right_hip labelled" in evaluated.text()
    of_size = [name for name in ("AP_M", "AP_L", "AR_M", "AR_L") if f"{name} nan" in evaluated.text()]
    assert of_size and f"nan: nobody is labelled who counts for {', '.join(of_size)}" in evaluated.text()


@pytest.mark.parametrize(
    ("keypoints", "said"),
    [(LSP_14, ["PCK@0.2"]), (CROWDPOSE_14, []), (COCO_17, [])],
    ids=["lsp14", "crowdpose14 without index", "coco17"],
)
def test_an_evaluation_has_what_the_data_set_has(tmp_path, keypoints, said):
    data = write_people(tmp_path / "data", 1, 3, keypoints)
    config = tiny_config(**{"data.keypoint_set": keypoints.name})
    evaluated = evaluate_model(build_model(config), config, Runtime(data=data, device="cpu"), BoxSource.GROUND_TRUTH)
    assert list(evaluated.more) == said and all(name in evaluated.text() for name in said)
    assert "nobody has a torso" not in evaluated.text()
