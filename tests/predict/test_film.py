"""Videos and folders of frames: the poses are those of the same frames as images, and the film shows them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from poseur_lib.errors import UserError
from poseur_lib.predict.film import film_of_images, open_video, predict_film
from poseur_lib.predict.folder import Output, picture_of
from poseur_lib.predict.people import WholeImage
from poseur_study.cli.main import main
from tests.predict.conftest import noise, write_image

RATE, COUNT = 12.5, 9


def frames_of(path: Path) -> list[np.ndarray]:
    return [frame for _, frame in open_video(path).frames()]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Nine frames of 80 x 60 in which a pattern moves."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, (80, 60))
    for number in range(COUNT):
        writer.write(np.roll(noise(), 3 * number, axis=1)[..., ::-1].copy())
    writer.release()
    return path


@pytest.fixture
def predict(checkpoint):
    def run(*arguments: object) -> int:
        return main(["predict", *map(str, arguments), "--checkpoint", str(checkpoint), "--device", "cpu", "--no-flip"])

    return run


def results(out: Path) -> tuple[list[dict], list[dict]]:
    images = json.loads((out / "images.json").read_text())["images"]
    return json.loads((out / "predictions.json").read_text()), images


def test_a_video_has_the_poses_of_its_frames_as_images(clip, predict, tmp_path, capsys):
    assert predict(clip, "--out", tmp_path / "film") == 0
    said = capsys.readouterr().out
    assert f"{COUNT} people on {COUNT} frames" in said and "frames a second" in said
    for number, frame in enumerate(frames_of(clip), 1):
        write_image(tmp_path / "frames" / f"{number:06d}.png", frame)
    assert predict(tmp_path / "frames", "--out", tmp_path / "images") == 0
    (film, entries), (images, _) = results(tmp_path / "film"), results(tmp_path / "images")
    assert [one["image_id"] for one in film] == list(range(1, COUNT + 1)) == [one["image_id"] for one in images]
    for one, other in zip(film, images, strict=True):
        assert one["keypoints"] == pytest.approx(other["keypoints"], abs=1e-3)
    assert [entry["time_s"] for entry in entries] == pytest.approx([number / RATE for number in range(COUNT)])
    assert entries[1]["file_name"] == f"{clip}/000002.png" and entries[1]["frame"] == 2


def test_the_film_shows_the_pictures_at_the_videos_rate(clip, poseur, tmp_path):
    output = Output(tmp_path)
    done = predict_film(poseur, open_video(clip), WholeImage(), output)
    assert done.film == tmp_path / "clip.mp4" and open_video(done.film).rate == RATE
    shown = frames_of(done.film)
    for frame, drawn in zip(shown, (picture_of(poseur.predict(one), output) for one in frames_of(clip)), strict=True):
        assert np.abs(frame.astype(int) - drawn).mean() < 12  # of 255, which the codec loses
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "images.json", "predictions.json"]


def test_results_alone_may_lie_beside_the_video(clip, predict, tmp_path):
    video = tmp_path / "clip.mp4"
    video.write_bytes(clip.read_bytes())
    assert predict(video, "--out", tmp_path, "--no-images") == 0
    assert len(results(tmp_path)[0]) == COUNT and video.read_bytes() == clip.read_bytes()


def test_people_of_several_frames_share_a_pass(clip, poseur, tmp_path, monkeypatch):
    passes = []
    predict_batch = poseur.predict_batch
    monkeypatch.setattr(
        poseur, "predict_batch", lambda images, *rest, **more: passes.append(len(images)) or
        predict_batch(images, *rest, **more),
    )  # fmt: skip
    monkeypatch.setattr(
        poseur, "config", poseur.config.with_changes(**{"evaluation.batch": 4, "evaluation.flip_test": False})
    )
    predict_film(poseur, open_video(clip), WholeImage(), Output(tmp_path, pictures=False))
    assert passes == [4, 4, 1] and not (tmp_path / "clip.mp4").exists()


def test_boxes_know_frames_by_their_number(clip, predict, tmp_path):
    boxes = tmp_path / "boxes.json"
    given = [{"image_id": 2, "category_id": 1, "bbox": [5, 5, 30, 40], "score": 0.9},
             {"image_id": 4, "category_id": 1, "bbox": [9, 9, 30, 40], "score": 0.8}]  # fmt: skip
    boxes.write_text(json.dumps(given))
    assert predict(clip, "--out", tmp_path / "out", "--boxes", boxes) == 0
    found, entries = results(tmp_path / "out")
    assert [one["image_id"] for one in found] == [2, 4] and len(entries) == COUNT


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        ({"000002.png": [[0.1, 0.1, 0.4, 0.6]]}, "bbox [0.1, 0.1, 0.4, 0.6] is a fraction of the image"),
        ({"000002.png": [[40, 20, 78, 58]], "000003.png": [[10, 5, 70, 55]]}, "fit as (left, top, right, bottom)"),
        (
            {
                "images": [{"id": 2, "file_name": "000002.png", "width": 160, "height": 120}],
                "annotations": [{"id": 1, "image_id": 2, "bbox": [5, 5, 30, 40]}],
            },
            "image is 80 x 60, but {} says 160 x 120, so its boxes are of another one",
        ),
    ],
)
def test_boxes_of_a_video_are_checked_against_its_frames(clip, predict, tmp_path, capsys, boxes, says):
    """As those of images are: fractions, corners, and boxes of another size."""
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps(boxes))
    assert predict(clip, "--out", tmp_path / "out", "--boxes", file) == 1
    assert says.format(file) in capsys.readouterr().err


def test_a_colon_in_a_name_is_no_protocol(clip, predict, tmp_path, monkeypatch):
    """FFmpeg would take what stands before it for one, in what it reads and in what it writes."""
    monkeypatch.chdir(tmp_path)
    name = "2024-05-01T12:30:00.mp4"
    Path(name).write_bytes(clip.read_bytes())
    assert predict(name, "--out", "out") == 0
    Path(name).unlink()
    assert predict(Path("out", name), "--out", ".") == 0


def test_frames_in_a_folder_are_a_film_with_fps_and_odd_sides_are_padded(predict, tmp_path):
    for number in range(3):
        write_image(tmp_path / "in" / f"{number}.png", noise(61, 79, seed=number))
    assert predict(tmp_path / "in", "--out", tmp_path / "out", "--fps", "5", "--smooth") == 0
    film = open_video(tmp_path / "out" / "in.mp4")
    assert film.rate == 5 and [frame.shape for _, frame in film.frames()] == [(62, 80, 3)] * 3
    write_image(tmp_path / "in" / "3.png", noise(60, 79))
    with pytest.raises(UserError, match=r"3\.png has 79 x 60 pixels, the first frame 79 x 61"):
        list(_frames_checked(tmp_path / "in"))


def _frames_checked(folder: Path):
    from poseur_lib.predict.film import _tasks

    yield from _tasks(film_of_images(sorted(folder.iterdir()), 5.0), WholeImage(), None)


def test_what_cannot_be_a_film_is_one_line(clip, predict, tmp_path, capsys):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    image = write_image(tmp_path / "one.png", noise())
    for arguments, says in (
        ([broken], "broken.mp4 cannot be read as a video"),
        ([tmp_path / "gone.mp4"], "gone.mp4: no such file"),
        ([clip, image], "is a video: give it alone"),
        ([image, "--smooth"], "--smooth: give a video"),
        ([clip, "--names", image], "the image ids of a video are its frames' numbers"),
        ([image, "--fps", "0"], "--fps 0: give frames a second"),
        ([image, "--fps", "nan"], "--fps nan"),
        ([clip, "--out", clip.parent], "would overwrite its source"),
    ):
        assert predict(*arguments) == 1
        error = capsys.readouterr().err
        assert says in error and "Traceback" not in error


def test_a_video_that_is_cut_off_says_how_much_is_missing(clip, poseur, tmp_path):
    film = open_video(clip)
    longer = type(film)(film.path, film.rate, film.count + 5, film.frames)
    done = predict_film(poseur, longer, WholeImage(), Output(tmp_path))
    assert "5 frames fewer could be read than the video says" in done.text(Output(tmp_path))
