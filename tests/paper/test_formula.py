"""Arithmetic on printed numbers: exact, and the range holds whatever the numbers were before rounding."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from poseur_study.paper.checks import round_like, shown
from poseur_study.paper.formula import Cell, Largest, Number, Operation
from poseur_study.paper.tables import Printed

A, B = Cell("1c", "ours", "AP"), Cell("1c", "rle", "AP")


def test_decimals_are_exact():
    assert (A - B).value == Decimal("1.1") and str(A - B) == "74.7 − 73.6"
    assert (A - B).range == (Decimal("1.0"), Decimal("1.2"))
    assert Largest((B - A, A - A)).value == Decimal("1.1")
    assert Largest((A - A,)).range == (0, Decimal("0.1"))


def test_brackets_stand_where_they_are_needed():
    one, two = Number(Decimal(1)), Number(Decimal(2))
    assert str(100 * (1 - A / B)) == "100 × (1 − 74.7 / 73.6)"
    assert str((one + two) * two - one) == "(1 + 2) × 2 − 1"
    assert str(one - (two - one)) == "1 − (2 − 1)" and str(one - two - one) == "1 − 2 − 1"
    assert str(one / (two * two)) == "1 / (2 × 2)" and str(one + (two + one)) == "1 + 2 + 1"


def test_the_leaves_are_the_cells():
    assert list((100 * (1 - A / B)).leaves()) == [A, B]
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
