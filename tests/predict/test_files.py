"""Which files are meant, and the names and numbers of what comes out."""

import os
from pathlib import Path

import pytest

from poseur_lib.errors import UserError
from poseur_lib.predict.files import find_images, image_ids, overlay_paths


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("b.jpg", "a.PNG", "c.heic", "notes.txt", ".hidden.jpg", "sub/d.jpg", "sub/x [1].jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*given: str) -> list[str]:
    return [str(path) for path in find_images(given)[0]]


def test_folders_patterns_and_files(folder):
    assert names(".") == ["a.PNG", "b.jpg", "c.heic"]
    assert names("*.jpg") == ["b.jpg"]
    assert names("**/*.jpg") == ["b.jpg", "sub/d.jpg", "sub/x [1].jpg"]
    assert names("sub/x [1].jpg", "notes.txt") == ["sub/x [1].jpg", "notes.txt"]  # a file of that name is that file
    assert names("*") == ["a.PNG", "b.jpg", "c.heic"]
    assert names("gone.jpg") == ["gone.jpg"]


def test_numbers_in_names_are_ordered_by_value(folder):
    """Frames are a film in the order in which they were taken."""
    written = ["f/frame_1.png", "f/frame_2.png", "f/frame_010.png", "f/frame_10.png", "f/frame_100.png", "f/x.png"]
    (folder / "f").mkdir()
    for name in reversed(written):
        (folder / name).touch()
    assert names("f") == names("f/*") == written
    assert names("f/x.png", "f/frame_2.png") == ["f/x.png", "f/frame_2.png"]  # files are taken as they are given


def test_what_cannot_be_read_is_not_dropped_in_silence(folder):
    """It is named when it is read."""
    (folder / "e.jpg").symlink_to(folder / "gone")
    os.mkfifo(folder / "f.png")
    (folder / "g.jpg").mkdir()
    assert names(".") == ["a.PNG", "b.jpg", "c.heic", "e.jpg", "f.png"]
    assert names("[ef].*") == ["e.jpg", "f.png"]


def test_an_image_given_twice_is_taken_once(folder):
    images, again = find_images(["b.jpg", "./b.jpg", str(folder / "b.jpg"), "sub", "sub/../b.jpg"])
    assert [str(path) for path in images] == ["b.jpg", "sub/d.jpg", "sub/x [1].jpg"]
    assert again == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("empty", "folder empty holds no image"),
        ("*.bmp", "pattern '.*bmp' fits no file"),
        ("", "must have a name, got ''"),
    ],
)
def test_what_holds_nothing_is_an_error(folder, given, message):
    with pytest.raises(UserError, match=message):
        find_images([given])


def test_pictures_have_names_of_their_own():
    images = [Path(name) for name in ("a/x.jpg", "b/x.jpg", "b/X.jpg", "x.png", "x.webp", "x-2.jpg", "y.tif", "z.JPEG")]
    found = [path.name for path in overlay_paths(images, Path("out"))]
    assert found == ["x.jpg", "x-2.jpg", "X-3.jpg", "x.png", "x-2.png", "x-2-2.jpg", "y.png", "z.JPEG"]
    assert len({name.lower() for name in found}) == len(images)


def test_no_picture_overwrites_an_image(folder):
    with pytest.raises(UserError, match=r"b\.jpg would overwrite an image"):
        overlay_paths([Path("b.jpg"), Path("sub/d.jpg")], folder)
    overlay_paths([Path("sub/d.jpg")], folder)


def test_ids_are_the_numbers_in_the_names_if_all_have_one():
    coco = [Path("000000000785.jpg"), Path("x/COCO_val2014_000000000042.jpg")]
    assert image_ids(coco, {}) == [785, 42]
    assert image_ids([*coco, Path("photo.jpg")], {}) == [1, 2, 3]
    assert image_ids([*coco, Path("y/785.png")], {}) == [1, 2, 3]
    assert image_ids(coco, {coco[0]: 5, coco[1]: 6}) == [5, 6]
