"""A recorded step gives what the step by step one gives; what cannot be recorded is refused with its reason."""

import gc
import math
from contextlib import nullcontext, suppress
from functools import partial
from unittest.mock import Mock

import pytest
import torch

from poseur_lib.cuda_graph import WARM_UP_PASSES, cuda_graph
from poseur_lib.models.end_to_end.model import EndToEndModel
from poseur_lib.models.pose_model import LossTerms
from poseur_lib.runtime import AUTO_ON_GPU, Runtime
from poseur_lib.training import loop
from poseur_lib.training.curve import number_words
from poseur_lib.training.fit import pose_loss, train
from poseur_lib.training.loss_sums import LossSums, detached
from poseur_lib.training.step import Chosen, GraphedStep, choose, seed_generators
from tests.models.test_pose_model import HEADS, model_of
from tests.training.batches import random_batch
from tests.training.tiny import tiny_config, write_people


def again(function):
    """Stands for a CUDA graph: it is recorded by passing through it, and replayed by doing the same."""
    for _ in range(WARM_UP_PASSES):
        function()
    return function


def gradients(network):
    return {name: None if x.grad is None else x.grad.clone() for name, x in network.named_parameters()}


@pytest.mark.parametrize("name", HEADS)
def test_losses_and_gradients_of_every_batch_are_those_of_a_plain_pass(name):
    torch.manual_seed(0)
    network = model_of(name).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    recorded = GraphedStep(pose_loss, network, random_batch(4, seed=0), "32", again)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    for seed in (1, 2):
        batch = random_batch(4, seed)
        torch.manual_seed(seed)
        found = recorded(batch).values.clone(), gradients(network)
        network.zero_grad()
        torch.manual_seed(seed)
        losses = pose_loss(network, batch)
        losses.total.backward()
        torch.testing.assert_close(found, (detached(losses).values, gradients(network)), rtol=0, atol=0)
    with pytest.raises(ValueError, match=r"recorded for a batch of shapes \[\(4, 3, 64, 48\).* got \[\(1, 3, 64, 48\)"):
        recorded(random_batch(1, 3))


def test_gradients_are_those_of_the_recording_whatever_was_in_their_place():
    """A CUDA graph writes where it was recorded; a pass in between leaves other tensors with the parameters."""
    network = model_of("poseur").train()

    def static(function):
        function()
        kept = [parameter.grad for parameter in network.parameters()]

        def replay():
            there = [parameter.grad for parameter in network.parameters()]
            function()
            for parameter, one, before in zip(network.parameters(), kept, there, strict=True):
                if one is not None:
                    one.copy_(parameter.grad)
                parameter.grad = before

        return replay

    recorded = GraphedStep(pose_loss, network, random_batch(4, 0), "32", static)
    torch.manual_seed(1)
    recorded(random_batch(4, 1))
    expected = gradients(network)
    network.zero_grad()
    pose_loss(network, random_batch(3, 2)).total.backward()
    torch.manual_seed(1)
    recorded(random_batch(4, 1))
    torch.testing.assert_close(gradients(network), expected)


def test_a_recording_that_gives_something_else_is_refused():
    def twice_as_much(function):
        def replay():
            function()
            for parameter in network.parameters():
                if parameter.grad is not None:
                    parameter.grad *= 2

        return replay

    network = model_of("poseur").train()
    with pytest.raises(ArithmeticError, match=r"its first gradients are 1\.0e\+00 away"):
        GraphedStep(pose_loss, network, random_batch(4, 0), "32", twice_as_much)


def test_a_recording_of_nothing_is_refused():
    """As of another GPU's stream: the pass that was to be recorded is done at once, and its gradients are there."""

    def of_nothing(function):
        function()
        return lambda: None

    with pytest.raises(ArithmeticError, match="its first loss is nan away"):
        GraphedStep(pose_loss, model_of("l1").train(), random_batch(4, 0), "32", of_nothing)


@pytest.mark.parametrize("clip", [None, 0.5])
def test_training_by_recorded_steps_is_training(tmp_path, monkeypatch, clip):
    """To the digit, with noise, dropout and a learning rate that changes; and it resumes."""
    data = write_people(tmp_path / "data", train=16, val=4)
    config = tiny_config(**{"train.epochs": 3, "model.head.dropout": 0.1, "train.gradient_clip": clip})
    runtime = Runtime(data=data, device="cpu", threads=1)
    plain = train(config, tmp_path / "plain", runtime)
    monkeypatch.setattr(loop, "choose", lambda *_: Chosen("graph"))
    monkeypatch.setattr(loop, "cuda_graph", again)
    train(config, tmp_path / "recorded", Runtime(data=data, device="cpu", threads=1, limit_epochs=1))
    recorded = train(config, tmp_path / "recorded", runtime)
    assert [point.computed for point in recorded] == ["graph"] * 3 and [point.computed for point in plain] == [""] * 3
    same = {"computed": "", "seconds": 0.0}
    assert [one.model_copy(update=same) for one in recorded] == [one.model_copy(update=same) for one in plain]


def test_a_curve_says_in_which_precision_and_on_how_many_devices(tmp_path):
    data = write_people(tmp_path / "data", train=8, val=2)
    runtime = Runtime(data=data, device="cpu", threads=1, precision="bf16-mixed")
    (half,) = train(tiny_config(), tmp_path / "run", runtime)
    assert (half.computed, half.ways) == ("bf16-mixed", ())
    assert number_words("32", 1) == () and number_words("16-mixed", 4) == ("16-mixed", "4 devices")


@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
def test_where_nothing_can_be_recorded_training_goes_on_and_says_why(tmp_path, monkeypatch, capsys, precision):
    """As it would without having been asked, to the digit."""

    def broken(function):
        function()
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    data = write_people(tmp_path / "data", train=16, val=4)
    runtime = Runtime(data=data, device="cpu", threads=1, precision=precision)
    plain = train(tiny_config(), tmp_path / "plain", runtime)
    monkeypatch.setattr(loop, "choose", lambda *_: Chosen("graph"))
    monkeypatch.setattr(loop, "cuda_graph", broken)
    found = train(tiny_config(), tmp_path / "fallen back", runtime)
    said = "training runs step by step, not as a CUDA graph: operation not permitted when stream is capturing"
    assert found[-1].loss == plain[-1].loss and found[-1].computed.endswith(said) and found[-1].ways == ()
    weights = [torch.load(tmp_path / of / "model.pt")["state_dict"] for of in ("plain", "fallen back")]
    torch.testing.assert_close(*weights, rtol=0, atol=0)
    assert capsys.readouterr().err.count(said) == 1


def test_what_is_asked_for_and_what_stands_against_it(tmp_path, monkeypatch):
    def asked(accumulate=1, recordable=True, **settings):
        return choose(Runtime(data=tmp_path, device="cpu", **settings), accumulate, recordable)

    assert asked() == asked(compile="none") == Chosen("none") and asked(compile="inductor").way == "inductor"
    assert asked(compile="graph").reason == "training runs step by step, not by graph: there is no GPU"
    assert asked(compile="inductor", recordable=False).way == "inductor"  # the backbone alone, and nothing is recorded
    monkeypatch.setattr(Runtime, "torch_device", torch.device("cuda"))
    assert asked(compile="graph", precision="bf16-mixed") == Chosen("graph")
    assert asked().way == AUTO_ON_GPU
    for given, named in (
        ({"devices": 2}, "several devices"),
        ({"accumulate": 2}, "accumulated"),
        ({"precision": "16-mixed"}, "16-mixed"),
        ({"recordable": False}, "its loss waits for the processor"),
        ({"recordable": False, "compile": "inductor"}, "its loss waits for the processor"),
    ):
        found = asked(**{"compile": "graph"} | given)
        assert found.way == "none" and named in found.reason


def test_models_that_wait_for_the_processor_are_not_recorded():
    assert {name for name in HEADS if not model_of(name).recordable} == {"prtr"}
    assert not EndToEndModel.recordable


def test_generators_are_seeded_as_torch_does(monkeypatch):
    torch.manual_seed(12345678901234567)
    expected = torch.rand(3), torch.randn(3)
    monkeypatch.setattr(torch, "manual_seed", None)
    seed_generators(12345678901234567)
    assert all(map(torch.equal, (torch.rand(3), torch.randn(3)), expected))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_generators_of_gpus_are_seeded_as_torch_does():
    torch.zeros(1, device="cuda")
    torch.manual_seed(7)
    expected = torch.rand(3, device="cuda")
    seed_generators(7)
    assert torch.equal(torch.rand(3, device="cuda"), expected)


def test_sums_of_losses_and_the_first_that_is_not_finite():
    values = [(3.0, 1.0, 2.0), (5.0, 1.5, 3.5), (math.inf, math.inf, 1.0), (math.nan, 0.0, math.nan)]
    sums = LossSums()
    assert sums.not_finite() is None
    for number, (total, a, b) in enumerate(values):
        terms = {"a": torch.tensor(a), "b": torch.tensor(b)}
        sums.add(detached(LossTerms(torch.tensor(total), terms)), number + 10)
        if number < 2:
            assert sums.not_finite() is None and sums.look_is_due
            assert sums.means(torch.clone) == {"total": 3.0 + number, "a": 1.0 + number / 4, "b": 2.0 + 0.75 * number}
    assert sums.not_finite() == ("a", math.inf, 12)


def test_a_recording_that_breaks_off_says_why_and_leaves_its_stream(monkeypatch):
    """Torch's own ends with an error that hides the reason, and stays on the stream that it recorded on."""
    used = ["the run's stream"]

    done = []

    class Graph:
        def reset(self):
            done.append("reset")

    class Recording:
        def __init__(self, graph, stream, **_):
            self.stream = stream

        def __enter__(self):
            used.append(self.stream.name)

        def __exit__(self, *_):
            raise RuntimeError("operation failed due to a previous error during capture")

    kind = torch.cuda.Stream

    def stream(name=None):
        one = Mock(spec=kind)
        one.name = name or used[-1]
        return one

    stand_ins = {"graph": Recording, "CUDAGraph": Graph, "stream": nullcontext,
                 "Stream": partial(stream, "the recording's stream"), "current_stream": stream,
                 "set_stream": lambda one: used.append(one.name), "graph_pool_handle": lambda: (0, 1),
                 "current_device": lambda: 0, "empty_cache": lambda: done.append("empty_cache")}  # fmt: skip
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    for name in ("_cuda_endAllocateToPool", "_cuda_releasePool"):
        monkeypatch.setattr(torch._C, name, lambda *of, name=name: done.append((name, *of)), raising=False)
    passes = []

    def waits():
        passes.append(used[-1])
        if len(passes) > WARM_UP_PASSES:
            raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
        cuda_graph(waits)
    assert passes[-1] == "the recording's stream" and used[-1] == "the run's stream"
    released = [("_cuda_endAllocateToPool", 0, (0, 1)), ("_cuda_releasePool", 0, (0, 1))]
    assert done == ["reset", *released, "empty_cache"]

    def reset_did_it(*_):
        raise RuntimeError("endAllocatePool: not currently recording to mempool_id")

    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", reset_did_it)
    done.clear(), passes.clear()
    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
        cuda_graph(waits)
    assert done == ["reset", "empty_cache"]

    def out_of_order():
        raise RuntimeError("an illegal memory access")

    passes.clear()
    monkeypatch.setattr(torch.cuda, "empty_cache", out_of_order)
    with pytest.raises(RuntimeError, match="an illegal memory access"):  # not hidden: the card is of no use any more
        cuda_graph(waits)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_goes_on_after_a_recording_that_broke_off():
    stream = torch.cuda.current_stream()
    with pytest.raises(RuntimeError):
        cuda_graph(lambda: torch.rand(2, device="cuda").sum().item())
    assert torch.cuda.current_stream() == stream
    torch.manual_seed(0)
    numbers = torch.zeros(2, device="cuda")
    replay = cuda_graph(lambda: numbers.copy_(torch.rand(2, device="cuda")))
    torch.manual_seed(0)
    expected = torch.rand(2, device="cuda")
    torch.manual_seed(0)
    replay()
    assert torch.equal(numbers, expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_recording_that_broke_off_keeps_no_memory():
    def breaks():
        kept = torch.ones(2**26, device="cuda")
        kept.sum().item()

    def reserved():
        gc.collect()
        torch.cuda.empty_cache()
        return torch.cuda.memory_reserved()

    with suppress(RuntimeError):
        cuda_graph(breaks)  # libraries take their workspaces
    before = reserved()
    for _ in range(3):
        with suppress(RuntimeError):
            cuda_graph(breaks)
    assert reserved() <= before
    other = torch.cuda.Stream()
    with torch.cuda.stream(other):  # memory of another stream comes back only where no recording is under way
        shared = torch.ones(2**26, device="cuda")
    shared.record_stream(torch.cuda.current_stream())
    del shared
    torch.cuda.synchronize()
    assert reserved() <= before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
@pytest.mark.parametrize("way", ["graph", "inductor"])
def test_200_steps_on_a_gpu_lie_within_the_spread_of_seeds(tmp_path, way, precision):
    """Losses of the last epochs: recorded and step by step are no farther apart than two seeds are."""
    data = write_people(tmp_path / "data", train=64, val=4)

    def last(seed, compile):
        config = tiny_config(**{"train.epochs": 25, "seed": seed, "train.global_batch": 8})
        runtime = Runtime(data=data, device="cuda", threads=1, compile=compile, precision=precision)
        curve = train(config, tmp_path / f"{seed} {compile}", runtime)
        assert curve[-1].step == 200 and (way in curve[-1].ways) == (compile == way)
        return sum(point.loss for point in curve[-5:]) / 5

    plain = [last(seed, "none") for seed in (0, 1, 2)]
    assert abs(last(0, way) - plain[0]) <= max(plain) - min(plain)
