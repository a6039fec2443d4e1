"""Runs that share a machine share what it draws."""

import math

import pytest

from poseur_lib.config import ExperimentConfig
from poseur_study.runs.resources import busy_seconds, energy_shares
from tests.study.fakes import make_record


def run(start: int, end: int, joules: float | None, device: str = "a GPU", machine: str = ""):
    """At work from one second of a minute to another."""
    provenance = make_record(ExperimentConfig()).provenance
    finished = f"2026-01-01T00:00:{end:02d}+00:00"
    changes = {"joules": joules, "device": device, "machine": machine}
    return provenance.with_changes(finished_at=finished, wall_seconds=end - start, **changes)


def test_alone_a_run_has_it_all():
    assert energy_shares([run(0, 10, 50.0), run(20, 30, 70.0)]) == pytest.approx([50, 70])
    assert energy_shares([run(0, 10, 50.0), run(0, 10, 70.0, "another")]) == pytest.approx([50, 70])
    assert energy_shares([]) == []


def test_sixteen_that_read_the_same_draw_it_once():
    found = energy_shares([run(0, 10, 160.0)] * 16)
    assert found == pytest.approx([10] * 16) and math.fsum(found) == pytest.approx(160)


def test_a_part_of_the_time_is_shared():
    """100 W throughout: ten seconds alone, ten with the second, ten of that one alone."""
    assert energy_shares([run(0, 20, 2000.0), run(10, 30, 2000.0)]) == pytest.approx([1500, 1500])


def test_a_run_that_read_nothing_has_no_share_and_takes_none():
    assert energy_shares([run(0, 10, None), run(0, 10, 50.0)]) == [None, pytest.approx(50)]


def test_machines_with_devices_of_one_name_share_nothing():
    assert energy_shares([run(0, 10, 50.0, machine="a"), run(0, 10, 70.0, machine="b")]) == pytest.approx([50, 70])


def test_a_device_is_busy_once_however_many_runs_share_it():
    assert busy_seconds([run(0, 20, None), run(10, 30, None), run(40, 50, None)]) == pytest.approx(40)
    assert busy_seconds([run(0, 20, None, machine="a"), run(0, 20, None, machine="b")]) == pytest.approx(40)
    assert busy_seconds([]) == 0
