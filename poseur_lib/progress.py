"""How far something is: in one line of a terminal that never wraps, and in seldom lines where there is no terminal."""

import os
import sys
import time
from typing import Any

from tqdm.utils import disp_len, disp_trim

SECONDS_BETWEEN_LINES = 60.0
CLEAR = "\r\x1b[K"


class ProgressLine:
    """A line that is written over and over, clipped to the width that the terminal has at that moment.

    Without a terminal, as in a log file or a notebook, a line is printed where its `news` are others, and at most one
    in `SECONDS_BETWEEN_LINES` where only its details are.

    Args:
        stream: default: standard error as it is when a line is shown.
    """

    def __init__(self, stream: Any = None) -> None:
        self._stream, self._shown, self._news = stream, "", ""
        self._printed_at = -SECONDS_BETWEEN_LINES

    @property
    def stream(self) -> Any:
        """Where it goes."""
        return self._stream or sys.stderr

    @property
    def columns(self) -> int:
        """Of the terminal; 0 where there is none."""
        try:
            return os.get_terminal_size(self.stream.fileno()).columns if self.stream.isatty() else 0
        except (OSError, ValueError):  # no file behind it, or closed
            return 0

    def show(self, line: str, news: str | None = None) -> None:
        """Show a line instead of the last one.

        Args:
            news: the part of it that is worth a line of a log at once; default: all of it.
        """
        news, columns = line if news is None else news, self.columns
        if columns:
            self.stream.write(CLEAR + clipped(line, columns - 1))
            self.stream.flush()
        elif line != self._shown and (news != self._news or self._quiet_for(SECONDS_BETWEEN_LINES)):
            print(line, file=self.stream, flush=True)
            self._printed_at = time.monotonic()
        else:
            return
        self._shown, self._news = line, news

    def close(self) -> None:
        """Leave the last line where it is."""
        if self._shown and self.columns:
            print(file=self.stream, flush=True)

    def _quiet_for(self, seconds: float) -> bool:
        return time.monotonic() - self._printed_at >= seconds


def clipped(line: str, columns: int) -> str:
    """At most so many columns of a terminal of a line, by the width of its characters; "…" stands for the rest."""
    return line if disp_len(line) <= columns else disp_trim(line, max(0, columns - 1)) + "…" * (columns > 0)


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.4 h` or `2.5 days (60 h)`."""
    hours = seconds / 3600
    if hours >= 48:
        return f"{hours / 24:.1f} days ({hours:,.0f} h)"
    if hours >= 2:
        return f"{hours:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 59.5 else f"{seconds:.0f} s"
