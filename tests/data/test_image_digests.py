"""Images that change after a data set was made are found, whatever they changed to."""

import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from poseur_lib.data.check import check_dataset
from poseur_lib.data.image_digests import MANIFEST, changed_files, read_digests, record_images
from poseur_lib.errors import UserError
from poseur_lib.files import write_atomically
from poseur_study.cli.main import main
from tests.training.tiny import write_people


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Two people to train on and one to evaluate, recorded."""
    write_people(tmp_path / "set", 2, 1)
    assert record_images(tmp_path / "set") == sum(path.is_file() for path in (tmp_path / "set").glob("*2017/*"))
    assert check_dataset(tmp_path / "set", check_images=True).ok
    return tmp_path / "set"


def an_image(people: Path) -> Path:
    return sorted((people / "train2017").iterdir())[0]


def test_an_image_that_still_decodes_is_found(people: Path) -> None:
    """Another picture of the same size: no decoder would complain."""
    path = an_image(people)
    picture = cv2.imread(str(path))
    cv2.imwrite(str(path), np.flip(picture, 1))
    size = path.stat().st_size
    (problem,) = check_dataset(people, check_images=True).problems
    assert problem.startswith(f"{path}: ") and ("SHA-256" in problem or f"{size} bytes" in problem)
    assert check_dataset(people).ok  # nothing is read there


def test_one_flipped_bit_behind_the_picture_is_found(people: Path) -> None:
    path = an_image(people)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    problems = check_dataset(people, check_images=True).problems
    assert len(problems) == 1 and problems[0].startswith(f"{path}: ")


def test_a_cut_off_image_is_told_once_by_its_length(people: Path) -> None:
    path = an_image(people)
    path.write_bytes(path.read_bytes()[:-30])
    problems = [problem for problem in check_dataset(people, check_images=True).problems if path.name in problem]
    assert len(problems) == 1


def test_a_damaged_manifest_is_a_problem(people: Path) -> None:
    (people / MANIFEST).write_text('{"train2017/1.jpg": ["five", "ab"]}')
    (problem,) = check_dataset(people, check_images=True).problems
    assert problem.startswith(f"{people / MANIFEST}: not a list of images")


def test_the_command_records_and_finds(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (people / MANIFEST).unlink()
    assert main(["data", "check", str(people), "--record"]) == 0
    assert "images recorded in" in capsys.readouterr().out
    path = an_image(people)
    path.write_bytes(path.read_bytes() + b"x")
    assert main(["data", "check", str(people)]) == 1
    assert f"{path}: {path.stat().st_size} bytes, {path.stat().st_size - 1} when it was made" in capsys.readouterr().out


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o002, 0o664), (0o022, 0o644)])
def test_files_have_the_mode_that_the_umask_gives(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "file", b"content")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_pipes_are_named_and_not_waited_for(people: Path) -> None:
    """One in the place of an image that is said to be empty, and one in the manifest's place."""
    image, manifest = an_image(people), people / MANIFEST
    image.write_bytes(b"")
    record_images(people)
    image.unlink()
    os.mkfifo(image)
    assert dict(changed_files(people, read_digests(people) or {})) == {
        image.relative_to(people).as_posix(): "not a regular file"
    }
    manifest.unlink()
    os.mkfifo(manifest)
    with pytest.raises(UserError, match=f"^{re.escape(str(manifest))}: not a regular file$"):
        read_digests(people)
