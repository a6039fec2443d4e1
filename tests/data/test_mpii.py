"""MPII in COCO's layout: both forms, frames and crops, and errors that name file and person."""

import json
import re
import shutil

import cv2
import numpy as np
import pytest
from scipy.io import loadmat, savemat
from typer.testing import CliRunner

from poseur_lib.data.check import check_dataset
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.crop import PLAIN, box_to_center_scale
from poseur_lib.data.mpii import ORIGINAL, convert_mpii, crop_box, val_images
from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.evaluation.evaluate import evaluate_model
from poseur_lib.evaluation.pckh import hits_of_people
from poseur_lib.keypoints import MPII_16
from poseur_lib.models.build import build_model
from poseur_lib.runtime import Runtime
from poseur_study.cli.main import app
from tests.training.tiny import tiny_config

HEIGHT, WIDTH, SIZE = 120, 160, (256, 256)


def person(number, rng):
    """A person of HRNet's JSON, pixels counted from 1; the fourth joint is not labelled."""
    joints = rng.uniform((20, 20), (WIDTH - 20, HEIGHT - 20), (16, 2)).round(4)
    joints[3] = -1
    shown = [int(index != 3) for index in range(16)]
    return {"image": f"{number:09d}.jpg", "center": [70.0 + number, 60.0], "scale": 0.5, "joints": joints.tolist(),
            "joints_vis": shown}  # fmt: skip


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    return {
        "train": [person(number, rng) for number in range(1, 7)],
        "valid": [person(number, rng) for number in (7, 8)],
    }


def written(folder, people, heads=True):
    """The data set as HRNet's users have it."""
    (folder / "annot").mkdir(parents=True)
    (folder / "images").mkdir()
    for name, some in people.items():
        (folder / "annot" / f"{name}.json").write_text(json.dumps(some))
        for one in some:
            cv2.imwrite(str(folder / "images" / one["image"]), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    if heads:
        write_truth(folder, people["valid"])
    return folder


def write_truth(folder, people):
    joints = np.stack([one["joints"] for one in people]).transpose(1, 2, 0)
    missing = 1 - np.array([one["joints_vis"] for one in people]).T
    head = np.stack([np.array([[30.0 + n, 20.0], [60.0 + n, 60.0]]) for n in range(len(people))], axis=-1)
    truth = {"jnt_missing": missing, "pos_gt_src": np.where(missing[:, None], 0, joints), "headboxes_src": head}
    savemat(folder / "annot" / "gt_valid.mat", truth)


def test_the_folder_is_a_data_set(tmp_path, people):
    source, folder = written(tmp_path / "mpii", people), tmp_path / "coco"
    result = CliRunner().invoke(app, ["data", "convert", "mpii", str(source), str(folder)])
    assert result.exit_code == 0, result.output
    assert result.output == f"{folder}: 6 people to train on and 2 to judge on, keypoint set mpii16\n"
    report = check_dataset(folder, MPII_16, check_images=True)
    assert report.ok, str(report)
    train, val = (CocoPeople(folder, split, MPII_16) for split in ("train", "val"))
    assert val.has_heads and not train.has_heads
    for given, one in zip(people["valid"], val.people(), strict=True):
        assert one.image_path.name == given["image"]
        assert one.visibility.tolist() == [2 * shown for shown in given["joints_vis"]]
        labelled = one.visibility > 0
        expected = np.array(given["joints"])[labelled] - 1  # Matlab counts from 1
        assert np.abs(one.keypoints_image[labelled] - expected).max() < 0.01
    assert val.people()[1].head_box == (30, 19, 60, 59)
    assert convert_mpii(source, folder).val == 2  # the same again changes nothing


def test_the_crop_is_hrnet_s(tmp_path, people):
    """Centre down by 15 px a scale, minus 1; 200 px a scale, times 1.25; not cut to the image."""
    convert_mpii(written(tmp_path / "mpii", people), tmp_path / "coco")
    one = CocoPeople(tmp_path / "coco", "val", MPII_16).people()[0]
    center, box_scale = box_to_center_scale(one.box, SIZE, PLAIN)
    assert center.tolist() == pytest.approx([77 - 1, 60 + 15 * 0.5 - 1]) and box_scale.tolist() == [0.625, 0.625]
    assert crop_box((5.0, 5.0), 1.0) == (-96, -81, 200, 200)


def test_labels_predicted_are_all_found(tmp_path, people):
    convert_mpii(written(tmp_path / "mpii", people), tmp_path / "coco")
    val = CocoPeople(tmp_path / "coco", "val", MPII_16)
    some = val.people()
    metrics = hits_of_people(poses_of(some, 0.0), some, MPII_16, sorted(val.coco.getImgIds())).metrics(MPII_16.names)
    assert metrics.weighted == metrics.unweighted == (100, 100, 100)
    # A head is 0.6 x 50 = 30 px: 4 px are missed at 0.10 and at 0.11, and hit at 0.5.
    metrics = hits_of_people(poses_of(some, 4.0), some, MPII_16, sorted(val.coco.getImgIds())).metrics(MPII_16.names)
    assert metrics.weighted == (100, 0, 0) and "PCKh@0.50 100.00" in metrics.text()


def test_pckh_s_results_have_everybody(tmp_path, people):
    """Two people at one place are one to OKS-NMS, which PCKh does not have."""
    people["valid"] = [people["valid"][0]] * 2
    convert_mpii(written(tmp_path / "mpii", people), tmp_path / "coco")
    config = tiny_config(**{"data.keypoint_set": MPII_16.name})
    runtime = Runtime(data=tmp_path / "coco", device="cpu")
    evaluated = evaluate_model(build_model(config), config, runtime, BoxSource.GROUND_TRUTH)
    assert len(evaluated.results) == evaluated.num_boxes == 2
    assert "PCKh@0.50" in evaluated.text() and not re.search("OKS-NMS|instance score", evaluated.text())


def poses_of(people, shift):
    center, scale = (
        np.stack(of) for of in zip(*(box_to_center_scale(one.box, SIZE, PLAIN) for one in people), strict=True)
    )
    points = np.stack([one.keypoints_image for one in people]) + np.array([shift, 0])
    inside = (points - center[:, None]) / (200 * scale[:, None]) + 0.5
    number, ones = len(people), np.ones((len(people), 16), np.float32)
    return PredictedPeople(
        np.array([one.image_id for one in people]), np.ones(number, np.float32), center, scale,
        inside.astype(np.float32), None, ones, SIZE,
    )  # fmt: skip


def test_who_has_no_head_box_cannot_be_judged(tmp_path, people):
    convert_mpii(written(tmp_path / "mpii", people), tmp_path / "coco")
    some = CocoPeople(tmp_path / "coco", "train", MPII_16).people()
    with pytest.raises(UserError, match="annotation 1: no head_box, which PCKh needs; 0 of 6"):
        hits_of_people(poses_of(some, 0.0), some, MPII_16, [1, 2, 3, 4, 5, 6])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda people: people["train"][2].update(joints_vis=[1] * 15), r"train.json: person 2: joints"),
        (lambda people: people["valid"][1].update(scale=float("nan")), r"valid.json: .*1.scale"),
        (lambda people: people["valid"][1]["joints"][0].__setitem__(0, 9.0), r"labels of person 1 are not those"),
        (lambda people: people["valid"][0]["joints_vis"].__setitem__(3, 1), r"labels of person 0 are not those"),
    ],
)
def test_errors_name_file_and_person(tmp_path, people, spoil, message):
    source = written(tmp_path / "mpii", people)
    spoil(people)
    for name, some in people.items():
        (source / "annot" / f"{name}.json").write_text(json.dumps(some))
    with pytest.raises(UserError, match=message):
        convert_mpii(source, tmp_path / "coco")
    assert not (tmp_path / "coco").exists()


def test_without_centre_people_are_left_out_and_said(tmp_path, people):
    people["train"][0]["center"] = [-1.0, -1.0]
    assert convert_mpii(written(tmp_path / "mpii", people), tmp_path / "coco")[:3] == (5, 2, 1)


@pytest.mark.parametrize(
    "joints",
    [[[-1.0, -3.0]] * 16, [[160.0 + 0.1 * joint, 50.0] for joint in range(16)], [[100.0, 50.0]] * 16],
    ids=["beside", "partly beside", "one point"],
)
@pytest.mark.parametrize("labelled", [16, 1])
def test_who_has_no_box_in_the_image_is_still_judged(tmp_path, people, joints, labelled):
    """HRNet's code counts every labelled joint of every person, whatever box is around them."""
    people["valid"][0].update(joints=joints, joints_vis=[0] * (16 - labelled) + [1] * labelled)
    made = convert_mpii(written(tmp_path / "mpii", people), tmp_path / "coco")
    assert made == (6, 2, 0, (), "")
    assert check_dataset(tmp_path / "coco", MPII_16, check_images=False).ok
    some = CocoPeople(tmp_path / "coco", "val", MPII_16).people()
    assert len(some) == 2 and (some[0].visibility > 0).sum() == labelled
    assert hits_of_people(poses_of(some, 0.0), some, MPII_16, [1, 2]).metrics(MPII_16.names).weighted[0] == 100


def test_people_far_outside_their_image_are_left_out_and_said(tmp_path, people):
    people["train"][1].update(joints=[[170.0 + joint, 50.0] for joint in range(16)], joints_vis=[1] * 16)
    source, folder = written(tmp_path / "mpii", people), tmp_path / "coco"
    result = CliRunner().invoke(app, ["data", "convert", "mpii", str(source), str(folder)])
    assert "5 people to train on and 2 to judge on" in result.output
    assert "left out 1 people all of whose joints lie far outside their image: 000000002.jpg" in result.output
    assert check_dataset(folder, MPII_16, check_images=False).ok


def test_a_scale_that_cannot_be_meant_names_the_person(tmp_path, people):
    people["train"][2]["scale"] = 1e9
    with pytest.raises(UserError, match=r"train.json: person 2 \(000000003.jpg\), .* scale 1e\+09: crop_box must be"):
        convert_mpii(written(tmp_path / "mpii", people), tmp_path / "coco")
    assert not (tmp_path / "coco").exists()


@pytest.mark.parametrize("corner", [(31.0, 20.0), (np.nan, np.nan), (70.0, 20.0)], ids=["empty", "nan", "flat"])
def test_a_head_box_that_is_none_names_the_person(tmp_path, people, corner):
    source = written(tmp_path / "mpii", people)
    truth = {name: value for name, value in loadmat(source / "annot" / "gt_valid.mat").items() if name[0] != "_"}
    truth["headboxes_src"][1, :, 1] = corner
    savemat(source / "annot" / "gt_valid.mat", truth)
    with pytest.raises(UserError, match=r"gt_valid.mat: person 1 \(000000008.jpg\): head box must .* got \[31.0, 20.0"):
        convert_mpii(source, tmp_path / "coco")


def test_a_head_box_may_begin_at_any_corner(tmp_path, people):
    source = written(tmp_path / "mpii", people)
    truth = {name: value for name, value in loadmat(source / "annot" / "gt_valid.mat").items() if name[0] != "_"}
    truth["headboxes_src"][:, 0] = truth["headboxes_src"][::-1, 0]
    savemat(source / "annot" / "gt_valid.mat", truth)
    convert_mpii(source, tmp_path / "coco")
    assert CocoPeople(tmp_path / "coco", "val", MPII_16).people()[1].head_box == (30, 19, 60, 59)


def test_a_missing_file_is_called_missing(tmp_path, people):
    with pytest.raises(UserError, match=r"gt_valid.mat: no such file$"):
        convert_mpii(written(tmp_path / "mpii", people, heads=False), tmp_path / "coco")


@pytest.mark.parametrize("name", ["gt_valid.mat", ORIGINAL])
def test_an_empty_file_of_matlab_is_named(tmp_path, people, name):
    source = written(tmp_path / "mpii", people)
    (source / "annot" / name).write_bytes(b"")
    if name == ORIGINAL:
        (source / "annot" / "gt_valid.mat").unlink()
    with pytest.raises(UserError, match=rf"{name}: cannot be read: Mat file"):
        convert_mpii(source, tmp_path / "coco")


def test_a_missing_image_is_named(tmp_path, people):
    source = written(tmp_path / "mpii", people)
    (source / "images" / "000000008.jpg").unlink()
    with pytest.raises(UserError, match=r"000000008.jpg: image is missing"):
        convert_mpii(source, tmp_path / "coco")


@pytest.mark.parametrize("name", ["../../victim/photo.jpg", "/etc/hostname", "C:photo.jpg", "..\\photo.jpg"])
@pytest.mark.parametrize("form", ["train.json", ORIGINAL])
def test_an_image_s_name_does_not_leave_the_folder(tmp_path, people, name, form):
    """`../../victim` is `source/victim` from the images there, and would be `tmp_path/victim` from the folder's."""
    source = written(tmp_path / "source" / "mpii", people)
    for victim in (tmp_path / "source" / "victim", tmp_path / "victim"):
        victim.mkdir()
        shutil.copy(source / "images" / "000000001.jpg", victim / "photo.jpg")
    (tmp_path / "victim" / "photo.jpg").write_bytes(b"precious")
    people["train"][0]["image"] = name
    (source / "annot" / "train.json").write_text(json.dumps(people["train"]))
    if form == ORIGINAL:
        original(source, [*people["train"], *people["valid"]])
        (source / "annot" / "gt_valid.mat").unlink()
    with pytest.raises(UserError, match=f"{form}: image .*(photo.jpg|hostname).* would lie outside the folder"):
        convert_mpii(source, tmp_path / "coco")
    assert (tmp_path / "victim" / "photo.jpg").read_bytes() == b"precious" and not (tmp_path / "coco").exists()


def original(folder, people, spoil=lambda rect: None, videos=()):
    """The same people as the original file has them, with a hidden joint and a person of a test image beside them.

    Args:
        spoil: changes the second person's "annorect".
        videos: their "vidx", empty where the image is of none.
    """
    annolist, training = [], []
    for one in [*people, None]:
        points = [
            {"x": x, "y": y, "id": joint, "is_visible": [] if joint in (8, 9) else int(joint != 5)}
            for joint, ((x, y), shown) in enumerate(zip(one["joints"], one["joints_vis"], strict=True))
            if shown
        ] if one else []  # fmt: skip
        rect = {"x1": 30.0, "y1": 20.0, "x2": 60.0, "y2": 60.0, "scale": one["scale"] if one else 1.0,
                "objpos": dict(zip("xy", one["center"] if one else (5.0, 5.0), strict=True)),
                "annopoints": {"point": points} if one else []}  # fmt: skip
        if len(annolist) == 1:
            spoil(rect)
        of_video = {"vidx": videos[len(annolist)], "frame_sec": 7} if one and videos else {}
        annolist.append({"image": {"name": one["image"] if one else "test.jpg"}, "annorect": rect} | of_video)
        training.append(int(one is not None))
    savemat(folder / ORIGINAL, {"RELEASE": {"annolist": annolist, "img_train": training}})


def test_the_original_file_gives_the_same_people(tmp_path, people):
    source = written(tmp_path / "mpii", people)
    convert_mpii(source, tmp_path / "listed")
    original(source / "annot", [*people["train"], *people["valid"]])
    convert_mpii(source, tmp_path / "both")
    labels = [(tmp_path / name / "annotations" / "person_keypoints_val2017.json") for name in ("listed", "both")]
    assert labels[0].read_bytes() == labels[1].read_bytes()  # the usual list, where it is there
    (source / "annot" / "train.json").unlink()
    assert convert_mpii(source, tmp_path / "original")[:3] == (6, 2, 0)  # valid.json says which images are val
    for split in ("train", "val"):
        listed, same = (CocoPeople(tmp_path / name, split, MPII_16).people() for name in ("listed", "original"))
        for one, other in zip(listed, same, strict=True):
            assert one.image_path.name == other.image_path.name and one.box == pytest.approx(other.box)
            assert np.abs(one.keypoints_image - other.keypoints_image).max() < 0.01
            assert other.visibility[5] == 1 and (other.visibility > 0).tolist() == (one.visibility > 0).tolist()
            assert other.head_box == (29, 19, 59, 59)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda rect: rect["annopoints"]["point"][0].update(id=-1), "id of a joint must be 0 to 15, got -1"),
        (lambda rect: rect["annopoints"]["point"][0].update(id=16), "id of a joint must be 0 to 15, got 16"),
        (lambda rect: rect["annopoints"]["point"][0].update(id=0.5), "id of a joint must be 0 to 15, got 0.5"),
        (lambda rect: rect["annopoints"]["point"][0].update(x=np.nan), "joint 0 must lie at two numbers, got nan, "),
        (lambda rect: rect.update(x2=30.0), "head box must .* got .30.0, 20.0, 30.0, 60.0"),
        (lambda rect: rect.pop("y1"), "head box must .* got .30.0, nan, 60.0, 60.0"),
        (lambda rect: rect.update(scale=1e9), "with centre .* and scale 1e.09: crop_box must be in pixels"),
    ],
)
def test_nonsense_in_the_original_file_names_the_person(tmp_path, people, spoil, message):
    source = written(tmp_path / "mpii", people, heads=False)
    original(source, people["train"], spoil)
    with pytest.raises(UserError, match=rf"{ORIGINAL}: person 0 of 000000002.jpg.*{message}"):
        convert_mpii(source, tmp_path / "coco")
    assert not (tmp_path / "coco").exists()


@pytest.mark.parametrize(
    ("listed", "said"),
    [(True, "everybody on the images of valid.json"), (False, "one in 10 images, whole videos where")],
)
def test_a_val_split_that_is_not_hrnet_s_is_said(tmp_path, people, listed, said):
    source = written(tmp_path / "mpii", people, heads=False)
    original(source, [*people["train"], *people["valid"]])
    if not listed:
        (source / "annot" / "valid.json").unlink()
    result = CliRunner().invoke(app, ["data", "convert", "mpii", str(source), str(tmp_path / "coco")])
    assert result.exit_code == 0 and f"val is {said}" in result.output
    assert "PCKh on it does not compare with published numbers" in result.output


def test_without_valid_json_the_split_is_a_fixed_rule(tmp_path, people):
    source = written(tmp_path / "mpii", people)
    original(source / "annot", [*people["train"], *people["valid"]])
    (source / "annot" / "valid.json").unlink()
    assert convert_mpii(source, tmp_path / "coco")[:3] == (7, 1, 0)
    names = [f"{number:09d}.jpg" for number in range(1000)]
    val = val_images(dict.fromkeys(names))
    assert len(val) == 100 and val == val_images(dict.fromkeys(names[::-1]))
    videos = {name: number // 30 for number, name in enumerate(names)}
    val = val_images(videos)
    assert 100 <= len(val) < 130 and val == val_images(dict(reversed(videos.items())))
    assert not {videos[name] for name in val} & {videos[name] for name in names if name not in val}


def test_frames_of_a_video_are_of_one_split(tmp_path, people):
    """The file says which video an image is a frame of, or nothing."""
    source = written(tmp_path / "mpii", people, heads=False)
    videos = [4, 3, [], 4, 3, 3, [], 4]
    original(source, [*people["train"], *people["valid"]], videos=videos)
    (source / "annot" / "valid.json").unlink()
    convert_mpii(source, tmp_path / "coco")
    numbers = [
        [int(one.image_path.stem) for one in CocoPeople(tmp_path / "coco", split, MPII_16).people()]
        for split in ("val", "train")
    ]
    assert numbers == [[2, 5, 6], [1, 3, 4, 7, 8]]


def test_real_people(shared, tmp_path):
    """The first five people of MPII's val split, with head boxes made of their heads here."""
    given = shared / "data" / "mpii5"
    listed = json.loads((given / "test_mpii.json").read_text())
    source = tmp_path / "mpii"
    (source / "annot").mkdir(parents=True)
    shutil.copytree(given, source / "images")
    for name, some in (("train", listed[:3]), ("valid", listed[3:])):
        (source / "annot" / f"{name}.json").write_text(json.dumps(some))
    write_truth(source, listed[3:])
    assert convert_mpii(source, tmp_path / "coco") == (3, 2, 0, (), "")
    report = check_dataset(tmp_path / "coco", MPII_16, check_images=True)
    assert report.ok, str(report)
    for one in CocoPeople(tmp_path / "coco", "train", MPII_16).people():
        low, high = np.array(one.box[:2]), np.array(one.box[:2]) + one.box[2:]
        padded = 0.125 * (high - low)
        points = one.keypoints_image[one.visibility > 0]
        assert ((points > low - padded) & (points < high + padded)).all()  # MPII's crops hold their people
