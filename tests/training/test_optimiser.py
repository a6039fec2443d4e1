"""Learning rate over the steps, and who trains at which."""

import itertools

import pytest
import torch

from poseur_lib.config import TrainConfig
from poseur_lib.config.training import CosineSchedule, StepSchedule
from poseur_lib.training.optimiser import never_reached, optimiser_and_schedule, parameter_groups, rate_factor
from tests.models.small import small_head

STEPS = 585  # of an epoch: 149,813 people of COCO at batch 256


def paper_rate(step: int) -> float:
    config = TrainConfig()
    start = config.warmup_start_lr / config.learning_rate
    return config.learning_rate * rate_factor(step, STEPS, config.epochs, config.schedule, config.warmup_steps, start)


def test_schedule_of_sec_4_1():
    """1e-3, decreased to 1e-4 and 1e-5 at epochs 255 and 310 of 325; released warm-up: 500 steps from 1e-6."""
    assert TrainConfig().epochs == 325
    assert paper_rate(0) == pytest.approx(1e-6)
    assert paper_rate(250) == pytest.approx((1e-6 + 1e-3) / 2)
    assert paper_rate(499) == pytest.approx(1e-6 + (1e-3 - 1e-6) * 499 / 500)
    for first, after, rate in ((500, 255, 1e-3), (255 * STEPS, 310, 1e-4), (310 * STEPS, 325, 1e-5)):
        assert paper_rate(first) == pytest.approx(rate)
        assert paper_rate(after * STEPS - 1) == pytest.approx(rate)


def test_cosine_ends():
    factors = [rate_factor(step, 10, 4, CosineSchedule(), 0, 0.0) for step in range(41)]
    assert factors[0] == 1 and factors[20] == pytest.approx(0.5) and factors[40] == pytest.approx(0)
    assert all(a > b for a, b in itertools.pairwise(factors))
    assert rate_factor(99, 10, 4, CosineSchedule(), 0, 0.0) == pytest.approx(0), "and never rises again"


def test_warm_up_multiplies_the_schedule():
    schedule = StepSchedule(milestones=(1,), factor=0.5)
    assert rate_factor(15, 10, 4, schedule, 20, 0.0) == pytest.approx(0.5 * 15 / 20)


def test_a_schedule_that_the_training_is_too_short_for_is_told():
    short = TrainConfig(epochs=20)
    assert never_reached(TrainConfig(), STEPS) == ""
    assert never_reached(short, 25) == (
        "learning rate: it never leaves its warm-up (train.warmup_steps=500 of 500),"
        " it never falls (train.schedule.milestones begin at 255, train.epochs=20)"
    )
    assert "warm-up" not in never_reached(short, 26) and "falls" in never_reached(short, 26)
    assert "falls" not in never_reached(TrainConfig(epochs=256), 1)
    for schedule in (CosineSchedule(), StepSchedule(milestones=())):
        assert never_reached(TrainConfig(epochs=20, schedule=schedule), 26) == ""


@pytest.fixture(scope="module")
def head():
    return small_head()


def test_every_parameter_is_in_one_group(head):
    fast, slow = parameter_groups(head, head.slow_parameters(), TrainConfig())
    grouped = [id(p) for p in (*fast["params"], *slow["params"])]
    assert sorted(grouped) == sorted(id(p) for p in head.parameters())
    assert (fast["lr"], slow["lr"]) == (1e-3, pytest.approx(1e-4))


def test_slow_parameters_are_the_sampling_offsets(head):
    slow = {id(p) for p in head.slow_parameters()}
    names = {name for name, p in head.named_parameters() if id(p) in slow}
    kinds = ("weight", "bias")
    assert names == {f"decoder.layers.{i}.cross_attention.sampling_offsets.{kind}" for i in (0, 1) for kind in kinds}


def test_without_slow_parameters_there_is_one_group():
    layer = torch.nn.Linear(2, 2)
    (group,) = parameter_groups(layer, (), TrainConfig())
    assert group["params"] == list(layer.parameters())


def test_optimiser_is_adamw_of_the_configuration_and_follows_the_schedule(head):
    config = TrainConfig(epochs=2, schedule=CosineSchedule(), warmup_steps=2, weight_decay=0.03, betas=(0.8, 0.99))
    groups = parameter_groups(head, head.slow_parameters(), config)
    optimiser, schedule = optimiser_and_schedule(groups, config, 4)
    assert isinstance(optimiser, torch.optim.AdamW)
    for step in range(8):
        factor = rate_factor(step, 4, 2, config.schedule, 2, 1e-3)
        rates = [group["lr"] for group in optimiser.param_groups]
        assert rates == [pytest.approx(1e-3 * factor), pytest.approx(1e-4 * factor)]
        assert all(g["weight_decay"] == 0.03 and g["betas"] == (0.8, 0.99) for g in optimiser.param_groups)
        optimiser.step()
        schedule.step()


def test_sgd_has_the_momentum_and_weight_decay_of_the_configuration(head):
    config = TrainConfig(optimiser="sgd", momentum=0.7, weight_decay=0.03)
    optimiser, _ = optimiser_and_schedule(parameter_groups(head, head.slow_parameters(), config), config, 4)
    assert isinstance(optimiser, torch.optim.SGD)
    assert [(g["momentum"], g["weight_decay"]) for g in optimiser.param_groups] == [(0.7, 0.03)] * 2
