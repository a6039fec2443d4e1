"""A recorded step gives what the step by step one gives; what cannot be recorded is refused with its reason."""

import math
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from poseur_lib.cuda_graph import WARM_UP_PASSES, cuda_graph
from poseur_lib.models.pose_model import LossTerms
from poseur_lib.runtime import AUTO_ON_GPU, Runtime
from poseur_lib.training import loop
from poseur_lib.training.fit import pose_loss, train
from poseur_lib.training.loss_sums import LossSums, detached
from poseur_lib.training.step import Chosen, GraphedStep, choose
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
    assert recorded.fits(random_batch(4, 3)) and not recorded.fits(random_batch(3, 3))


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


def test_where_nothing_can_be_recorded_training_goes_on_and_says_why(tmp_path, monkeypatch, capsys):
    def broken(function):
        function()
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    data = write_people(tmp_path / "data", train=16, val=4)
    runtime = Runtime(data=data, device="cpu", threads=1)
    plain = train(tiny_config(), tmp_path / "plain", runtime)
    monkeypatch.setattr(loop, "choose", lambda *_: Chosen("graph"))
    monkeypatch.setattr(loop, "cuda_graph", broken)
    found = train(tiny_config(), tmp_path / "fallen back", runtime)
    said = "training runs step by step, not as a CUDA graph: operation not permitted when stream is capturing"
    assert found[-1].loss == plain[-1].loss and found[-1].computed == said
    assert capsys.readouterr().err.count(said) == 1


def test_what_is_asked_for_and_what_stands_against_it(tmp_path, monkeypatch):
    def asked(accumulate=1, **settings):
        return choose(Runtime(data=tmp_path, device="cpu", **settings), accumulate)

    assert asked() == asked(compile="none") == Chosen("none") and asked(compile="inductor").way == "inductor"
    assert asked(compile="graph").reason == "training runs step by step, not by graph: there is no GPU"
    monkeypatch.setattr(Runtime, "torch_device", torch.device("cuda"))
    assert asked(compile="graph", precision="bf16-mixed") == Chosen("graph")
    assert asked().way == AUTO_ON_GPU
    for given, named in (
        ({"devices": 2}, "several devices"),
        ({"accumulate": 2}, "accumulated"),
        ({"precision": "16-mixed"}, "16-mixed"),
    ):
        found = asked(compile="graph", **given)
        assert found.way == "none" and named in found.reason


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

    class Recording:
        def __init__(self, graph, **_):
            pass

        def __enter__(self):
            used.append("the recording's stream")

        def __exit__(self, *_):
            raise RuntimeError("operation failed due to a previous error during capture")

    def stream():
        return SimpleNamespace(name=used[-1], wait_stream=id)

    stand_ins = {"graph": Recording, "CUDAGraph": object, "stream": nullcontext, "Stream": stream,
                 "current_stream": stream, "set_stream": lambda one: used.append(one.name)}  # fmt: skip
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    passes = []

    def waits():
        passes.append(used[-1])
        if len(passes) > WARM_UP_PASSES:
            raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
        cuda_graph(waits)
    assert passes[-1] == "the recording's stream" and used[-1] == "the run's stream"


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
@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
@pytest.mark.parametrize("way", ["graph", "inductor"])
def test_200_steps_on_a_gpu_lie_within_the_spread_of_seeds(tmp_path, way, precision):
    """Losses of the last epochs: recorded and step by step are no farther apart than two seeds are."""
    data = write_people(tmp_path / "data", train=64, val=4)

    def last(seed, compile):
        config = tiny_config(**{"train.epochs": 25, "seed": seed, "train.global_batch": 8})
        runtime = Runtime(data=data, device="cuda", threads=1, compile=compile, precision=precision)
        curve = train(config, tmp_path / f"{seed} {compile}", runtime)
        assert curve[-1].step == 200 and (way in curve[-1].computed) == (compile == way)
        return sum(point.loss for point in curve[-5:]) / 5

    plain = [last(seed, "none") for seed in (0, 1, 2)]
    assert abs(last(0, way) - plain[0]) <= max(plain) - min(plain)
