"""The GPU's benchmark, rehearsed on a processor: ways, sections, time limits, and what is kept of a killed run."""

import io
import json
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.emsda import inputs
from benchmarks.gpu import child, command, one_run, people, sections, trainings
from benchmarks.gpu.command import Recording, rows_of
from benchmarks.gpu.networks import configuration, for_inference, work_of
from benchmarks.gpu.sections import Scale, emsda, emsda_call, inference, limits, training
from benchmarks.gpu.trainings import Trained, overlap, sampled_busy, together, trained_for
from benchmarks.gpu.ways import EAGER, GRAPH, INDUCTOR, made, timed_ways
from poseur_study.costs.gpu_goals import (
    BACKBONE,
    BF16,
    EMSDA,
    INFERENCE,
    LIMITS,
    MINI,
    PEOPLE,
    R50,
    REAL,
    RUNS,
    TRAINING,
    WHOLE,
)
from poseur_study.costs.gpu_record import GpuBenchmark, GpuRow, WayTime
from tests.training.tiny import tiny_config, write_people

SCALE = Scale.of_rehearsal("cpu")
START = GpuBenchmark(
    device="a processor", cpu_count=2, versions={}, commit="", dirty=False, finished_at="", rehearsal=True
)


def row(section: str = INFERENCE, **more) -> GpuRow:
    of = {"section": section, "name": R50, "part": WHOLE, "precision": BF16, "batch": 2, "items": 2}
    return GpuRow(**of | {"ways": (WayTime(way=EAGER, milliseconds=2.0),)} | more)


def test_a_way_that_fails_leaves_the_others():
    def make(compiled: bool):
        if compiled:
            raise RuntimeError("no compiler\nhere")
        return lambda: torch.ones(4).sum()

    eager, graph, inductor = timed_ways(made(make, on_gpu=False), ("eager", "graph", "inductor"), "cpu")
    assert eager.milliseconds > 0 and eager.busy is None and eager.note == ""
    assert (graph.milliseconds, graph.note) == (None, "a CUDA graph needs a GPU")
    assert (inductor.milliseconds, inductor.note) == (None, "no compiler")


def test_what_cannot_be_recorded_runs_compiled_without(monkeypatch):
    """As a graph alone, that is why there is no time."""

    def broken(run):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr("benchmarks.gpu.ways.cuda_graph", broken)
    calls = made(lambda compiled: lambda: compiled, on_gpu=True)
    run, note = calls("inductor")
    assert run() is True and note == "without a CUDA graph: operation not permitted when stream is capturing"
    monkeypatch.setattr("benchmarks.gpu.ways.memory", lambda _: nullcontext())
    (graph,) = timed_ways(calls, (GRAPH,), "cuda")
    assert graph.milliseconds is None and graph.note == "operation not permitted when stream is capturing"
    monkeypatch.setattr("benchmarks.gpu.ways.cuda_graph", lambda run: run)
    assert calls("inductor").note == "as a CUDA graph" and calls(GRAPH).run() is False


def test_a_graph_that_the_profiler_does_not_see_is_as_busy_as_its_kernels(monkeypatch):
    found = {
        EAGER: WayTime(way=EAGER, milliseconds=20.0, busy=0.2, kernels=900.0),
        GRAPH: WayTime(way=GRAPH, milliseconds=5.0),
    }
    monkeypatch.setattr("benchmarks.gpu.ways._timed_way", lambda _, way, __: found[way])
    _, graph = timed_ways(made(lambda _: list, on_gpu=True), (EAGER, GRAPH), "cuda")
    assert graph.busy == pytest.approx(0.8) and graph.note == "busy by the kernels of the eager call"


def test_work_of_a_network_by_hand():
    """One multiply-add is two operations; a float32 map has twice the bytes of a bf16 one; parts are less than all."""
    config = configuration(R50, rehearsal=False)
    whole, backbone = (work_of(config, part, BF16) for part in (WHOLE, BACKBONE))
    assert 2 * 4.0e9 < backbone.flops < whole.flops < 2 * 4.6e9
    assert backbone.weight_bytes == pytest.approx(2 * 23.45e6, rel=0.001)  # ResNet-50's convolutions
    assert work_of(config, BACKBONE, "float32").bytes(3) == 2 * backbone.bytes(3)
    assert backbone.bytes(3) == 3 * backbone.bytes_per_image + backbone.weight_bytes


@pytest.mark.parametrize("name, batch", [(R50, 256), (MINI, 32), (REAL, 256)])
def test_networks_are_those_of_the_goals(name, batch):
    config = configuration(name, rehearsal=False)
    assert config.train.global_batch == batch and config.pretext is None
    assert config.model.backbone.weights == "none"


@pytest.mark.parametrize("section, parts", [(inference, 4), (training, 4), (emsda, 8), (limits, 2)])
def test_sections_are_rehearsed(section, parts, monkeypatch):
    monkeypatch.setattr("benchmarks.gpu.ways.ROUNDS", 1)
    monkeypatch.setattr("benchmarks.gpu.ways.ROUND_SECONDS", 0.0)
    rows = list(section((EAGER, GRAPH), SCALE))
    assert len({one.key for one in rows}) == len(rows) == parts
    assert all(one.timed for one in rows), [one.text() for one in rows]
    assert all(one.flops or one.bytes for one in rows)


def test_an_inference_option_that_failed_is_noted(monkeypatch):
    whole = for_inference(configuration(R50, rehearsal=True), "cpu")
    monkeypatch.setattr(sections, "for_inference", lambda *_: replace(whole, failed=("without channels_last: why",)))
    monkeypatch.setattr(sections, "timed_ways", lambda *_: (WayTime(way=EAGER, milliseconds=1.0, note="busy"),))
    assert next(inference((EAGER,), SCALE)).ways[0].note == "busy; without channels_last: why"


@pytest.mark.parametrize("part", ["library", "bags", "matrix", "grid_sample"])
def test_sampling_makes_no_tensor_of_numbers(part, monkeypatch):
    """They would be copied to the GPU in each call, which no CUDA graph can record."""
    call = emsda_call(part, [x.requires_grad_() for x in inputs(1, 4)])(EAGER).run
    monkeypatch.setattr(torch, "tensor", None)
    assert len(call()) == 3


def test_each_row_is_compiled_from_scratch(monkeypatch):
    """The ways to sample are ten forms of one function, more than torch compiles: the last would run step by step."""
    done = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: done.append("reset"))
    calls = made(lambda compiled: done.append(compiled) or list, on_gpu=False)
    timed_ways(calls, (EAGER, INDUCTOR), "cpu")
    assert done == [False, "reset", True]


def test_forms_beyond_torchs_limit_are_an_error(monkeypatch):
    from torch._dynamo import config

    monkeypatch.setattr(config, "fail_on_recompile_limit_hit", False)
    monkeypatch.setattr(child, "SECTIONS", {EMSDA: lambda *_: iter(())})
    child.main(EMSDA, EAGER, "cpu", "yes", "")
    assert not config.fail_on_recompile_limit_hit
    child.main(EMSDA, INDUCTOR, "cpu", "yes", "")
    assert config.fail_on_recompile_limit_hit


def test_a_child_prints_rows_of_float32_as_the_library_computes(capsys):
    """torch rounds convolutions to TF32, and products if it is told to."""
    child.main(LIMITS, EAGER, "cpu", "yes", "")
    printed = [GpuRow.model_validate_json(line) for line in capsys.readouterr().out.splitlines()]
    assert [one.part for one in printed] == ["matrix product", "copy"]
    assert torch.get_float32_matmul_precision() == "highest"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_section_that_hangs_is_stopped_and_its_rows_are_kept():
    line = row().model_dump_json()
    hanging = f"import sys, time\nprint({line!r}, flush=True)\ntime.sleep(600)"
    assert list(rows_of(python(hanging), 3)) == [row(), "stopped after 3 s"]


def test_a_section_that_fails_says_why():
    assert list(rows_of(python("raise SystemExit('CUDA error: the card is gone')"), 60)) == [
        "CUDA error: the card is gone"
    ]
    assert list(rows_of(python("import os; os._exit(3)"), 60)) == ["ended with code 3"]
    assert list(rows_of(python("print('no row')"), 60)) == []


def test_files_of_a_section_go_with_it(tmp_path):
    left = f"import tempfile; open({str(tmp_path / 'where')!r}, 'w').write(tempfile.mkdtemp())"
    assert list(rows_of(python(left), 60)) == []
    assert not Path((tmp_path / "where").read_text()).exists()


def test_rows_are_recorded_as_they_come(tmp_path):
    found = Recording(START, tmp_path / "gpu.json")
    product = row(LIMITS, part="matrix product", flops=8e9)
    for one in (product, row(), row(ways=(WayTime(way=GRAPH, milliseconds=1.0),)), row(TRAINING)):
        found.add(one)
        kept = GpuBenchmark.model_validate_json((tmp_path / "gpu.json").read_text())
    found.leave_out("emsda: no time was left")
    kept = GpuBenchmark.model_validate_json((tmp_path / "gpu.json").read_text())
    assert [(one.section, len(one.ways)) for one in kept.rows] == [(INFERENCE, 2), (TRAINING, 1)]
    assert (kept.flops, kept.bytes, kept.left_out) == (4e12, None, ("emsda: no time was left",))


def test_the_command_measures_what_is_asked_within_its_time(tmp_path, monkeypatch, capsys):
    asked = []

    def rows(line: list[str], seconds: float):
        asked.append((line[3:5], round(seconds)))
        yield row(line[3])
        if line[4] == "inductor":
            yield "stopped after 9 s"

    monkeypatch.setattr(command, "rows_of", rows)
    assert command.main(["--rehearse", "--only", TRAINING, "--out", str(tmp_path / "gpu.json")]) == 0
    assert asked == [
        ([LIMITS, "eager"], 150), ([TRAINING, "eager,graph"], 375), ([TRAINING, "inductor"], 550),
    ]  # fmt: skip
    kept = GpuBenchmark.model_validate_json((tmp_path / "gpu.json").read_text())
    assert kept.rehearsal and kept.left_out == ("training, inductor: stopped after 9 s",)
    assert command.main(["--rehearse", "--only", TRAINING, "--minutes", "0.001"]) == 0
    assert "training, eager and graph: no time was left" in capsys.readouterr().out


def test_it_fits_into_ten_minutes_and_needs_a_gpu(monkeypatch, capsys):
    assert command.MINUTES < 10
    steps = list(command.STEPS)
    of_goals = steps[: 1 + steps.index((TRAINING, (INDUCTOR,)))]
    assert {section for section, _ in of_goals} == {PEOPLE, *child.SECTIONS}
    assert sum(command.STEPS[one] for one in of_goals) <= 60 * command.MINUTES
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        command.main([])
    assert "torch finds no GPU; --rehearse" in capsys.readouterr().err


def test_runs_count_together_as_far_as_they_were_together():
    runs = (Trained(100, 10.0, 0.0, 10.0), Trained(100, 8.0, 4.0, 12.0))
    assert overlap(runs) == pytest.approx(0.6)
    assert together(runs) == pytest.approx(200 / 12)
    assert overlap((Trained(1, 1.0, 0.0, 1.0), Trained(1, 1.0, 5.0, 6.0))) == 0


def test_one_run_tells_its_people_and_its_time(tmp_path, monkeypatch, capsys):
    data = write_people(tmp_path / "data", train=16, val=2)
    config = trained_for(tiny_config(), 24)
    monkeypatch.setattr(sys, "stdin", io.StringIO("go\n"))
    (tmp_path / "config.json").write_text(config.model_dump_json())
    one_run.main(str(tmp_path), "0", str(data), "cpu", "32", "none")
    ready, *_, last = capsys.readouterr().out.splitlines()
    told = Trained(**json.loads(last))
    assert ready == "ready" and told.computed == "" and told.said == told.ways == []
    assert told.people == 24 and told.seconds == pytest.approx(told.ended - told.began)


@pytest.fixture
def few_images(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(people, "generate", lambda *_, **__: None)
    monkeypatch.setattr(trainings, "ONE_RUN", "tests.evidence.fake_run")


def test_people_are_generated_once(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(people, "generate", lambda folder, settings, **_: asked.append((folder, settings)))
    people.main(str(tmp_path), "yes")
    once = dict(asked)
    monkeypatch.setattr(trainings, "_row", lambda *_: row())
    scale = replace(SCALE, folder=tmp_path)
    assert len([*trainings.epoch((EAGER,), scale), *trainings.runs((EAGER,), scale)]) == 3
    assert len(once) == 2 and dict(asked) == once and all(folder.parent == tmp_path for folder in once)


def test_processes_that_generate_import_no_torch():
    code = "import sys, benchmarks.gpu.people\nassert 'torch' not in sys.modules"
    subprocess.run(python(code), check=True)


def test_runs_one_after_the_other_have_no_time(few_images, monkeypatch):
    monkeypatch.setenv("FAKE_RUN_LATER", "0.8")
    (way,) = next(trainings.runs((EAGER,), SCALE)).ways
    assert (way.milliseconds, way.note) == (None, "they ran together for 20% of the time only")


def test_a_run_that_could_not_be_recorded_is_none(monkeypatch):
    reason = "training runs step by step, not as a CUDA graph: not permitted when stream is capturing"
    config = configuration(MINI, rehearsal=True)
    monkeypatch.setattr(trainings, "_processes", lambda *_: [Trained(1, 1.0, 0.0, 1.0, computed=reason, said=[reason])])
    found = trainings._trained_together(config, BF16, 1, GRAPH, Path(), "cpu")
    assert found.milliseconds is None and found.note == f"it ran step by step {reason}"


def test_how_busy_a_gpu_was_is_of_the_counted_epoch_on_the_gpu_that_is_used(monkeypatch):
    asked = []

    @contextmanager
    def sampled(gpu):
        asked.append(gpu)
        yield [(9.0, 0.1), (10.0, 0.8), (20.0, 0.6), (21.0, 0.0)]

    monkeypatch.setattr(trainings, "visible_gpus", lambda: ("5", "2"))
    monkeypatch.setattr(trainings, "sampled_busy", sampled)
    monkeypatch.setattr(trainings, "_processes", lambda *_: [Trained(1, 10.0, 10.0, 20.0)])
    config = configuration(MINI, rehearsal=True)
    found = trainings._trained_together(config, BF16, 1, EAGER, Path(), "cuda")
    assert (found.busy, asked) == (pytest.approx(0.7), ["5"])


def test_runs_together_add_up(few_images, monkeypatch):
    two, one = trainings.runs((EAGER,), SCALE)
    assert (one.section, one.name, two.name) == (RUNS, "mini, 1 at a time", "mini, 2 at a time")
    assert (round(one.per_second), round(two.per_second)) == (100, 200)
    (inductor,) = next(trainings.runs((INDUCTOR,), SCALE)).ways
    assert (inductor.milliseconds, inductor.note) == (None, "it ran step by step")
    monkeypatch.setattr(trainings, "ONE_RUN", "tests.evidence.no_such_run")
    failed = next(trainings.runs((EAGER,), SCALE))
    assert not failed.timed and "no_such_run" in failed.ways[0].note
    assert "GPU" in next(trainings.epoch((GRAPH,), SCALE)).ways[0].note


def test_how_busy_a_gpu_is_comes_from_nvidia_smi(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\n[ $1 = --id=5 ] && echo 87 || { echo 3; echo 87; }\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with sampled_busy("5", 0.01) as found:
        while not found:
            pass
    assert found[0][1] == 0.87
    with sampled_busy(None) as nothing:
        pass
    assert nothing == []


def test_sections_have_limits():
    assert {section for section, _ in command.STEPS} == {PEOPLE, *child.SECTIONS} == {LIMITS, PEOPLE, *command.SECTIONS}
