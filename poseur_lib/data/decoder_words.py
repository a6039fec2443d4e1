"""What image decoders say on the error stream: libjpeg finds an image damaged, fills it in and names no file."""

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DAMAGE = re.compile(
    r"Corrupt JPEG data[^\n]*|Premature end of JPEG[^\n]*|Invalid SOS[^\n]*|libpng [^\n]*|[^\n]*TIFF[^\n]*"
)
COLOURS = re.compile(r"libpng warning: (?:iCCP|sRGB|gAMA|cHRM|cICP|known incorrect)[^\n]*")
"""Of colour profiles, which no pixel depends on here."""
LOGGED = re.compile(r"\[[ A-Z]+:\d+@[^\n]*")
"""OpenCV's own lines: where in its sources something was found."""
_owner = threading.RLock()
_listening = False
damaged: dict[str, str] = {}
"""Files that were taken although their decoder found them damaged, and what it said; of this process."""


@contextmanager
def decoder_words() -> Iterator[list[str]]:
    """What decoders say within the block, in the list that is given, when the block has ended; nothing is printed.

    The error stream is the process': a block inside another one, of whatever thread, adds to the outer one's words.
    """
    global _listening
    words: list[str] = []
    with _owner:
        mine, _listening = not _listening, True
    if not mine:
        yield words
        return
    sys.stderr.flush()
    kept = os.dup(2)
    heard = _buffer()
    try:
        os.dup2(heard, 2)
        yield words
    finally:
        os.dup2(kept, 2)
        text = COLOURS.sub("", os.pread(heard, 2**16, 0).decode(errors="replace"))
        os.close(heard)
        os.close(kept)
        _listening = False
        words += DAMAGE.findall(text)
        if LOGGED.search(text) and not words:
            words.append("its decoder reports errors")
        if other := LOGGED.sub("", DAMAGE.sub("", text)).strip():
            print(other, file=sys.stderr)


def _buffer() -> int:
    """A file of no name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("decoder")
    handle, name = tempfile.mkstemp()
    os.unlink(name)
    return handle


def note_damage(name: Path | str, words: list[str]) -> None:
    """Says of a file that its decoder found it damaged, and how many such files there were."""
    if words and str(name) not in damaged:
        damaged[str(name)] = words[0]
        which = f"{len(damaged)} such files" if len(damaged) > 1 else "the first such file"
        print(f"{name}: image is damaged and filled in ({words[0].strip()}); {which}", file=sys.stderr)
