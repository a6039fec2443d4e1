"""The moving average of weights: off, nothing; on, the recursion it is named after, resumed or not."""

from dataclasses import replace

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils._python_dispatch import TorchDispatchMode

from poseur_lib.checkpoints.checkpoint import trained_model
from poseur_lib.checkpoints.initial import initial_model
from poseur_lib.checkpoints.released_load import load_released
from poseur_lib.runtime import Runtime
from poseur_lib.training import loop as module
from poseur_lib.training.fit import train
from poseur_lib.training.weight_average import MovingAverage
from tests.models.test_pose_model import model_of
from tests.training.tiny import tiny_config, write_people

DECAY = 0.8


class HostReads(TorchDispatchMode):
    """Counts what waits for a GPU."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


def test_it_is_torchs_average_of_what_is_continuous_and_asks_the_gpu_once():
    network = model_of("poseur")
    ours, theirs = (
        MovingAverage(network, DECAY),
        AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(DECAY), use_buffers=True),
    )
    for number in range(20):
        with torch.no_grad():
            for value in network.parameters():
                value += 0.01 * torch.randn_like(value)
        with HostReads() as reads:
            ours.update_parameters(network)
        theirs.update_parameters(network)
        assert reads.count == (number == 0)
    assert ours.state_dict().keys() == theirs.state_dict().keys() and int(ours.n_averaged) == 20
    for name, value in theirs.state_dict().items():
        assert not value.is_floating_point() or torch.equal(ours.state_dict()[name], value), name
    assert ours.module._flip_order.tolist() == list(network.flip_index)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), train=24, val=4)


@pytest.fixture
def steps(monkeypatch):
    """The weights after each batch, as they are trained."""
    seen = []
    whole = module.TrainingLoop.on_train_batch_end

    def noted(self, outputs, batch, batch_idx):
        seen.append({name: value.detach().clone() for name, value in self.network.state_dict().items()})
        whole(self, outputs, batch, batch_idx)

    monkeypatch.setattr(module.TrainingLoop, "on_train_batch_end", noted)
    return seen


def saved(folder):
    return torch.load(folder / "model.pt", weights_only=True)["state_dict"]


@pytest.mark.parametrize("batches_a_step", [1, 2])
def test_saved_weights_are_the_average_of_those_after_each_step(data, tmp_path, steps, batches_a_step):
    config = tiny_config(**{"train.epochs": 2, "train.ema_decay": DECAY})
    per_device = config.train.global_batch // batches_a_step
    train(config, tmp_path, Runtime(data=data, device="cpu", threads=1, batch_per_device=per_device))
    first, *others = steps[batches_a_step - 1 :: batches_a_step]
    average = {name: value.clone() for name, value in first.items()}
    for weights in others:
        for name, value in weights.items():
            average[name] = DECAY * average[name] + (1 - DECAY) * value
    assert len(others) == 5 and saved(tmp_path).keys() == average.keys()
    for name, value in saved(tmp_path).items():
        if value.is_floating_point():
            torch.testing.assert_close(value, average[name], rtol=1e-5, atol=1e-7)
    changing = next(name for name in average if name.endswith("running_mean"))
    assert not torch.equal(saved(tmp_path)[changing], steps[-1][changing]), "statistics of batch norms are averaged too"


def test_without_it_the_last_weights_are_saved_and_the_checkpoint_holds_no_others(data, tmp_path, steps):
    train(tiny_config(**{"train.epochs": 2}), tmp_path, Runtime(data=data, device="cpu", threads=1, limit_epochs=1))
    held = torch.load(tmp_path / "last.ckpt", weights_only=False)["state_dict"]
    assert not any(name.startswith("average") for name in held)
    train(tiny_config(**{"train.epochs": 2}), tmp_path, Runtime(data=data, device="cpu", threads=1))
    assert all(torch.equal(value, steps[-1][name]) for name, value in saved(tmp_path).items())


def test_training_is_the_same_with_it_and_an_interrupted_one_goes_on(data, tmp_path, steps):
    runtime = Runtime(data=data, device="cpu", threads=1)
    config = tiny_config(**{"train.epochs": 3, "train.ema_decay": DECAY})
    train(config, tmp_path / "unbroken", runtime)
    unbroken, count = saved(tmp_path / "unbroken"), len(steps)
    train(config, tmp_path / "resumed", replace(runtime, limit_epochs=1))
    train(config, tmp_path / "resumed", runtime)
    assert all(torch.equal(value, unbroken[name]) for name, value in saved(tmp_path / "resumed").items())
    last = steps[count - 1]
    train(tiny_config(**{"train.epochs": 3}), tmp_path / "plain", runtime)
    assert all(torch.equal(value, last[name]) for name, value in saved(tmp_path / "plain").items())


def test_a_checkpoint_of_the_last_epoch_is_the_model_that_training_would_save(data, tmp_path):
    config = tiny_config(**{"train.epochs": 2, "train.ema_decay": DECAY})
    train(config, tmp_path, Runtime(data=data, device="cpu", threads=1))
    expected = saved(tmp_path)
    for model, _ in (load_released(tmp_path / "last.ckpt"), initial_model(tmp_path / "last.ckpt")):
        assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
    (tmp_path / "model.pt").unlink()  # as of a run that a limit stopped
    model = trained_model(tmp_path, config)
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
