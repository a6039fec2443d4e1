"""Memory by closed form; time as plausible."""

import torch
from torch import nn

from poseur_lib.costs import cost
from poseur_lib.costs.speed import median_seconds, saved_bytes
from poseur_lib.models.build import build_model
from poseur_study.costs.row_speed import training_step
from tests.costs.models import small


def test_saved_bytes_are_what_the_backward_pass_needs():
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 7))
    x = torch.randn(2, 3)
    assert saved_bytes(model, lambda: model(x).sum()) == 4 * (2 * 3 + 2 * 5)  # the input and the ReLU's output, once


def test_median_leaves_the_warm_up_out(monkeypatch):
    seconds = iter([16.0, 1.0, 8.0, 2.0])
    clock = [0.0]
    monkeypatch.setattr("poseur_lib.costs.speed.time.perf_counter", lambda: clock[0])

    def run():
        clock[0] += next(seconds)

    assert median_seconds(run, rounds=3, warm_up=1, device=torch.device("cpu")) == 2.0


def test_measured_cost_names_device_and_threads():
    speed = cost(small(embed_dims=32, ffn_dims=32), timed=True).speed
    assert speed.device and speed.threads == torch.get_num_threads()
    assert speed.latency_ms > 0 and speed.images_per_second > 0
    assert speed.training_activations > 64 * 48 * 3 * 4


def test_a_measured_step_leaves_no_gradients_to_the_next_one():
    """Else they are there before it, and a GPU's peak less what was there has none."""
    model, after_backward = build_model(small(embed_dims=32, ffn_dims=32)), []
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda _: after_backward.append(1))
    training_step(model, torch.randn(1, 3, 64, 48))
    assert after_backward and all(one.grad is None for one in model.parameters())
