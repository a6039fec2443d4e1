"""LSP-extended in COCO's layout: what flags, boxes and the split become, and errors that name file and index."""

import hashlib
import json

import cv2
import numpy as np
import pytest
from scipy.io import savemat
from typer.testing import CliRunner

from poseur_lib.data.check import check_dataset
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.coco_folder import BOX_MARGIN, box_of_joints, write_folder
from poseur_lib.data.lspet import convert_lspet, image_path, val_numbers
from poseur_lib.errors import UserError
from poseur_lib.keypoints import LSP_14
from poseur_study.cli.main import app

PEOPLE, HEIGHT, WIDTH = 10, 60, 40


@pytest.fixture
def joints():
    """Joints within images of 60 x 40, of which one person's first is not labelled, as distributed."""
    joints = np.random.default_rng(0).uniform((5, 5, 1), (WIDTH - 5, HEIGHT - 5, 1), (PEOPLE, 14, 3)).transpose(1, 2, 0)
    joints[0, :, 2] = 0, -26.1, 0
    return joints


def written(folder, joints):
    (folder / "images").mkdir(parents=True)
    savemat(folder / "joints.mat", {"joints": joints})
    for number in range(1, PEOPLE + 1):
        cv2.imwrite(str(image_path(folder, number)), np.full((HEIGHT, WIDTH, 3), number, np.uint8))
    return folder


def test_the_folder_is_a_data_set(tmp_path, joints):
    source, folder = written(tmp_path / "lspet", joints), tmp_path / "coco"
    result = CliRunner().invoke(app, ["data", "convert", "lspet", str(source), str(folder)])
    assert result.exit_code == 0, result.output
    assert "8 train and 2 val images" in result.output and "left out" not in result.output
    report = check_dataset(folder, LSP_14, check_images=True)
    assert report.ok, str(report)
    people = [one for split in ("train", "val") for one in CocoPeople(folder, split, LSP_14).people()]
    assert sorted(one.image_id for one in people) == list(range(1, PEOPLE + 1))
    for one in people:
        flags = joints[:, 2, one.image_id - 1]
        assert one.visibility.tolist() == (2 * flags).tolist()  # never 1: the flag does not tell occluded ones
        expected = np.where(flags[:, None] > 0, joints[:, :2, one.image_id - 1], 0)
        assert np.abs(one.keypoints_image - expected).max() < 0.01
        assert one.area == pytest.approx(0.53 * one.box[2] * one.box[3], rel=0.05)
    assert convert_lspet(source, folder).val == 2  # the same again changes nothing


def test_the_split_is_pinned():
    val = val_numbers(10000)
    assert len(val) == 2000
    digest = hashlib.sha256(",".join(map(str, sorted(val))).encode()).hexdigest()
    assert digest[:16] == "dc48b7ac36d62f35"


def test_boxes_have_the_margin_and_end_at_the_image():
    points = np.array([[10.0, 20.0], [20.0, 50.0]])
    assert box_of_joints(points, (1000, 1000)) == pytest.approx((7, 17, 16, 36))
    assert BOX_MARGIN == 0.1
    assert box_of_joints(points, (51, 21)) == pytest.approx((7, 17, 14, 34))


def test_no_box_is_empty():
    """That of one point is a pixel; that of joints beside the image stays where they are."""
    assert box_of_joints(np.array([[10.0, 20.0]]), (100, 100)) == (9.5, 19.5, 1, 1)
    assert box_of_joints(np.array([[-9.0, 20.0], [-4.0, 40.0]]), (100, 100)) == (-11, 18, 9, 24)


def test_left_and_right_change_places():
    exchange = {"left": "right", "right": "left"}
    mirrored = [LSP_14.names[index] for index in LSP_14.flip_index]
    assert mirrored == ["_".join(exchange.get(word, word) for word in name.split("_")) for name in LSP_14.names]


def test_one_joint_far_outside_is_left_out_and_said(tmp_path, joints):
    joints[3, :2, 6] = 3 * WIDTH, 20
    made = convert_lspet(written(tmp_path / "lspet", joints), tmp_path / "coco")
    assert made.far == (7,)
    people = {one.image_id: one for split in ("train", "val")
              for one in CocoPeople(tmp_path / "coco", split, LSP_14).people()}  # fmt: skip
    assert people[7].visibility[3] == 0 and people[7].box[0] + people[7].box[2] <= WIDTH


def test_errors_name_file_and_index(tmp_path, joints):
    far = joints.copy()
    far[3, 0, 2:5] = 500
    empty = joints.copy()
    empty[:, 2, 4] = 0
    flag = joints.copy()
    flag[0, 2, 1] = 2
    for name, wrong, message in (
        ("far", far, r"3 labelled joints .* index 2: left_hip at \[500.0, .*im00003.jpg, which is 60 x 40"),
        ("shape", joints.transpose(1, 0, 2), r"joints.mat: joints must be 14 x 3 x N .* \(3, 14, 10\)"),
        ("empty", empty, r"joints.mat: index 4 \(im00005.jpg\) has fewer than two"),
        ("flag", flag, r"joints.mat: index 1 \(im00002.jpg\) has a flag"),
        ("complex", joints + 1j, r"joints.mat: joints must be real numbers, got complex128"),
        ("normalised", joints / ([WIDTH], [HEIGHT], [1]), r"joints.mat: joints must be in pixels, .* beyond 0\.\d+$"),
        ("fewer", joints[..., :-2], r"joints are of 8 images, and 2 more are there, first .*images/im00009.jpg"),
    ):
        with pytest.raises(UserError, match=message):
            convert_lspet(written(tmp_path / name, wrong), tmp_path / "coco")
    source = written(tmp_path / "missing", joints)
    image_path(source, 8).unlink()
    with pytest.raises(UserError, match=r"im00008\.jpg: image cannot be read"):
        convert_lspet(source, tmp_path / "coco")
    with pytest.raises(UserError, match=r"joints\.mat: no such file"):
        convert_lspet(tmp_path / "nowhere", tmp_path / "coco")
    savemat(tmp_path / "missing/joints.mat", {"labels": joints})
    with pytest.raises(UserError, match="no matrix 'joints' in it, only labels"):
        convert_lspet(tmp_path / "missing", tmp_path / "coco")
    assert not (tmp_path / "coco").exists()


def test_a_damaged_file_is_named(tmp_path, joints):
    """SciPy's own error is no ValueError: it came to a person without the file's name."""
    file = written(tmp_path / "lspet", joints) / "joints.mat"
    whole = file.read_bytes()
    savemat(file, {"joints": joints}, do_compression=True)
    packed = file.read_bytes()
    for content in (b"", b"x" * 500, whole[:-9], whole[:130], packed[:-9], packed[:200] + bytes(99) + packed[299:]):
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"lspet/joints\.mat: cannot be read: .") as error:
            convert_lspet(file.parent, tmp_path / "coco")
        assert "\n" not in str(error.value)


def test_another_data_set_is_not_written_over(tmp_path, joints):
    file = tmp_path / "coco/annotations/person_keypoints_train2017.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({}))
    with pytest.raises(UserError, match="is another data set"):
        convert_lspet(written(tmp_path / "lspet", joints), tmp_path / "coco")
    assert file.read_text() == "{}"


def test_no_converter_writes_an_image_outside_its_folder(tmp_path):
    """Whatever names them: the folder itself holds to it."""
    files = {"val": {"images": [{"file_name": "../../photo.jpg"}]}}
    with pytest.raises(UserError, match=r"val2017.json: image '../../photo.jpg' would lie outside"):
        write_folder(tmp_path / "a" / "coco", files, tmp_path)
    assert not (tmp_path / "a").exists()
