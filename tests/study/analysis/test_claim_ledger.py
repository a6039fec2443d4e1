"""What the ledger says of an effect that nobody has measured yet: what could be found, and since when that is known."""

from datetime import datetime, timedelta

from poseur_study.analysis.claim_ledger import effect_entries
from poseur_study.analysis.power import pilot
from poseur_study.experiments import tables
from poseur_study.experiments.profiles import profile

RECORDED = datetime.fromisoformat(pilot().recorded_at)
HOUR = timedelta(hours=1)


def said(began: datetime | None) -> str:
    return effect_entries(tables(["1b"]), {}, profile("mini"), lambda table: began)[0].minimum_detectable_effect


def test_what_could_be_found_is_dated_by_the_runs():
    stated = said(None)
    assert said(RECORDED + HOUR) == said(RECORDED) == stated and "after" not in stated
    assert said(RECORDED - HOUR) == f"{stated}, stated on {pilot().recorded_at[:10]}, after some of the runs"
