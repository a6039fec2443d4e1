"""The line of a training under a terminal of a given width: one line, never wider, in words."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from tqdm.utils import disp_len

from poseur_lib.files import MODEL_FILE, POSITION_FILE
from poseur_lib.progress import ProgressLine, clipped, duration
from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import train
from poseur_lib.training.position import TrainingPosition, read_position
from tests.training.tiny import tiny_config, write_people

SHOW = """
import sys
from poseur_lib.progress import ProgressLine
from poseur_lib.training.position import TrainingPosition
line = ProgressLine()
for step in range(300, 311):
    at = TrainingPosition(epoch=2, epochs=3, step=step, steps=809, seconds_left=61.0)
    line.show(f"{sys.argv[1]}: {at.words}; 4 of 10 runs done, 1 failed, 12 min left")
line.close()
print("after")
"""
NAME = "Table 1b, with noise, seed 0"


def in_terminal(columns: int, *arguments: str) -> str:
    """All that a Python program writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([sys.executable, *arguments], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    content = b""
    try:
        while chunk := os.read(ours, 65536):
            content += chunk
    except OSError:  # Linux's end of a terminal without a writer
        pass
    os.close(ours)
    assert process.wait() == 0, content.decode()
    return content.decode()


def rows(written: str, columns: int) -> list[str]:
    """What the screen shows in the end; `written` may use carriage returns, line feeds and "clear to the right"."""
    screen = [""]
    for part in re.split(r"(\r\n|\n|\r\x1b\[K)", written):
        if part in ("\n", "\r\n"):
            screen.append("")
        elif part.startswith("\r"):
            screen[-1] = ""
        else:
            assert "\x1b" not in part
            screen[-1] += part
            while disp_len(screen[-1]) > columns:  # the terminal wraps
                screen[-1:] = [screen[-1][:columns], screen[-1][columns:]]
    return screen


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (60, "Table 1b, with noise, seed 0: epoch 2 of 3, step 310 of 80…"),
        (80, "Table 1b, with noise, seed 0: epoch 2 of 3, step 310 of 809, 1 min left; 4 of …"),
        (91, "Table 1b, with noise, seed 0: epoch 2 of 3, step 310 of 809, 1 min left; 4 of 10 runs don…"),
    ],
)
def test_a_terminal_shows_one_line_that_ends_before_its_width(columns, line):
    assert rows(in_terminal(columns, "-c", SHOW, NAME), columns) == [line, "after", ""]
    wide = rows(in_terminal(columns, "-c", SHOW, "姿勢" * 40), columns)
    assert len(wide) == 3 and disp_len(wide[0]) in (columns - 1, columns - 2), "two columns a character"


def test_a_clipped_line_says_so():
    assert clipped("abc", 3) == "abc" and clipped("abcd", 3) == "ab…" and clipped("abc", 0) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (7199, "120 min"), (7200, "2.0 h"), (60 * 3600, "2.5 days (60 h)")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_where_a_training_is():
    at = TrainingPosition(epoch=2, epochs=4, step=5, steps=10, seconds_left=90.0)
    assert at.share == 0.375 and at.words == "epoch 2 of 4, step 5 of 10, 2 min left"


def test_a_training_tells_its_folder_and_the_log_one_line_an_epoch(tmp_path, capsys, monkeypatch):
    data, seen = write_people(tmp_path / "data", train=16, val=2), []
    original = ProgressLine.show
    monkeypatch.setattr("poseur_lib.training.progress.SECONDS_BETWEEN_LOOKS", 0.0)
    monkeypatch.setattr(
        ProgressLine,
        "show",
        lambda *given, **news: (seen.append(read_position(tmp_path / "run")), original(*given, **news)),
    )
    runtime = Runtime(data=data, device="cpu", threads=1, progress=True)
    train(tiny_config(**{"train.epochs": 3}), tmp_path / "run", runtime)
    assert [(at.epoch, at.step) for at in seen] == [(epoch, step) for epoch in (1, 2, 3) for step in (1, 2)]
    assert all(at.seconds_left is not None for at in seen) and seen[-1].seconds_left == 0
    assert read_position(tmp_path / "run") is None, "nothing is under way any more"
    (first, *others) = capsys.readouterr().err.splitlines()
    assert first.startswith("run: epoch 1 of 3, step 1 of 2, ")
    assert [line.partition(",")[0] for line in others] == [f"run: epoch {epoch} of 3" for epoch in (1, 2, 3)]


def test_a_disk_that_refuses_to_note_where_a_training_is_does_not_end_it(tmp_path):
    data, folder = write_people(tmp_path / "data", train=16, val=2), tmp_path / "run"
    (folder / f".{POSITION_FILE}").mkdir(parents=True)
    train(tiny_config(), folder, Runtime(data=data, device="cpu", threads=1))
    assert (folder / MODEL_FILE).exists() and not (folder / POSITION_FILE).exists()
