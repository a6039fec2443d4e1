"""How long the rest of some work will take, by what this batch has done so far."""

import math
from dataclasses import dataclass


@dataclass
class TimeLeft:
    """Estimate that is made anew whenever work is done and counts down in between: it never grows for want of news.

    Attributes:
        first: (clock, work done) when the batch began: what was there before says nothing about its speed.
    """

    first: tuple[float, float] | None = None
    done: float = 0.0
    ends_at: float | None = None

    def take(self, now: float, done: float, remaining: float) -> None:
        """Take stock: work done and remaining, in one unit, at a reading of the clock in seconds."""
        if self.first is None:
            self.first, self.done = (now, done), done
        if done > self.done:
            rate = (done - self.first[1]) / max(now - self.first[0], 1e-6)
            self.done, self.ends_at = done, now + remaining / rate

    def text(self, now: float) -> str:
        """`; about 3 min left`, or nothing where nothing is known yet."""
        if self.ends_at is None:
            return ""
        minutes = math.ceil((self.ends_at - now) / 60)
        if minutes > 120:
            return f"; about {round(minutes / 60)} h left"
        return f"; about {minutes} min left" if minutes > 1 else "; about a minute left"
