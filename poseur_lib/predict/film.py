"""Films: a video, or images as its frames. Out come an MP4 with skeletons and COCO's results for each frame.

Frames are taken to be equally far apart: of a video of variable rate, `time_s` in images.json is the frame's number by
the mean rate, as the film that is written plays it, and not the time at which the video shows it.
"""

import itertools
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from poseur_lib.data.images import read_image
from poseur_lib.errors import Interrupted, UserError
from poseur_lib.files import require_output
from poseur_lib.predict.folder import (
    IMAGES_FILE,
    PERSON,
    RESULTS_FILE,
    Output,
    Predicted,
    Task,
    chunks,
    image_info,
    picture_of,
    require_results,
    write_json,
)
from poseur_lib.predict.people import BoxFinder
from poseur_lib.predict.predictor import ImagePoses, Poseur
from poseur_lib.predict.smoothing import Smoother

VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ogv", ".3gp")
"""What counts as a video, by suffix; whether OpenCV can read it shows when it is opened."""
MOST_RATE, MOST_FRAMES = 1000.0, 10**6
CODEC = "mp4v"
"""MPEG-4 part 2, which OpenCV's wheels have an encoder of: players show it, most browsers do not."""
Frame = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Film:
    """Frames in their order.

    Attributes:
        path: the video, or the folder of the first image.
        rate: frames a second.
        count: how many there are, as far as a video says.
        frames: reads them, with their paths; those of a video are made up, "clip.mp4/000001.png" being the first one.
        video_size: (height, width) of a video's frames; None of images, whose files say it.
    """

    path: Path
    rate: float
    count: int
    frames: Callable[[], Iterator[tuple[Path, Frame]]] = field(repr=False)
    video_size: tuple[int, int] | None = None

    def video_paths(self) -> list[Path]:
        """The paths of a video's frames, by which a file of boxes knows them.

        Raises:
            UserError: it says that it has too many.
        """
        if self.count > MOST_FRAMES:
            raise UserError(f"{self.path} says it has {self.count} frames, more than {MOST_FRAMES}")
        return [_frame_path(self.path, number) for number in range(1, self.count + 1)]


def is_video(path: Path) -> bool:
    """True for the name of a video file."""
    return path.suffix.lower() in VIDEOS and not path.is_dir()


def open_video(path: Path, rate: float | None = None) -> Film:
    """A video file, upright as its metadata say.

    Args:
        rate: frames a second; None: as the file says.

    Raises:
        UserError: it cannot be read, or says no rate.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file" if not path.exists() else f"{path}: no regular file")
    with _capture(path) as capture:
        found, count = capture.get(cv2.CAP_PROP_FPS), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        there, first = capture.read()
        if not there:
            raise UserError(f"{path}: no frame of this video can be read")
    if rate is None and not 0 < found <= MOST_RATE:
        raise UserError(f"{path} says {found:g} frames a second: give --fps")
    rate, (height, width) = found if rate is None else checked_rate(rate), first.shape[:2]
    return Film(path, rate, max(0, count), lambda: _frames_of(path), (height, width))


def film_of_images(paths: Sequence[Path], rate: float) -> Film:
    """Images as frames.

    Raises:
        UserError: the rate is none; reading the frames raises it where one cannot be read.
    """

    def frames() -> Iterator[tuple[Path, Frame]]:
        for path in paths:
            yield path, read_image(path)

    return Film(paths[0].absolute().parent, checked_rate(rate), len(paths), frames)


def checked_rate(rate: float) -> float:
    """Frames a second. Raises UserError if there cannot be so many."""
    if not (math.isfinite(rate) and 0 < rate <= MOST_RATE):
        raise UserError(f"--fps {rate:g}: give frames a second, above 0 and up to {MOST_RATE:g}")
    return rate


@contextmanager
def _capture(path: Path) -> Iterator[cv2.VideoCapture]:
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)  # "12:30.mp4" would be of a protocol "12"
    try:
        if not capture.isOpened():
            raise UserError(f"{path} cannot be read as a video")
        yield capture
    finally:
        capture.release()


def _frame_path(video: Path, number: int) -> Path:
    return video / f"{number:06d}.png"


def _frames_of(path: Path) -> Iterator[tuple[Path, Frame]]:
    with _capture(path) as capture:
        for number in itertools.count(1):
            there, frame = capture.read()
            if not there:
                return
            yield _frame_path(path, number), cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


@dataclass
class PredictedFilm(Predicted):
    """What was done.

    Attributes:
        film: the MP4 that was written; None without one.
        seconds: that it took.
        missing: frames that the video says it has and that could not be read.
    """

    film: Path | None = None
    seconds: float = 0.0
    missing: int = 0

    def text(self, output: Output) -> str:
        """A few lines for a person."""
        frames, people = len(self.entries), len(self.results)
        lines = [
            f"{people} {'person' if people == 1 else 'people'} on {frames} frames, {len(self.nobody)} of them without"
            f" one; {frames / max(self.seconds, 1e-9):.1f} frames a second"
        ]
        if self.missing:
            lines.append(f"{self.missing} frames fewer could be read than the video says it has")
        lines.append(f"results: {output.folder / RESULTS_FILE} (image_id is the frame's, see {IMAGES_FILE})")
        return "\n".join(lines + ([f"film: {self.film}"] if self.film else []))


def predict_film(
    poseur: Poseur,
    film: Film,
    source: BoxFinder,
    output: Output,
    *,
    ids: Sequence[int] | None = None,
    category_id: int = PERSON,
    smooth: bool = False,
) -> PredictedFilm:
    """Predict on a film, a batch of people at a time, and write it with skeletons, and the results at the end.

    Args:
        ids: `image_id` of each frame; None counts from 1.
        smooth: filter each person's keypoints over time (`poseur_lib.predict.smoothing`).

    Raises:
        UserError: a frame cannot be read or has another size than the first one, its boxes cannot be used, the folder
            cannot be written to or holds another `images.json`, or the film would overwrite its source.
        Interrupted: Ctrl-C; what is done is written.
    """
    target = output.folder / f"{film.path.stem or 'film'}.mp4"
    if output.pictures:
        if os.path.realpath(target) == os.path.realpath(film.path):
            raise UserError(f"the film {target} would overwrite its source: choose another --out")
        require_output(target)
    require_results(output.folder)
    done, began = PredictedFilm(), time.perf_counter()
    smoother = Smoother(film.rate) if smooth else None
    try:
        with (
            tqdm(total=film.count or None, unit="frame", disable=None) as bar,
            _writer(target, film.rate, output.pictures) as write,
        ):
            for chunk in chunks(_tasks(film, source, ids), poseur.config.evaluation.batch):
                images, boxes = [task.image for task in chunk], [task.boxes for task in chunk]
                for task, poses in zip(chunk, poseur.predict_batch(images, boxes, nms=output.nms), strict=True):
                    smoothed = poses if smoother is None else smoother(poses)
                    write(smoothed, output)
                    _note(done, film, task, smoothed, category_id)
                bar.update(len(chunk))
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {len(done.entries)} frames are done, they are in {output.folder}") from None
    finally:
        done.seconds = time.perf_counter() - began
        if done.entries:
            write_json(output.folder / RESULTS_FILE, done.results)
            write_json(output.folder / IMAGES_FILE, image_info(done.entries, poseur.keypoint_set, category_id))
    done.missing = max(0, film.count - len(done.entries))
    done.film = target if output.pictures else None
    return done


def _tasks(film: Film, source: BoxFinder, ids: Sequence[int] | None) -> Iterator[Task]:
    size = None
    for number, (path, image) in enumerate(film.frames()):
        size = image.shape if size is None else size
        if image.shape != size:
            (height, width), (first_height, first_width) = image.shape[:2], size[:2]
            raise UserError(f"{path} has {width} x {height} pixels, the first frame {first_width} x {first_height}")
        boxes = source.boxes(path, image)
        for box in boxes:
            try:
                box.require_inside(image.shape[:2])
            except UserError as error:
                raise UserError(f"{path}: {error}") from None
        yield Task(path, number + 1 if ids is None else ids[number], path, image, boxes)


def _note(done: PredictedFilm, film: Film, task: Task, poses: ImagePoses, category_id: int) -> None:
    if not poses.people:
        done.nobody.append(task.path)
    height, width = poses.image.shape[:2]
    frame = {"frame": len(done.entries) + 1, "time_s": len(done.entries) / film.rate}
    done.entries.append(
        {"id": task.image_id, "file_name": str(task.path), "height": height, "width": width, **frame}
    )  # fmt: skip
    done.results += poses.to_coco(task.image_id, category_id)


@contextmanager
def _writer(target: Path, rate: float, wanted: bool) -> Iterator[Callable[[ImagePoses, Output], None]]:
    """Takes frames to write; the film is there when the block ends, also by Ctrl-C, and whole."""
    if not wanted:
        yield lambda poses, output: None
        return
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        part = Path(folder) / "part.mp4"
        opened: list[cv2.VideoWriter] = []

        def write(poses: ImagePoses, output: Output) -> None:
            frame = picture_of(poses, output)
            height, width = frame.shape[:2]
            frame = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)  # sides must be even
            if not opened:
                opened.append(_encoder(part, rate, frame.shape[:2]))
            opened[0].write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

        try:
            yield write
        finally:
            for encoder in opened:
                encoder.release()
                part.replace(target)


def _encoder(path: Path, rate: float, size: tuple[int, int]) -> cv2.VideoWriter:
    encoder = cv2.VideoWriter(str(path.absolute()), cv2.VideoWriter.fourcc(*CODEC), rate, size[::-1])
    if not encoder.isOpened():
        raise UserError(
            f"this OpenCV has no encoder {CODEC} for MP4: install opencv-python-headless, or give --no-images"
        )
    return encoder
