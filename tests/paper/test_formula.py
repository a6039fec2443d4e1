"""Arithmetic on printed numbers: exact, and the range holds whatever the numbers were before rounding."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from poseur_study.paper.checks import round_like, shown
from poseur_study.paper.formula import Cell, Number, Operation, formula
from poseur_study.paper.tables import Printed

A, B = Cell("1c", "ours", "AP"), Cell("1c", "rle", "AP")
SHARE = formula("100 * (1 - {1c/ours/AP} / {1c/rle/AP})")


def test_decimals_are_exact():
    gain = formula("{1c/ours/AP} - {1c/rle/AP}")
    assert gain == Operation("-", A, B) and gain.value == Decimal("1.1") and str(gain) == "74.7 − 73.6"
    assert gain.range == (Decimal("1.0"), Decimal("1.2"))


def test_brackets_stand_where_they_are_needed():
    assert str(SHARE) == "100 × (1 − 74.7 / 73.6)"
    assert str(formula("(1 + 2) * 2 - 1")) == "(1 + 2) × 2 − 1"
    assert str(formula("1 - (2 - 1)")) == "1 − (2 − 1)" and str(formula("1 - 2 - 1")) == "1 − 2 − 1"
    assert str(formula("1 / (2 * 2)")) == "1 / (2 × 2)" and str(formula("1 + (2 + 1)")) == "1 + 2 + 1"


def test_the_leaves_are_the_cells():
    assert list(SHARE.leaves()) == [A, B]
    assert A.place == "Table 1c, Ours, AP"


within = st.decimals(min_value="-0.05", max_value="0.05", places=4)


@given(st.sampled_from("+-*/"), within, within)
def test_the_range_holds_the_result_of_every_number_that_is_printed_so(sign, left, right):
    low, high = Operation(sign, A, B).range
    exact = Operation(sign, Number(A.value + left), Number(B.value + right)).value
    assert low <= exact <= high


def test_rounding_is_to_the_stated_digits_halves_up():
    assert round_like(Decimal("48.5"), Printed(Decimal(49), "")) == 49
    assert round_like(Decimal("0.25"), Printed(Decimal("0.6"), "")) == Decimal("0.3")
    assert [shown(Decimal(one)) for one in ("5.0", "-0.5", "48.314", "256")] == ["5.0", "−0.5", "48.31", "256"]
