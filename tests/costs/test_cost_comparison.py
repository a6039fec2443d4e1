"""The paper's cost columns beside ours."""

from decimal import Decimal

import pytest

from poseur_lib.costs.cost import cost
from poseur_study.costs import row_cost
from poseur_study.costs.cost_rows import agrees_with, comparison_table
from poseur_study.costs.paper_costs import NOTES, compare_costs, printed_costs
from poseur_study.paper.tables import Printed
from tests.costs.models import poseur

DIFFER = {
    "Table 2a, Poseur, MobileNet-V2",
    "Table 2b, Poseur, 64 × 64",
    "Table 5, Ours, ResNet-50, 256 × 192",
    "Table 5, Ours, HRNet-W32, 256 × 192",
    "Table 5, Ours, HRNet-W48, 384 × 288",
    "Supp. Table 3, no Share weight",
    "Supp. Table 5, Poseur, R-50",
}


@pytest.mark.parametrize(
    ("printed", "ours", "agrees"),
    [("0.5", 0.4501, True), ("0.5", 0.449, False), ("4.00", 4.039, True), ("4.00", 4.041, False), ("4.00", 3.9, False)],
)
def test_rule(printed, ours, agrees):
    assert agrees_with(Printed(Decimal(printed), "T"), ours) == agrees


def test_every_cell_is_there_once_and_every_note_has_its_cell():
    cells = {(*row.paper, column) for _, row, column in printed_costs()}
    assert len(printed_costs()) == len(cells) == 39
    assert set(NOTES) <= cells


def test_tables_1d_and_s3_and_s4(monkeypatch):
    chosen = [one for one in printed_costs() if one[1].paper in (("1d", "levels_4"), ("1e", "layers_3"))]
    calls = []
    row_cost._cost.cache_clear()
    monkeypatch.setattr(row_cost, "cost", lambda config: calls.append(config) or cost(config))
    rows = compare_costs(chosen)
    assert [round(row.ours, 3) for row in rows] == [29.006, 4.480, 28.898, 4.480]
    assert all(row.agrees for row in rows)
    assert rows[1].percent == pytest.approx(100 * (rows[1].ours / 4.48 - 1))
    assert len(calls) == 1  # the same model once, whether a row names its levels or leaves the default
    table = comparison_table(rows)
    assert list(table["paper"]) == ["29.0", "4.48", "28.8", "4.48"]
    assert "flows" in table["note"][0]


@pytest.mark.slow
def test_which_cells_differ():
    differing = {row.source: row for row in compare_costs() if not row.agrees}
    assert set(differing) == DIFFER
    assert all(row.note for row in differing.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "size", "printed"), [("hrnet_w32", (256, 192), 7.4), ("hrnet_w48", (384, 288), 33.6)]
)
def test_hrnet_rows_of_table_5_are_in_units_of_2_to_the_30(backbone, size, printed):
    assert round(cost(poseur(backbone, 6, size)).multiply_adds / 2**30, 1) == printed
