"""What image decoders say on C's error stream: libjpeg finds an image damaged, fills it in and names no file.

C's variable `stderr` is turned to a buffer while images are decoded; the process' own error stream, which Python and
child processes write to, is left alone.
"""

import ctypes
import os
import platform
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import cv2

Result = TypeVar("Result")
DAMAGE = re.compile(
    r"^(?:Corrupt JPEG data|Premature end of JPEG|Invalid SOS|libpng |tempfile\.tif: |(?:JPEGLib|\w*Decode|TIFF\w+): )"
    r"[^\n]*\n?",
    re.MULTILINE,
)
HARMLESS = re.compile(
    r"^(?:libpng warning: (?:iCCP|sRGB|gAMA|cHRM|cICP|known incorrect)|\w+: Warning, )[^\n]*\n?", re.MULTILINE
)
"""Of colour profiles, which no pixel depends on here, and of a TIFF's private fields."""
damaged: dict[str, str] = {}
"""Files that were taken although their decoder found them damaged, and what it said; of this process."""


@dataclass(eq=False)
class _Decoding:
    """One call of a decoder: what was said meanwhile, and whether another one ran then, whose words it may be."""

    alone: bool
    crowded: bool = False
    words: list[str] = field(default_factory=list)


class _CStream:
    """C's error stream: `turn` lets decoders write to a buffer, `back` to where it was. Of glibc alone."""

    def __init__(self) -> None:
        self.pointer = None
        if platform.libc_ver()[0] != "glibc":
            return
        libc = ctypes.CDLL(None)
        libc.fdopen.restype = ctypes.c_void_p
        libc.setvbuf.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
        self.buffer = os.memfd_create("decoder")
        self.file = libc.fdopen(os.dup(self.buffer), b"a")
        libc.setvbuf(self.file, None, 2, 0)  # _IONBF
        self.pointer = ctypes.c_void_p.in_dll(libc, "stderr")
        self.own = self.pointer.value

    def turn(self) -> None:
        if self.pointer is not None:
            self.pointer.value = self.file

    def back(self) -> None:
        if self.pointer is not None:
            self.pointer.value = self.own

    def text(self) -> str:
        """What was said since it was asked last."""
        if self.pointer is None or not (size := os.fstat(self.buffer).st_size):
            return ""
        text = os.pread(self.buffer, size, 0)
        os.truncate(self.buffer, 0)
        return text.decode(errors="surrogateescape")


_change = threading.Condition()
_running: set[_Decoding] = set()
_waiting: list[_Decoding] = []
"""Those that want to be alone."""
_streams: list[_CStream] = []
_level = 0


def heard(decode: Callable[[], Result]) -> tuple[Result, list[str]]:
    """What a decoder gives, and its words about damage; nothing of them is printed.

    Several threads may decode at a time. C's stream does not say whose words they are: where some are heard meanwhile,
    each of them decodes once more alone.
    """
    with _listening(_Decoding(alone=False)) as one:
        result = decode()
    if one.words and one.crowded:
        with _listening(_Decoding(alone=True)) as one:
            result = decode()
    return result, one.words


@contextmanager
def _listening(one: _Decoding) -> Iterator[_Decoding]:
    with _change:
        if one.alone:
            _waiting.append(one)
            _change.wait_for(lambda: not _running)
            _waiting.remove(one)
        else:
            _change.wait_for(lambda: not _waiting and not any(other.alone for other in _running))
        _running.add(one)
        if len(_running) == 1:
            _begin()
        else:
            for other in _running:
                other.crowded = True
    try:
        yield one
    finally:
        with _change:
            _share(_streams[0].text())
            _running.remove(one)
            if not _running:
                _end()
            _change.notify_all()


def _begin() -> None:
    global _level
    if not _streams:
        _streams.append(_CStream())
    _streams[0].turn()
    _level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # whose lines name no file either


def _end() -> None:
    _streams[0].back()
    cv2.utils.logging.setLogLevel(_level)


def _share(text: str) -> None:
    """Gives what decoders said to all that are running, and passes on what others said."""
    if not text:
        return
    text = HARMLESS.sub("", text)
    for one in _running:
        one.words += [word.strip() for word in DAMAGE.findall(text)]
    with suppress(OSError):  # there may be no error stream
        os.write(2, DAMAGE.sub("", text).encode(errors="surrogateescape"))


def _forget_other_threads() -> None:
    """In a forked process, where they are not."""
    global _change
    _change = threading.Condition()
    if _running:
        _end()
    _running.clear()
    _waiting.clear()
    _streams.clear()  # whose buffer the other process reads


os.register_at_fork(after_in_child=_forget_other_threads)


def note_damage(name: Path | str, words: list[str]) -> None:
    """Says of a file that its decoder found it damaged, and how many such files there were."""
    if words and str(name) not in damaged:
        damaged[str(name)] = words[0]
        which = f"{len(damaged)} such files" if len(damaged) > 1 else "the first such file"
        print(f"{name}: image is damaged and filled in ({words[0]}); {which}", file=sys.stderr)
