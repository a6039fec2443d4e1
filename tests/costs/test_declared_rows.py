"""The model of every declared row is counted, so no plan stumbles over one."""

import pytest

from poseur_lib.config import ExperimentConfig
from poseur_lib.costs import cost
from poseur_study.experiments import TABLES
from poseur_study.experiments.profiles import profile


def declared() -> dict[str, ExperimentConfig]:
    """A configuration of each model of the smoke study, by a row that has it; tables share many."""
    smoke, models = profile("smoke"), {}
    for table in TABLES:
        for row in table.runnable:
            config = smoke.experiment(0, smoke.of_table(table.number, table.changes(row)))
            if config.data.whole_image is None:  # those are counted by `poseur_lib.costs.training`
                models.setdefault(f"{config.data} {config.model}", (f"{table.number}: {row.key}", config))
    return dict(models.values())


def one_of_each_kind(configs: dict[str, ExperimentConfig]) -> set[str]:
    """One row of those whose models differ in the crop and the size of their backbones alone."""
    kinds = {}
    for name, config in configs.items():
        backbone = config.model.backbone.model_dump(exclude={"width", "widths", "blocks"})
        kinds.setdefault(f"{backbone} {config.model.head}", name)
    return set(kinds.values())


DECLARED = declared()
KINDS = one_of_each_kind(DECLARED)


@pytest.mark.parametrize(
    "row", [row if row in KINDS else pytest.param(row, marks=pytest.mark.slow) for row in DECLARED]
)
def test_every_model_of_the_smoke_study_is_counted(row):
    counted = cost(DECLARED[row])
    assert counted.multiply_adds > counted.part("backbone").multiply_adds > 0
    assert counted.hook_multiply_adds > 0


def test_learned_initial_points_have_no_coarse_stage():
    """Table 1a's first row: points are a linear layer of learned queries, which have the width of the embedding."""
    smoke, table = profile("smoke"), next(table for table in TABLES if table.number == "1a")
    learned, coarse = (cost(smoke.experiment(0, smoke.of_table("1a", table.changes(row)))) for row in table.runnable)
    assert coarse.part("coarse stage").parameters > 0 == learned.part("coarse stage").parameters
    assert coarse.part("coarse stage").multiply_adds > 0 == learned.part("coarse stage").multiply_adds
    width = 64
    assert learned.part("keypoint encoder").parameters == 2 * 17 * width + 2 * width + 2
    assert learned.part("keypoint encoder").multiply_adds == 17 * width * 2
