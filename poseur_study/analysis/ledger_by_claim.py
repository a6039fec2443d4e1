"""Effects counted: each difference once, however many lines of the ledger ask for it, and by claim of the paper.

A claim of the paper often says more than one difference can: "at every input size", "than every other method". Its
verdict here is that of all its tests; where they differ, or some were not run, it says in how many of them it holds.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from poseur_study.analysis.claim_ledger import LedgerEntry
from poseur_study.analysis.verdict import Verdict
from poseur_study.experiments.experiment import shown_name

NOT_RUN = Verdict.NOT_RUN.short


def distinct(effects: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """The first line of each effect, or the first that was measured, in the order of the ledger."""
    found: dict[int | None, LedgerEntry] = {}
    for one in effects:
        if one.effect not in found or (found[one.effect].value is None and one.value is not None):
            found[one.effect] = one
    return tuple(found.values())


def counted(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """How many of each: those as claimed first, then those against it, those that are better, then the undecided."""
    order = sorted(Verdict, key=lambda one: (not one.good, not one.bad, not one.better))
    counts = Counter(verdicts)
    found: Counter[str] = Counter()
    for one in order:
        if counts[one]:
            found[one.short] += counts[one]
    return dict(found)


def counted_words(verdicts: Iterable[Verdict]) -> str:
    """`21 same direction, 9 inconclusive`; "" of none."""
    return ", ".join(f"{number} {verdict}" for verdict, number in counted(verdicts).items())


def combined(verdicts: Sequence[Verdict]) -> str:
    """The verdict that all tests of a claim have, or `same direction in 1 of 4, 3 not run`."""
    if len(set(verdicts)) == 1:
        return verdicts[0].value
    counts = counted(verdicts)
    missing = counts.pop(NOT_RUN, 0)
    (first, number), *others = counts.items()
    parts = [f"{first} in {number} of {len(verdicts)}", *(f"{n} {verdict}" for verdict, n in others)]
    return ", ".join(parts + [f"{missing} {NOT_RUN}"] * bool(missing))


def by_claim(effects: Sequence[LedgerEntry]) -> pd.DataFrame:
    """A line a claim of the paper, by its key: claim, source, where, tests, measured, each verdict, not run, verdict.

    Tests are distinct effects, none of a modification of our own; `verdict` is that of all of them (`combined`).
    """
    effects, lines = [one for one in effects if not one.own], {}
    for of in dict.fromkeys(one.of for one in effects):
        every = [one for one in effects if one.of == of]
        tests = [one.verdict for one in distinct(every)]
        counts = counted(tests)
        missing = counts.pop(NOT_RUN, 0)
        lines[of] = {
            "claim": every[0].claim, "source": every[0].source,
            "where": ", ".join(dict.fromkeys(shown_name(one.table) for one in every)),
            "tests": len(tests), "measured": len(tests) - missing, **counts, NOT_RUN: missing,
            "verdict": combined(tests),
        }  # fmt: skip
    frame = pd.DataFrame.from_dict(lines, orient="index").rename_axis("key")
    shorts = [name for name in counted(one.verdict for one in effects) if name != NOT_RUN]
    columns = ["claim", "source", "where", "tests", "measured", *shorts, NOT_RUN, "verdict"]
    return frame[columns].fillna(0).astype(dict.fromkeys((*shorts, NOT_RUN), int))
