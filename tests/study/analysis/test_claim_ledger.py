"""What the ledger says of an effect that nobody has measured yet: what could be found, and since when that is known."""

from datetime import datetime, timedelta

from poseur_study.analysis.claim_ledger import effect_entries
from poseur_study.analysis.power import pilots
from poseur_study.experiments import tables
from poseur_study.experiments.profiles import profile

FIRST, *_, LATEST = (datetime.fromisoformat(one.recorded_at) for one in pilots().pilots)
HOUR = timedelta(hours=1)


def said(began: datetime | None) -> str:
    return effect_entries(tables(["1b"]), {}, profile("mini"), lambda table: began)[0].detectable


def test_what_could_be_found_is_dated_by_the_runs():
    latest = said(None)
    assert said(LATEST + HOUR) == latest and ";" not in latest
    assert said(LATEST - HOUR).endswith(f"stated before the runs; {latest} by the latest pilot")
    assert said(FIRST - HOUR).endswith(f"younger than some of the runs; {latest} by the latest pilot")
    assert said(FIRST - HOUR).startswith("≥ ") and not latest.startswith("≥ ")
