"""The corpus: whatever is read is used as it is meant, or refused in a plain line that names it, and never waited for.

What is taken without a word is listed here, with the reason why that is right.
"""

import json
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.checkpoints.released_load import load_released
from poseur_lib.config import ExperimentConfig
from poseur_lib.data.annotation_file import say_once
from poseur_lib.data.check import check_dataset
from poseur_lib.data.coco import CocoPeople, annotation_path
from poseur_lib.data.images import decode_image, read_image
from poseur_lib.evaluation.ceiling import codec_ceiling
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.build import build_model
from poseur_lib.predict.boxes_file import read_boxes
from poseur_study.cli.main import explain
from tests.fuzz import corpus
from tests.training.tiny import tiny_config

pytestmark = pytest.mark.slow
SECONDS = 20  # of one input, on a machine that has other things to do too
INTERNAL = re.compile(
    r"[A-Z]\w*(Error|Exception)\b|Traceback|NoneType|object is not|unhashable|OpenCV|numpy|<class|\bfloat\(\)|\bint\(\)"
    r"|PytorchStreamReader|--debug"
)
LONGEST = 1200


class Hung(BaseException):
    """An input that is waited for."""


def hung(*_: Any) -> None:
    raise Hung


def outcomes(cases: Iterable[tuple[str, Any]], use: Callable[[Any], bool]) -> dict[str, str]:
    """Of each input: "used", where `use` says that it was told of or is as it was, "silent", "refused", or a defect."""
    found = {}
    signal.signal(signal.SIGALRM, hung)
    for name, case in cases:
        signal.alarm(SECONDS)
        try:
            found[name] = "used" if use(case) else "silent"
        except Hung:
            found[name] = "HUNG"
        except Exception as error:
            line = explain(error)[0]
            bad = INTERNAL.search(line) or "\n" in line or len(line) > LONGEST
            found[name] = f"INTERNAL {line}" if bad else "refused"
        finally:
            signal.alarm(0)
    return found


def require(found: dict[str, str], least: int, silent: Iterable[str]) -> None:
    """No defect, as many inputs as are promised, and no silence but that of the patterns."""
    counts = Counter(outcome.split()[0] for outcome in found.values())
    print(dict(counts))
    assert len(found) >= least
    assert not {name: outcome for name, outcome in found.items() if outcome.startswith(("HUNG", "INTERNAL"))}
    left = [name for name, outcome in found.items() if outcome == "silent"]
    assert not [name for name in left if not any(re.fullmatch(pattern, name) for pattern in silent)]


SILENT_ANNOTATIONS = (
    r"info = .*|without info(\.exif_orientation)?",  # nothing is read from it but exif_orientation, which is checked
    r"(without )?categories\.0\.name.*",  # people are the category with keypoints, whatever it is called
    r"categories\.0\.id = one as text",  # 1
    r"(without )?annotations\.0\.segmentation.*",  # read only where the area is missing
    r"without annotations\.0\.num_keypoints",  # counted anyway
    r"annotations\.0\.iscrowd = (true|zero)",  # 1 and 0
    r"annotations\.0\.(bbox|keypoints)\.0 = (true|minus one|zero|half)",  # one coordinate, a few pixels away
    r"annotations\.0\.keypoints\.2 = true",  # visibility 1
    r"utf-16",  # is JSON
)


def test_annotation_files(tmp_path: Path) -> None:
    """What `data check` says none about, evaluation and training can use."""
    (tmp_path / "annotations").mkdir()
    (tmp_path / "val2017").mkdir()
    for number in (1, 2):
        (tmp_path / "val2017" / f"{number}.png").write_bytes(corpus.picture("PNG"))
    place = annotation_path(tmp_path, "val")

    def use(write: corpus.Write) -> bool:
        _clear(place)
        write(place)
        say_once.cache_clear()
        report = check_dataset(tmp_path)
        problems = [line for line in report.problems if "train2017" not in line]
        assert not any(INTERNAL.search(line) for line in problems)
        try:
            people = CocoPeople(tmp_path, "val", COCO_17)
            assert codec_ceiling(people, "regression", (64, 48)).AP > 74
        except ValueError:
            assert problems, "data check said none"
            raise
        return bool(report.notes or problems)

    require(outcomes(corpus.annotations(), use), 600, SILENT_ANNOTATIONS)


SILENT_BOXES = (
    r"0\.image_id = (minus one|zero)",  # of an image that is not given: its boxes are left out, as documented
    r"0\.category_id = (null|one as text)",  # people
    r"0\.bbox\.0 = .*|.*\.0\.0 = .*",  # a box some pixels further left, which may leave the image
    r"(0|annotations\.0)\.bbox\.3 = half|1\.png\.0\.2 = half",  # a flat or narrow box is a box
    r"annotations\.0\.bbox\.3 = zero",  # nobody is in an empty box, as `poseur evaluate` has it
    r"(0|annotations\.0)\.score = .*|1\.png\.1\.4 = .*",  # any number is a score: a logit, say
    r"1\.png = empty list",  # nobody
    r"utf-16",  # is JSON
)


def test_files_of_boxes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In their three forms."""
    image, place = tmp_path / "1.png", tmp_path / "boxes.json"
    image.write_bytes(corpus.picture("PNG"))

    def use(write: corpus.Write) -> bool:
        _clear(place)
        write(place)
        say_once.cache_clear()
        capsys.readouterr()
        boxes = read_boxes(place, [image]).of_image[image]
        assert np.isfinite([(*box.box, box.score) for box in boxes]).all()
        return bool(capsys.readouterr().err)

    require(outcomes(corpus.boxes(), use), 300, SILENT_BOXES)


SILENT_IMAGES = (
    r"JPEG flip .",  # tables and coefficients have no checksum: another picture of the same size
    r"(WEBP|GIF|JPEG2000) flip .",  # likewise
)


def test_image_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The picture that it was before, or one that the decoder complains of, or a refusal."""
    wanted = {form: decode_image(corpus.picture(form), form) for form in corpus.FORMATS}
    place = tmp_path / "image"

    def use(write: corpus.Write) -> bool:
        _clear(place)
        write(place)
        capfd.readouterr()
        image = read_image(place)
        same = any(image.shape == one.shape and np.abs(image.astype(int) - one).mean() < 4 for one in wanted.values())
        return same or "image is damaged" in capfd.readouterr().err

    require(outcomes(corpus.images(), use), 130, SILENT_IMAGES)


SILENT_CHECKPOINTS = (
    r"weight float(16|64)",  # the same values
    r"seed = zero|train\.learning_rate = .*",  # of a training that is over
    r"data\.input_size = list",  # 1 x 2 pixels: no weight depends on it
    r"flip .",  # bytes of names in the archive's head that nothing reads
)


def test_checkpoints(tmp_path: Path) -> None:
    """Nothing that is loaded has other shapes or kinds of weights than its configuration, or any that is no number."""
    place = tmp_path / "model.pt"
    save_weights(place, build_model(tiny_config()), tiny_config())

    def use(write: corpus.Write) -> bool:
        _clear(place)
        write(place)
        model, _ = load_released(place)
        assert all(value.isfinite().all() for value in model.state_dict().values())
        return False

    require(outcomes(corpus.checkpoints(place.read_bytes()), use), 300, SILENT_CHECKPOINTS)


def test_configurations() -> None:
    """A knob has the very value that was asked for, which is a finite one of its type, or it is refused by name."""
    base = ExperimentConfig()
    changes = list(corpus.config_changes(json.loads(base.model_dump_json())))

    def use(change: tuple[str, Any]) -> bool:
        path, value = change
        found = json.loads(base.with_changes(**{path: value}).model_dump_json())
        for step in path.split("."):
            found = found[step]
        return bool(found == value) or value == {}  # a node of nothing but defaults

    require(outcomes(((name, (path, value)) for name, path, value in changes), use), 1000, ())


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.unlink(missing_ok=True)
