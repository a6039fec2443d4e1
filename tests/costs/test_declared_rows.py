"""The model of every declared row is counted, so no plan stumbles over one. Fig. 1's rows are those of other tables."""

import pytest

from poseur_lib.costs import cost
from poseur_study.experiments import TABLES
from poseur_study.experiments.profiles import profile


@pytest.mark.parametrize("table", [one for one in TABLES if one.number != "figure_1"], ids=lambda table: table.number)
def test_every_row_of_the_smoke_study_is_counted(table):
    smoke = profile("smoke")
    configs = [smoke.experiment(0, smoke.of_table(table.number, table.changes(row))) for row in table.runnable]
    models = {f"{config.data} {config.model}": config for config in configs}
    for name, config in models.items():
        counted = cost(config)
        assert counted.multiply_adds > counted.part("backbone").multiply_adds > 0, name
        assert counted.hook_multiply_adds > 0, name


def test_learned_initial_points_have_no_coarse_stage():
    """Table 1a's first row: points are a linear layer of learned queries, which have the width of the embedding."""
    smoke, table = profile("smoke"), next(table for table in TABLES if table.number == "1a")
    learned, coarse = (cost(smoke.experiment(0, smoke.of_table("1a", table.changes(row)))) for row in table.runnable)
    assert coarse.part("coarse stage").parameters > 0 == learned.part("coarse stage").parameters
    assert coarse.part("coarse stage").multiply_adds > 0 == learned.part("coarse stage").multiply_adds
    width = 64
    assert learned.part("keypoint encoder").parameters == 2 * 17 * width + 2 * width + 2
    assert learned.part("keypoint encoder").multiply_adds == 17 * width * 2
