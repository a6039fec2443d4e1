"""One's own keypoints: what a file may say, what it changes, and that a checkpoint carries it wherever it goes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from poseur_lib.checkpoints.checkpoint import load_model
from poseur_lib.checkpoints.released_load import load_released
from poseur_lib.config import ExperimentConfig
from poseur_lib.config.keypoints import mirror_images
from poseur_lib.data.check import check_dataset
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.keypoint_file import choose_keypoints, read_keypoint_file
from poseur_lib.data.keypoint_names import built_in_set
from poseur_lib.errors import UserError
from poseur_lib.evaluation.oks import oks
from poseur_lib.files import MODEL_FILE
from poseur_lib.keypoints import COCO_17, CROWDPOSE_14, KEYPOINT_SETS, LSP_14, keypoint_set
from poseur_lib.predict.predictor import Poseur
from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import _part_crops
from poseur_study.cli.main import main
from poseur_study.runs.run_id import run_id
from synthetic_people import PeopleSettings, generate
from tests.training.tiny import TINY, tiny_config, write_people

STAR = {
    "name": "star",
    "names": ["tip", "left_arm", "right_arm", "left_leg", "right_leg"],
    "flip_pairs": [["left_arm", "right_arm"], ["left_leg", "right_leg"]],
    "skeleton": [["tip", "left_arm"], ["tip", "right_leg"]],
}
TOML = "\n".join(f"{field} = {json.dumps(value)}" for field, value in STAR.items())


def write(path: Path, **changes) -> Path:
    path.write_text(json.dumps({**STAR, **changes}))
    return path


def test_toml_and_json_say_the_same_and_pairs_are_told_by_name(tmp_path):
    (tmp_path / "a.toml").write_text(TOML)
    own = read_keypoint_file(tmp_path / "a.toml")
    assert own == read_keypoint_file(write(tmp_path / "a.json"))
    described = keypoint_set(own)
    assert described.flip_index == (0, 2, 1, 4, 3) and described.skeleton == ((0, 1), (0, 4))
    assert described.oks_sigmas == (0.05,) * 5 and "0.05 for every keypoint, as no sigmas are given" in own.text
    given = read_keypoint_file(write(tmp_path / "b.json", sigmas=[0.02, 0.03, 0.03, 0.1, 0.1]))
    assert keypoint_set(given).oks_sigmas == (0.02, 0.03, 0.03, 0.1, 0.1) and "from 0.02 to 0.1" in given.text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"names": []}, "names: .*at least 1"),
        ({"names": "tip"}, "names = 'tip'"),
        ({"names": ["tip", "tip"], "flip_pairs": [], "skeleton": []}, "names: 'tip' comes 2 times"),
        ({"names": ["tip", " arm"]}, r"names\.1 = ' arm'"),
        ({"flip_pairs": [["left_arm", "right_arm"], ["right_arm", "tip"]]}, "flip_pairs: 'right_arm' comes 2 times"),
        ({"flip_pairs": [["tip", "tip"]]}, "flip_pairs: 'tip' is paired with itself"),
        ({"flip_pairs": [["left_arm", "rigth_arm"]]}, "flip_pairs: 'rigth_arm' is none of the names"),
        ({"flip_pairs": [["left_arm"]]}, r"flip_pairs\.0"),
        ({"flip_pairs": [[1, 2]]}, r"flip_pairs\.0\.0 = 1"),
        ({"skeleton": [["tip", "tail"]]}, "skeleton: 'tail' is none of the names"),
        ({"skeleton": [["tip", "tip"]]}, "skeleton: 'tip' is paired with itself"),
        ({"sigmas": [0.05] * 4}, "sigmas: 4 values for 5 names"),
        ({"sigmas": [0.05, 0.05, 0, 0.05, 0.05]}, r"sigmas\.2 = 0"),
        ({"sigmas": [0.05, -0.1, 0.05, 0.05, 0.05]}, r"sigmas\.1 = -0\.1"),
        ({"sigmas": [0.05, 0.05, 0.05, 0.05, 7]}, r"sigmas\.4 = 7"),
        ({"sigmas": [0.05, 0.05, 0.05, 0.05, float("nan")]}, r"sigmas\.4 = nan"),
        ({"sigmas": "small"}, "sigmas = 'small'"),
        ({"upper_body": ["tip"], "lower_body": ["tip"]}, "upper_body and lower_body: 'tip' comes 2 times"),
        ({"upper_body": ["head"]}, "upper_body and lower_body: 'head' is none of the names"),
        ({"flip_pair": []}, "unknown parameter 'flip_pair': did you mean 'flip_pairs'"),
        ({"name": "coco17"}, "name 'coco17' is a built-in keypoint set"),
    ],
)
def test_an_error_names_file_field_and_value(tmp_path, changes, says):
    with pytest.raises(UserError, match=says) as error:
        read_keypoint_file(write(tmp_path / "star.json", **changes))
    assert str(tmp_path / "star.json") in str(error.value) and "\n" not in str(error.value)


def test_mirror_pairs_are_not_forgotten_in_silence(tmp_path):
    """A flip without them would teach that a left arm is a right one; who means that says so."""
    path = tmp_path / "star.json"
    path.write_text(json.dumps({"names": ["tip", "left_arm", "right_arm", "leg_l", "leg_r", "upright"]}))
    with pytest.raises(UserError, match=r"flip_pairs = \[\['left_arm', 'right_arm'\], \['leg_l', 'leg_r'\]\], or \[\]"):
        read_keypoint_file(path)
    path.write_text(json.dumps({"names": ["left_arm", "right_arm"], "flip_pairs": []}))
    assert keypoint_set(read_keypoint_file(path)).flip_index == (0, 1)


@pytest.mark.parametrize(
    ("names", "pairs", "says"),
    [
        (["nose", "LEye", "REye", "LPaw", "RPaw"], None, r"\[\['LEye', 'REye'\], \['LPaw', 'RPaw'\]\]"),
        (["nose", "lsho", "rsho", "Lank", "Rank"], None, r"\[\['lsho', 'rsho'\], \['Lank', 'Rank'\]\]"),
        (STAR["names"], STAR["flip_pairs"][:1], "left_leg and right_leg look like .* flip_pairs has neither"),
        (
            STAR["names"],
            [["left_arm", "right_leg"]],
            "left_arm and right_arm .* flip_pairs pairs left_arm and right_leg",
        ),
    ],
)
def test_mirror_pairs_are_not_mistaken(tmp_path, names, pairs, says):
    content = {"names": names} | ({} if pairs is None else {"flip_pairs": pairs})
    path = tmp_path / "own.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=says):
        read_keypoint_file(path)
    path.write_text(json.dumps({"flip_pairs": []} | content | {"not_mirrored": names}))
    assert len(read_keypoint_file(path).flip_pairs) == len(pairs or ())
    path.write_text(json.dumps({"flip_pairs": []} | content | {"not_mirrored": ["tail"]}))
    with pytest.raises(UserError, match=r"not_mirrored must be a list of some of the names, got \['tail'\]"):
        read_keypoint_file(path)


def test_names_that_share_no_more_than_a_letter_are_no_mirror_images():
    assert mirror_images(["lip", "rim", "upright", "left", "rear_left", "l"]) == []
    assert mirror_images([*COCO_17.names]) == [(COCO_17.names[a], COCO_17.names[b]) for a, b in COCO_17.flip_pairs]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.toml", "names = [", "not valid TOML"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", "[1]", "found a list"),
        ("a.toml", "x" * (2**20 + 1), "1048577 bytes are too many"),
        ("gone.toml", None, "no such file"),
    ],
)
def test_files_that_are_none(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=says):
        choose_keypoints(str(tmp_path / name))


def test_a_name_that_is_no_set_and_two_files_in_a_folder(tmp_path):
    with pytest.raises(UserError, match="did you mean 'mpii16'"):
        choose_keypoints("mpii", tmp_path)
    assert choose_keypoints("", tmp_path) == (None, "") and choose_keypoints("lsp14", tmp_path) == ("lsp14", "")
    write(tmp_path / "keypoints.json")
    own, text = choose_keypoints("", tmp_path)
    assert keypoint_set(own).name == "star" and text.startswith(f"{tmp_path / 'keypoints.json'}: keypoint set 'star'")
    (tmp_path / "keypoints.toml").write_text(TOML)
    with pytest.raises(UserError, match="keep one of them"):
        choose_keypoints("", tmp_path)


def test_every_part_of_a_set_is_part_of_a_runs_identity_and_its_place_is_not(tmp_path):
    variants = [{}, {"sigmas": [0.06] * 5}, {"name": "other"}, {"flip_pairs": []}, {"names": [*STAR["names"][:4], "x"],
                "flip_pairs": [], "skeleton": []}, {"skeleton": []}]  # fmt: skip
    configs = [
        ExperimentConfig().with_changes(
            **{"data.keypoint_set": read_keypoint_file(write(tmp_path / f"{number}.json", **change))}
        )
        for number, change in enumerate([*variants, {}])
    ]
    ids = [run_id(config, "data") for config in configs]
    assert len(set(ids[:-1])) == len(variants) and ids[0] == ids[-1]
    assert run_id(ExperimentConfig(), "data") not in ids
    again = ExperimentConfig.model_validate_json(configs[1].model_dump_json())
    assert again == configs[1] and run_id(again, "data") == ids[1]


@pytest.fixture(scope="module")
def star_data(tmp_path_factory):
    """Stars in COCO's layout, whose folder says what their keypoints are."""
    root = tmp_path_factory.mktemp("star") / "data"
    own = read_keypoint_file(write(root.parent / "star.json"))
    write_people(root, train=16, val=4, keypoints=keypoint_set(own))
    (root / "keypoints.toml").write_text(TOML)
    return root


@pytest.fixture(scope="module")
def trained(star_data, tmp_path_factory):
    """`poseur train` on them, without a word about keypoints."""
    folder = tmp_path_factory.mktemp("run")
    changes = [f"--set={path}={json.dumps(value)}" for path, value in {**TINY, "pretext": None}.items()]
    assert main(["train", str(folder), "--data", str(star_data), "--device=cpu", *changes]) == 0
    return folder


def test_a_checkpoint_holds_its_keypoints_and_opens_anywhere(trained, star_data, tmp_path, capsys):
    shutil.copy(trained / MODEL_FILE, tmp_path / MODEL_FILE)
    model, config = load_model(tmp_path / MODEL_FILE)
    assert keypoint_set(config.data.keypoint_set).names == tuple(STAR["names"])
    assert tuple(model.flip_index) == (0, 2, 1, 4, 3)
    poseur = Poseur.from_pretrained(tmp_path / MODEL_FILE, device="cpu", fast=False)
    poses = poseur.predict(np.zeros((60, 40, 3), np.uint8))
    assert poses.people[0].keypoints_image.shape == (5, 2) and poses.draw().shape == (60, 40, 3)
    out = tmp_path / "out"
    image = next((star_data / "val2017").iterdir())
    assert main(["predict", str(image), "--checkpoint", str(tmp_path / MODEL_FILE), "--out", str(out)]) == 0
    category = json.loads((out / "images.json").read_text())["categories"][0]
    assert category["keypoints"] == STAR["names"] and category["skeleton"] == [[1, 2], [1, 5]]
    capsys.readouterr()
    evaluate = ["evaluate", "--checkpoint", str(tmp_path / MODEL_FILE), "--data", str(star_data), "--device=cpu"]
    assert main(evaluate) == 0
    assert "'star' of 5 keypoints, OKS constants 0.05 for every keypoint" in capsys.readouterr().out
    assert main([*evaluate, "--keypoints", str(write(tmp_path / "tight.json", sigmas=[0.01] * 5))]) == 0
    assert "OKS constants from 0.01 to 0.01" in capsys.readouterr().out
    other = write(tmp_path / "other.json", names=["tip", "right_arm", "left_arm", "left_leg", "right_leg"])
    assert main([*evaluate, "--keypoints", str(other)]) == 1
    assert "weights are of keypoints ['tip', 'left_arm'" in capsys.readouterr().err


def test_the_folders_file_names_what_annotations_do_not(star_data, tmp_path):
    own = keypoint_set(read_keypoint_file(star_data / "keypoints.toml"))
    shutil.copytree(star_data, tmp_path / "data")
    file = tmp_path / "data" / "annotations" / "person_keypoints_val2017.json"
    content = json.loads(file.read_text())
    before = CocoPeople(tmp_path / "data", "val", own).people()[0].keypoints_image
    content["categories"][0].pop("keypoints")
    file.write_text(json.dumps(content))
    assert np.array_equal(CocoPeople(tmp_path / "data", "val", own).people()[0].keypoints_image, before)
    swapped = ["tip", "right_arm", "left_arm", "left_leg", "right_leg"]
    write(tmp_path / "data" / "keypoints.json", names=swapped)
    (tmp_path / "data" / "keypoints.toml").unlink()
    after = CocoPeople(tmp_path / "data", "val", own).people()[0].keypoints_image
    assert np.array_equal(after, before[[0, 2, 1, 3, 4]])
    write(tmp_path / "data" / "keypoints.json", names=["a", "b", "c", "d", "e"], flip_pairs=[], skeleton=[])
    assert "not those of 'star'" in str(check_dataset(tmp_path / "data", own).problems)


def test_check_takes_the_folders_keypoints(star_data, capsys):
    assert main(["data", "check", str(star_data)]) == 0
    assert "keypoint set 'star'" in capsys.readouterr().out
    assert main(["data", "check", str(star_data), "--keypoints", "coco17"]) == 1
    assert "people have 5 keypoints, but keypoint set 'coco17' has 17" in capsys.readouterr().out


def test_check_knows_the_built_in_sets_by_their_names(tmp_path, capsys):
    """A converted set was called wrong, twice, unless one repeated the name that `convert` had printed."""
    root = str(write_people(tmp_path / "data", 1, 1, LSP_14))
    assert main(["data", "check", root]) == 0
    assert capsys.readouterr().out.count("those of 'lsp14': `poseur train --keypoints lsp14` is for them") == 1
    assert main(["data", "check", root, "--keypoints", "coco17"]) == 1
    of_another = "people have 14 keypoints, but keypoint set 'coco17' has 17 (their names are those of 'lsp14'"
    assert of_another in capsys.readouterr().out


@pytest.mark.parametrize("known", KEYPOINT_SETS, ids=lambda known: known.name)
def test_a_built_in_set_is_known_by_its_names_and_not_by_their_number(known):
    assert built_in_set(known.names[::-1]) == known
    assert built_in_set([f"{name} x" for name in known.names]) is None
    assert built_in_set(["tip", *known.names[1:]]) is None


@pytest.mark.parametrize("count", [14, 17])
def test_check_gives_other_names_no_built_in_set(tmp_path, count):
    names = tuple(f"part {letter}" for letter in "abcdefghijklmnopq"[:count])
    root = write_people(tmp_path, 1, 1, replace(COCO_17, names=names, flip_pairs=(), oks_sigmas=(), skeleton=(),
                                                upper_body=(), lower_body=()))  # fmt: skip
    report = check_dataset(root)
    assert len(report.problems) == 2 and not report.notes and "lsp14" not in str(report)


@pytest.mark.parametrize(("train", "val"), [(COCO_17, LSP_14), (LSP_14, COCO_17), (LSP_14, CROWDPOSE_14)])
def test_check_holds_both_splits_to_one_set(tmp_path, train, val):
    """Each split was held to the set of its own names, and nothing was wrong with a folder that no training takes."""
    root = write_people(tmp_path / "data", 2, 1, train)
    other = write_people(tmp_path / "other", 1, 1, val)
    file = "annotations/person_keypoints_val2017.json"
    shutil.copy(other / file, root / file)
    (problem,) = check_dataset(root).problems
    assert file in problem and f"{train.name!r}" in problem
    assert f"names are those of {val.name!r}: `poseur train --keypoints {val.name}`" in problem
    (root / "annotations/person_keypoints_train2017.json").write_text("[")
    (problem,) = check_dataset(root).problems
    assert "not valid JSON" in problem, "without train, val says which set it is"


def test_training_on_a_known_set_says_what_to_give_and_that_is_enough(tmp_path, capsys):
    root = write_people(tmp_path / "data", 8, 2, LSP_14)
    changes = [f"--set={path}={json.dumps(value)}" for path, value in {**TINY, "pretext": None}.items()]
    train = ["train", str(tmp_path / "run"), "--data", str(root), "--device=cpu", *changes]
    assert main(train) == 1
    assert "'lsp14': `poseur train --keypoints lsp14` is for them" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    assert main([*train, "--keypoints", "lsp14"]) == 0


def test_names_in_any_script_are_told_apart(star_data, tmp_path):
    """Names without a latin letter used to be all alike: any order of them was taken as the right one."""
    names = ["头", "左手", "右手"]
    own = keypoint_set(read_keypoint_file(write(tmp_path / "own.json", names=names, flip_pairs=[], skeleton=[])))
    root = write_people(tmp_path / "data", 1, 1, own)
    there = CocoPeople(root, "val", own).people()[0].keypoints_image
    turned = read_keypoint_file(write(tmp_path / "own.json", names=names[::-1], flip_pairs=[], skeleton=[]))
    assert np.array_equal(CocoPeople(root, "val", keypoint_set(turned)).people()[0].keypoints_image, there[::-1])


def test_the_default_constant_is_what_oks_uses(tmp_path):
    """All keypoints d away from the truth: exp(-d^2 / (2 area (2 * 0.05)^2))."""
    own = keypoint_set(read_keypoint_file(write(tmp_path / "star.json")))
    found = oks(np.full((1, 5, 2), 3.0), np.zeros((1, 5, 2)), np.ones((1, 5), bool), np.array([900.0]), own.oks_sigmas)
    assert found == pytest.approx(np.exp(-18 / (2 * 900 * 0.1**2)))


def test_a_file_given_for_other_keypoints_of_a_model_is_refused(trained):
    with pytest.raises(UserError, match=r"do not fit with data\.keypoint_set='coco17'"):
        load_released(trained / MODEL_FILE, keypoint_set=COCO_17.name)


def test_a_backbone_learns_parts_of_generated_people_whatever_the_runs_keypoints_are(tmp_path):
    settings = PeopleSettings(train_images=2, val_images=1, image_size=(96, 72))
    generate(tmp_path / "people", settings, workers=0, progress=False)
    own = read_keypoint_file(write(tmp_path / "star.json"))
    config = tiny_config(**{"data.keypoint_set": own, "model.backbone.weights": "pretext", "pretext": {"epochs": 1}})
    assert config.pretext_run == config.with_changes(**{"data.keypoint_set": "coco17"}).pretext_run
    crops = _part_crops(config.pretext_run, "train", Runtime(data=tmp_path / "people"))
    assert len(crops) >= 2 and crops[0, 0].labels.max() > 0
