"""A lease has one holder, also where many take it from a dead one at the same moment."""

import errno
import json
import multiprocessing
import os
import time
from threading import Semaphore

import pytest

from poseur_lib.errors import UserError
from poseur_study.runs import lease
from poseur_study.runs.heartbeat import LEASE_VARIABLE, Stopped, heartbeat, require_lease, run_child
from poseur_study.runs.lease import BEAT_SECONDS, MISSED_BEATS, acquire, holder

STALE = BEAT_SECONDS * MISSED_BEATS + 5
DEAD = {"token": "0", "machine": "", "host": "here", "pid": 2**22 + 1, "started": "1"}


def write_lease(folder, owner, age=0.0, number=1):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"lease.{number:06d}"
    path.write_text(owner if isinstance(owner, str) else json.dumps(owner))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_one_holder_at_a_time(run_folder):
    held = acquire(run_folder)
    assert held is not None and str(os.getpid()) in holder(run_folder)
    assert acquire(run_folder) is None
    held.release()
    assert holder(run_folder) is None and list(run_folder.iterdir()) == []
    assert acquire(run_folder) is not None


def test_a_dead_process_of_this_machine_holds_nothing_however_fresh_its_heartbeat(run_folder):
    write_lease(run_folder, DEAD | {"machine": lease._machine()})
    assert holder(run_folder) is None
    assert acquire(run_folder) is not None
    assert [path.name for path in run_folder.iterdir()] == ["lease.000002"]


def test_a_process_that_has_another_s_number_is_not_that_one(run_folder):
    write_lease(run_folder, DEAD | {"machine": lease._machine(), "pid": os.getpid()})
    assert acquire(run_folder) is not None


def test_an_owner_that_proc_hides_from_us_lives_by_its_heartbeat(run_folder, monkeypatch):
    """Another user's process, where /proc is mounted with hidepid."""

    def not_ours(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(lease.os, "kill", not_ours)
    path = write_lease(run_folder, DEAD | {"machine": lease._machine()})
    assert holder(run_folder) is not None and acquire(run_folder) is None
    os.utime(path, (time.time() - STALE,) * 2)
    assert acquire(run_folder) is not None


def test_another_machine_s_lease_lives_by_its_heartbeat(run_folder):
    path = write_lease(run_folder, DEAD | {"machine": "another"}, age=STALE - 15)
    assert holder(run_folder) == f"here, process {DEAD['pid']}" and acquire(run_folder) is None
    os.utime(path, (time.time() - STALE,) * 2)
    assert holder(run_folder) is None and acquire(run_folder) is not None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": "x"}', '{"pid": 1, "host": "x"}', "\x00\x01"])
def test_what_is_no_lease_of_ours_counts_for_some_heartbeats(run_folder, text):
    path = write_lease(run_folder, text)
    assert holder(run_folder) == "an unknown process" and acquire(run_folder) is None
    os.utime(path, (time.time() - STALE,) * 2)
    assert acquire(run_folder) is not None


def test_an_owner_that_was_taken_for_dead_finds_out(run_folder, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.05)
    held = acquire(run_folder)
    with heartbeat(held) as lost:
        before = held.path.stat().st_mtime_ns
        time.sleep(0.3)
        assert held.path.stat().st_mtime_ns > before and not lost.is_set()
        held.path.unlink()  # as another process does that takes over
        assert lost.wait(5)
    monkeypatch.setenv(LEASE_VARIABLE, held.key)
    with pytest.raises(UserError, match=r"another process has taken over this run: .*lease\.000001 is gone"):
        require_lease()


def test_whoever_does_not_hear_that_its_lease_is_lost_is_told_again(run_folder, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.05)
    held, told = acquire(run_folder), Semaphore(0)
    with heartbeat(held, told.release):
        held.path.unlink()
        assert all(told.acquire(timeout=5) for _ in range(3))


def test_an_owner_knows_its_lease_from_a_later_one_of_that_number(run_folder, monkeypatch):
    earlier = acquire(run_folder)
    earlier.path.unlink()  # taken over and given back while its owner was frozen
    later = acquire(run_folder)
    assert later.path == earlier.path
    monkeypatch.setenv(LEASE_VARIABLE, earlier.key)
    with pytest.raises(UserError, match="another process has taken over"):
        require_lease()
    assert not earlier.renew()
    earlier.release()
    assert later.path.exists() and later.renew() and acquire(run_folder) is None
    monkeypatch.setenv(LEASE_VARIABLE, later.key)
    require_lease()


@pytest.mark.parametrize("failures", [2, 1000])
def test_a_disk_that_does_not_answer_is_asked_again_until_others_may_take_over(run_folder, monkeypatch, failures):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.2)
    held, calls, utime = acquire(run_folder), [], os.utime

    def stale(path):
        calls.append(path)
        if len(calls) <= failures:
            raise OSError(errno.ESTALE, "Stale file handle")
        utime(path)

    monkeypatch.setattr(lease.os, "utime", stale)
    environment = os.environ | {LEASE_VARIABLE: held.key}
    child = ["sleep", "300" if failures > MISSED_BEATS else "1.5"]
    with heartbeat(held) as lost:
        if failures > MISSED_BEATS:
            with pytest.raises(Stopped):
                run_child(child, run_folder / "output.txt", environment)
            assert lost.is_set() and len(calls) >= MISSED_BEATS - 1
        else:
            assert run_child(child, run_folder / "output.txt", environment).code == 0
            assert not lost.is_set() and len(calls) > failures


def test_the_clock_of_this_machine_may_be_wrong(run_folder, monkeypatch):
    write_lease(run_folder, DEAD | {"machine": "another"})
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert holder(run_folder) is not None
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert holder(run_folder) is not None
    assert [path.name for path in run_folder.iterdir()] == ["lease.000001"]


def test_a_lease_that_the_disk_has_no_room_for_leaves_nothing(run_folder, monkeypatch):
    def full(path, text):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lease.Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        acquire(run_folder)
    assert list(run_folder.iterdir()) == []


def race(folders, results, number, barrier):
    for index, folder in enumerate(folders):
        barrier.wait(60)
        held = acquire(folder)
        results[index * 8 + number] = held is not None
        barrier.wait(60)


@pytest.mark.parametrize("dead", [True, False], ids=["of a dead owner", "of nobody"])
def test_eight_processes_that_take_a_lease_at_once(tmp_path, dead):
    folders = [tmp_path / str(index) for index in range(40)]
    for folder in folders:
        folder.mkdir()
        if dead:
            write_lease(folder, DEAD | {"machine": lease._machine()})
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(8), context.Array("b", 8 * len(folders))
    processes = [context.Process(target=race, args=(folders, results, number, barrier)) for number in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    winners = [sum(results[index * 8 : index * 8 + 8]) for index in range(len(folders))]
    assert max(winners) == 1
    assert sum(winners) > len(folders) / 2  # of a tie nobody may win: then they come again


def test_a_lease_dated_in_the_future_ages_from_when_it_is_seen(run_folder, monkeypatch):
    """Of another machine, on a disk whose clock was set back: whichever process looks, also one that looks once."""
    path, patience = write_lease(run_folder, DEAD | {"machine": "another"}), lease.BEAT_SECONDS * MISSED_BEATS
    content = path.read_bytes()
    for beat in range(3):
        os.utime(path, (time.time() + 86400 + beat,) * 2)
        assert holder(run_folder) is not None and acquire(run_folder) is None
        assert abs(path.stat().st_mtime - time.time()) < 5 and path.read_bytes() == content
    later = time.time() + patience + 6
    monkeypatch.setattr(lease, "_disk_time", lambda folder: later)
    assert holder(run_folder) is None
    os.utime(path, (time.time() - patience - 1,) * 2)
    assert acquire(run_folder) is not None
