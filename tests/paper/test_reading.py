"""The data file is validated: whatever is wrong with it is named."""

from decimal import Decimal

import pytest

from poseur_lib.errors import UserError
from poseur_study.paper.subject import subject_of
from poseur_study.paper.tables import Missing, paper_tables, printed_cell, read_tables, text_number

TABLE = """
[9]
title = "T"
on = "COCO val"
common = {{ method = "Poseur", backbone = "ResNet-50" }}
words = ["Epoch"]
numbers = ["AP", "GFLOPs"]
{more}
[9.rows]
{rows}
"""


def read(tmp_path, rows: str, more: str = ""):
    file = tmp_path / "t.toml"
    file.write_text(TABLE.format(rows=rows, more=more))
    return read_tables(file)


def test_digits_and_missing_cells_are_kept(tmp_path):
    row = read(tmp_path, 'one = ["1", 75.0, "-"]\ntwo = ["2", "lost", 62]')["9"].rows
    assert row[0].cells["AP"].text == "75.0" and row[0].cells["AP"].value == 75
    assert row[0].cells["AP"].half_digit == Decimal("0.05") and row[1].cells["GFLOPs"].half_digit == Decimal("0.5")
    assert row[0].cells["GFLOPs"] is Missing.NOT_PRINTED and row[1].cells["AP"] is Missing.LOST
    assert row[0].cells["AP"].source == "Table 9, Epoch 1"


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        ('one = ["1", 75.0]', "", "row 'one': 2 cells for 3 columns"),
        ('one = ["1", 175.0, 1.0]', "", "AP: 175.0 is above 100"),
        ('one = ["1", -75.0, 1.0]', "", "Decimal.*-75.0.* is neither a positive number"),
        ('one = ["1", "", 1.0]', "", "AP: '' is neither a positive number nor one of"),
        ('one = [1, 75.0, 1.0]', "", "Epoch: 1 is no word"),
        ('one = ["1", 7.0, 1.0]\ntwo = ["1", 7.0, 1.0]', "", "row 'one' is there twice"),
        ('one = ["1", 7.0, 1.0]', "note = 1", "unknown entry 'note'"),
        ('one = ["1", 7.0, 1.0]', 'variants = ["two"]', "variant 'two' is no row"),
        ('one = ["1", 7.0, 1.0', "", "t.toml: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, rows, more, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, rows, more)


def test_a_cell_that_does_not_exist_is_named():
    with pytest.raises(UserError, match="the paper has no table '7'"):
        printed_cell("7", "a", "AP")
    with pytest.raises(UserError, match="Table 1b has no row 'within': did you mean 'with'"):
        printed_cell("1b", "within", "AP")
    with pytest.raises(UserError, match=r"Table 1b has no column 'AR': it has AP$"):
        printed_cell("1b", "with", "AR")
    with pytest.raises(UserError, match="Table 6, row rle_hrnet_w48, AP_L: no number \\(lost\\)"):
        printed_cell("6", "rle_hrnet_w48", "AP_L")
    with pytest.raises(UserError, match="has no number 'noise'"):
        text_number("noise")


def test_a_method_is_the_same_subject_under_every_name():
    common = {"input": "256 × 192", "layers": 5}
    ours = subject_of({"Method": "Ours (3 Dec.)", "Backbone": "MobileNet-v2"}, common, "COCO val", "cropped people")
    assert str(ours) == "Poseur, MobileNet-V2, 256 × 192, 3 layers"
    marked = subject_of({"Method": "SimBa† [36]", "Backbone": "ResNet-152"}, common, "COCO val", "cropped people")
    assert (marked.method, marked.marks, marked.layers) == ("SimpleBaseline", "†", None)
    with pytest.raises(UserError, match="unknown entry 'size'"):
        subject_of({}, {"size": "1"}, "", "")
    with pytest.raises(UserError, match="no method or no backbone"):
        subject_of({"Method": "Ours"}, {}, "", "")


def test_poseur_has_layers_wherever_the_main_paper_says_so():
    for number, table in paper_tables().items():
        for row in table.rows:
            says = row.subject.method == "Poseur" and not number.startswith("S") and number != "4"
            assert (row.subject.layers is not None) == says, (number, row.key)
