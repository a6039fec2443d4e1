"""The same bytes however they are made; nothing that is half done looks complete."""

import errno
import json
import os
import shutil
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.image_digests import MANIFEST, FileDigest, read_digests, write_digests
from poseur_lib.data.part_labels import NUM_PARTS
from poseur_lib.errors import UserError
from poseur_lib.keypoints import COCO_17, MPII_16
from synthetic_people import PeopleSettings, generate
from synthetic_people import generate as package_generate
from synthetic_people.generate import CHECKED_FILE, Chunk, is_whole, mend
from synthetic_people.settings import difficulty

SETTINGS = PeopleSettings(train_images=70, val_images=3, image_size=(128, 96), seed=5)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "set"
    generate(root, SETTINGS, workers=0, progress=False)
    return root


def test_worker_count_does_not_change_a_byte(made: Path, tmp_path: Path) -> None:
    generate(tmp_path / "set", SETTINGS, workers=2, progress=False)
    assert contents(tmp_path / "set") == contents(made)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_an_image_depends_on_seed_split_and_index_only(made: Path, tmp_path: Path) -> None:
    generate(tmp_path / "few", SETTINGS.with_changes(train_images=2, val_images=1), progress=False)
    more, few = contents(made), contents(tmp_path / "few")
    for name in [name for name in few if name.endswith(("jpg", "png"))]:
        assert few[name] == more[name]
    generate(tmp_path / "other", SETTINGS.with_changes(train_images=1, val_images=1, seed=6), progress=False)
    other = contents(tmp_path / "other")
    assert other["train2017/000000000001.jpg"] != more["train2017/000000000001.jpg"]
    assert other["val2017/000001000001.jpg"] != other["train2017/000000000001.jpg"]


def test_a_complete_set_is_left_alone(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    generate(made, SETTINGS, progress=False)
    assert before == {path: path.stat().st_mtime_ns for path in made.rglob("*")}


def test_images_that_were_lost_or_cut_off_are_made_again(made: Path, tmp_path: Path, capsys) -> None:
    root = Path(shutil.copytree(made, tmp_path / "set"))
    (root / "train2017" / "000000000007.jpg").unlink()
    for name in ("val2017/000001000002.jpg", "parts_train2017/000000000066.png"):
        (root / name).write_bytes((root / name).read_bytes()[:-40])
    generate(root, SETTINGS, progress=False)
    said = capsys.readouterr().err
    assert contents(root) == contents(made)
    assert "making 3 images again" in said and "000000000007.jpg (No such file or directory)" in said


def test_an_image_of_the_same_length_that_was_altered_is_made_again(made: Path, tmp_path: Path, capsys) -> None:
    root = Path(shutil.copytree(made, tmp_path / "set"))
    assert is_whole(root, SETTINGS) and "reading 146 images" in capsys.readouterr().err
    assert is_whole(root, SETTINGS) and capsys.readouterr().err == ""  # nothing was written to since
    image = root / "train2017" / "000000000007.jpg"
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 1
    image.write_bytes(content)
    assert not is_whole(root, SETTINGS)
    mend(root, SETTINGS)
    assert "making 1 images again, first train2017/000000000007.jpg (its content changed" in capsys.readouterr().err
    assert is_whole(root, SETTINGS)
    (root / CHECKED_FILE).unlink()
    assert contents(root) == contents(made)
    image.unlink()
    assert not is_whole(root, SETTINGS) and not is_whole(tmp_path / "none", SETTINGS)


def test_an_image_that_cannot_be_made_as_it_was_is_refused(made: Path, tmp_path: Path) -> None:
    """As by a generator whose version was not counted up, or another JPEG library."""
    root = Path(shutil.copytree(made, tmp_path / "set"))
    digests = read_digests(root)
    name = "train2017/000000000007.jpg"
    write_digests(root, {**digests, name: FileDigest(digests[name].size + 1, digests[name].sha256)})
    with pytest.raises(UserError, match=r"000000000007\.jpg is damaged \(\d+ bytes, \d+ when it was made\)"):
        generate(root, SETTINGS, progress=False)


def test_a_set_made_before_there_were_digests_is_left_alone(made: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made, tmp_path / "set"))
    (root / MANIFEST).unlink()
    (root / "train2017" / "000000000007.jpg").write_bytes(b"")
    before = contents(root)
    generate(root, SETTINGS, progress=False)
    assert contents(root) == before


def test_a_killed_run_looks_incomplete_and_is_continued(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = __import__("synthetic_people.generate", fromlist=["write_chunk"])
    original, written = module.write_chunk, []

    def killed_after_one(chunk):  # the second chunk leaves images without a record
        if written:
            raise KeyboardInterrupt
        written.append(chunk)
        return original(chunk)

    monkeypatch.setattr(module, "write_chunk", killed_after_one)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "set", SETTINGS, progress=False)
    assert not (tmp_path / "set").exists()
    monkeypatch.setattr(module, "write_chunk", lambda chunk: written.append(chunk) or original(chunk))
    generate(tmp_path / "set", SETTINGS, progress=False)
    assert [(chunk.split, chunk.first) for chunk in written] == [("train", 0), ("train", 64), ("val", 0)]
    assert contents(tmp_path / "set") == contents(made)


def test_leftovers_of_other_settings_are_not_used(made: Path, tmp_path: Path) -> None:
    partial = tmp_path / ".set.partial"
    (partial / "chunks").mkdir(parents=True)
    (partial / "chunks" / "train-0000000.chunk.json").write_text("{}")
    generate(tmp_path / "set", SETTINGS, progress=False)
    assert contents(tmp_path / "set") == contents(made)


def test_a_foreign_folder_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="holds no generated people"):
        generate(tmp_path, SETTINGS, progress=False)
    assert contents(tmp_path) == {"mine.txt": b"keep"}
    with pytest.raises(UserError, match="is a file"):
        generate(tmp_path / "mine.txt", SETTINGS, progress=False)


def test_another_set_is_refused_and_the_difference_named(made: Path) -> None:
    with pytest.raises(UserError, match=r"seed = 5, not 6"):
        generate(made, SETTINGS.with_changes(seed=6), progress=False)


def test_a_set_of_before_pixel_centres_were_a_setting_is_told_by_their_old_place(tmp_path: Path) -> None:
    settings = SETTINGS.with_changes(train_images=1, val_images=1, parts=False)
    generate(tmp_path / "old", settings.with_changes(pixel_centre=0.5), workers=1, progress=False)
    assert "pixel_centre" not in json.loads((tmp_path / "old" / "dataset.json").read_text())["settings"]
    with pytest.raises(UserError, match=r"with pixel_centre = 0\.5, not 0\.0; delete it"):
        generate(tmp_path / "old", settings, workers=1, progress=False)
    generate(tmp_path / "new", settings, workers=1, progress=False)
    with pytest.raises(UserError, match=r"with pixel_centre = 0\.0, not 0\.5; delete it"):
        generate(tmp_path / "new", settings.with_changes(pixel_centre=0.5), workers=1, progress=False)


def test_keypoints_lie_in_the_frame_in_which_crops_are_mirrored(made: Path, tmp_path: Path) -> None:
    """Of labels at pixel centres, mirrored ones are those of the mirrored image; else they are a pixel apart."""
    small = SETTINGS.with_changes(train_images=6, val_images=1, parts=False)
    generate(tmp_path / "half", small.with_changes(pixel_centre=0.5), workers=1, progress=False)
    generate(tmp_path / "set", small, workers=1, progress=False)
    half, whole = (CocoPeople(tmp_path / name, "train", COCO_17).people() for name in ("half", "set"))
    assert len(half) == len(whole) > 0
    for old, new in zip(half, whole, strict=True):
        labelled = new.visibility > 0
        moved = (old.keypoints_image - new.keypoints_image)[labelled]
        np.testing.assert_allclose(moved, np.minimum(0.5, old.keypoints_image[labelled]), atol=0.11)  # a decimal each
        assert not new.keypoints_image[~labelled].any() and (new.visibility == old.visibility).all()
        assert new.image_path.read_bytes() == old.image_path.read_bytes()


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    import fcntl

    (tmp_path / ".set.partial").mkdir()
    with open(tmp_path / ".set.partial" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process"):
            generate(tmp_path / "set", SETTINGS, progress=False)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_a_disk_without_locks_is_said_and_written(tmp_path: Path, monkeypatch, capsys, number: int) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refused)
    generate(tmp_path / "set", SETTINGS.with_changes(train_images=1, val_images=1, parts=False), progress=False)
    assert (tmp_path / "set" / "dataset.json").is_file()
    assert f"not locked ({os.strerror(number)})" in capsys.readouterr().err


def slow_chunk(chunk: Chunk) -> int:
    """The first one is done at once, the others within five minutes."""
    time.sleep(300 * (chunk.first > 0))
    return 1


def test_an_interruption_does_not_wait_for_what_the_workers_are_at(monkeypatch: pytest.MonkeyPatch) -> None:
    module = __import__("synthetic_people.generate", fromlist=["_run"])
    monkeypatch.setattr(module, "write_chunk", slow_chunk)
    running = module._run([Chunk(Path(), SETTINGS, "train", first, 64) for first in (0, 64, 128)], 2)
    next(running)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        running.throw(KeyboardInterrupt)
    assert time.monotonic() - start < 60


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    generate(tmp_path / "set", SETTINGS.with_changes(train_images=1, val_images=1, parts=False), progress=False)
    assert os.listdir(tmp_path / "set" / "train2017") == ["000000000001.jpg"]
    assert not (tmp_path / "set" / "parts_train2017").exists()


def test_part_maps_agree_with_the_masks(made: Path) -> None:
    from pycocotools.coco import COCO

    coco = COCO(str(made / "annotations" / "person_keypoints_train2017.json"))
    seen: set[int] = set()
    for entry in coco.dataset["images"]:
        name = entry["file_name"].replace("jpg", "png")
        parts = cv2.imread(str(made / "parts_train2017" / name), cv2.IMREAD_UNCHANGED)
        assert parts.dtype == np.uint8 and parts.shape == (128, 96)
        seen |= set(np.unique(parts).tolist())
        for row in coco.loadAnns(coco.getAnnIds(entry["id"])):
            assert (parts[coco.annToMask(row) > 0] > 0).all()
    assert seen == set(range(NUM_PARTS))


def test_description_says_what_it_was_made_from(made: Path) -> None:
    described = json.loads((made / "dataset.json").read_text())
    assert PeopleSettings.model_validate_json(json.dumps(described["settings"])) == SETTINGS
    assert len(described["parts"]) == NUM_PARTS


def test_bad_settings_name_the_value() -> None:
    for bad in ({"hard": 1.5}, {"hards": 0.1}, {"train_images": 0}, {"seed": "1"}, {"image_size": (10, 10)}):
        with pytest.raises(ValidationError, match=next(iter(bad))):
            PeopleSettings(**bad)
    with pytest.raises(UserError, match="-1"):
        package_generate(Path("nowhere"), SETTINGS, workers=-1)


def test_the_dial_only_makes_things_harder() -> None:
    easy, hard = difficulty(0.0), difficulty(1.0)
    assert all(high > low for low, high in zip(easy, hard, strict=True))
    assert hard.back + hard.side < 1


def test_mpii_s_joints_are_labels_of_the_same_images(made: Path, tmp_path: Path) -> None:
    """What both sets have is labelled alike; heads lie in their boxes; COCO's description says nothing new."""
    settings = SETTINGS.with_changes(train_images=6, val_images=1, parts=False, keypoints="mpii16")
    generate(tmp_path / "mpii", settings, progress=False)
    name = "train2017/000000000001.jpg"
    assert (tmp_path / "mpii" / name).read_bytes() == (made / name).read_bytes()
    assert "keypoints" not in json.loads((made / "dataset.json").read_text())["settings"]
    coco = {person.annotation_id: person for person in CocoPeople(made, "train", COCO_17).people()}
    people = CocoPeople(tmp_path / "mpii", "train", MPII_16)
    shared = [name for name in MPII_16.names if name in COCO_17.names]
    heads = 0
    for person in people.people():
        for name in shared:
            ours, theirs = (keypoints.names.index(name) for keypoints in (MPII_16, COCO_17))
            same = coco[person.annotation_id]
            assert person.visibility[ours] == same.visibility[theirs]
            assert (person.keypoints_image[ours] == same.keypoints_image[theirs]).all()
        left, top, right, bottom = person.head_box
        at = MPII_16.names.index("head_top")
        if person.visibility[at]:
            x, y = person.keypoints_image[at]
            assert left - 0.1 <= x <= right + 0.1 and top - 0.1 <= y <= bottom + 0.1
            heads += 1
    assert len(shared) == 12 and people.has_heads and heads > 3
