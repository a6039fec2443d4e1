"""The claims: known contradictions are found, known agreements hold, and every number comes from the data."""

import re
from decimal import Decimal

import pytest

from poseur_lib.errors import UserError
from poseur_study.paper.audit import audit, counts, same_subject, size_mixes, summary
from poseur_study.paper.checks import Above, Agreement, All, Among, Equals, Unchecked, Within
from poseur_study.paper.claims import Claim, ClaimKind, paper_claim, paper_claims, read_claims
from poseur_study.paper.formula import Cell, Text, formula
from poseur_study.paper.tables import text_numbers

CLAIMS = tuple(paper_claims().values())
A, B = Cell("1c", "ours", "AP"), Cell("1c", "rle", "AP")
GAIN = formula("{1c/ours/AP} - {1c/rle/AP}")

# What is wrong with the paper's own numbers, and what the rounding of the printed digits may explain.
CONTRADICTED = {
    "fewer-flops": ("100 × (1 − 4.6 / 8.9) = 48.31", True),
    "udp-cited": ("UDP's number in the list of references: 17", False),
    "over-udp-testdev": ("77.6 − 76.5 = 1.1", True),
    "default-model": ("74.7 − 72.9 = 1.8; 74.7 − 74.3 = 0.4", False),
    "default-model-cost": ("4.48 − 4.48 = 0.00; 29.0 − 28.8 = 0.2", False),
    "score-over-rle": ("74.7 − 73.6 = 1.1", True),
    "gain-at-64": ("47.9 − 31.4 = 16.5", False),
    "layers-of-table-5": ("0.5 ≤ 0.52; 7.4 ≤ 7.95", False),
    "over-mask-rcnn": ("68.6 − 66.0 = 2.6", False),
    "fully-trained-is-the-papers": (
        "75.5 − 75.4 = 0.1; 90.7 − 90.5 = 0.2; 82.7 − 82.2 = 0.5; 68.7 − 68.1 = 0.6; 78.3 − 78.6 = −0.3", False,
    ),
    "table-named": ("tables of the paper: 1, 2, 3, 4, 5, 6", False),
}  # fmt: skip
UNCHECKABLE = {
    "first-of-its-kind", "noise-makes-robust", "score-same-recall", "laplace-comparable", "coco-people", "radius",
    "noise-is-free", "layers-grow", "settings-aligned", "system-memory", "encoder-and-decoder", "truncation",
    "score-is-probability", "attention-relates", "shoulder-attends", "quantisation-limits-heatmaps", "pooling-costs",
    "misalignment-removed", "end-to-end-differentiable", "prtr-redundant-queries", "rle-needs-heatmaps",
    "query-attributes", "flow-is-free", "against-overfitting",
}  # fmt: skip


def test_contradictions_are_these_and_no_others():
    found = [one for one in audit() if one.finding.agreement == Agreement.CONTRADICTS]
    assert {one.claim.key: (one.finding.computed, one.finding.within_rounding) for one in found} == CONTRADICTED


def test_what_cannot_be_checked():
    found = [one.claim.key for one in audit() if one.finding.agreement == Agreement.UNCHECKABLE]
    assert set(found) == UNCHECKABLE
    assert sum(counts(audit()).values()) == len(CLAIMS)
    assert summary(audit()).startswith(f"Of {len(CLAIMS)} statements of its text, ")


def test_every_claim_has_words_a_place_and_a_source():
    for one in CLAIMS:
        assert one.statement.endswith(".") and one.place and "{" not in one.statement + one.remark
        assert bool(one.sources) == (not isinstance(one.check, Unchecked) and one.key != "pixels")


def test_no_claim_types_a_number_of_the_paper_again():
    for one in CLAIMS:
        text = re.sub(r"\{[^}]*\}", "", one.text + one.note)
        text = re.sub(r"(Sec\.|Eq\.|Table|Tables)? \d(\.\d)?( and \d\.\d)?", "", text)
        assert not re.search(r"\d+\.\d+ ?(AP|GFLOPs|M\b|PCKh|%)", text), one.key


def test_every_stated_number_of_the_text_is_held_against_something():
    used = {leaf.key for one in CLAIMS for f in one.check.formulas() for leaf in f.leaves() if isinstance(leaf, Text)}
    used |= {key for one in CLAIMS for key in re.findall(r"\{(\w+)\}", one.text)}
    for one in CLAIMS:
        used |= {check.number for check in getattr(one.check, "checks", [one.check]) if hasattr(check, "number")}
    assert set(text_numbers()) == used


def test_one_method_at_one_backbone_has_three_ap():
    of_method = {(one.subject.method, one.subject.layers): one for one in same_subject("AP") if one.differ}
    three = of_method["SimpleBaseline", None]
    assert three.subject.backbone == "ResNet-50" and three.subject.input == "256 × 192"
    assert [(cell.table, cell.value) for cell in three.cells] == [
        ("2a", Decimal("72.4")), ("2b", Decimal("71.0")), ("5", Decimal("70.4")),
    ]  # fmt: skip
    assert three.spread == Decimal("2.0")
    layers = {str(cell) for cell in of_method["Poseur", 3].cells}
    assert layers == {"72.9", "74.3", "74.7"}


def test_a_coarser_number_is_no_other_number():
    groups = {str(one.subject): one for one in same_subject("GFLOPs")}
    assert not groups["Poseur, ResNet-50, 256 × 192, 6 layers"].differ  # 4.57 and 4.6
    assert groups["SimpleBaseline, ResNet-50, 256 × 192"].differ


def test_poseur_s_ap_lies_elsewhere_between_the_sizes():
    mixes = size_mixes()
    assert max(one.share.range.high for one in mixes if one.poseur) < Decimal("0.35")
    assert min(one.share.range.low for one in mixes if not one.poseur) > Decimal("0.6")


@pytest.mark.parametrize(
    ("check", "agreement", "within_rounding"),
    [
        (Equals("score_gain", formula("{1c/ours/AP} - {without_score}")), "agrees", False),
        (Equals("score_over_rle", GAIN), "contradicts", True),
        (Equals("gain_at_64", GAIN), "contradicts", False),
        (Above(((A, B),)), "agrees", False),
        (Above(((B, A),)), "contradicts", False),
        (Above(((A, A),)), "contradicts", True),
        (Within("same", (GAIN,), Decimal("1.1")), "agrees", False),
        (Within("same", (GAIN,), Decimal("1.0")), "contradicts", False),
        (All((Above(((A, B),)), Equals("score_over_rle", GAIN))), "contradicts", True),
        (All((Above(((B, A),)), Equals("score_over_rle", GAIN))), "contradicts", False),
        (Among("table_named", "tables", (9, 10)), "agrees", False),
        (Unchecked("why"), "cannot be checked", False),
    ],
)
def test_checks(check, agreement, within_rounding):
    found = check.find()
    assert (found.agreement, found.within_rounding) == (agreement, within_rounding)


def test_a_claim_names_its_cells():
    one = Claim("k", "Sec. 1", "{score_gain} of {1c/ours/AP}", ClaimKind.EFFECT, Equals("score_gain", GAIN))
    assert one.statement == "4.7 of 74.7"
    assert one.sources == ("Table 1c, Ours, AP", "Table 1c, RLE [18], AP")
    assert one.tables == ("1c",) and one.table_names == "Table 1c"
    with pytest.raises(UserError, match=r"no claim 'mine': it has [^,]*(, [^,]*){4} and \d+ more$"):
        paper_claim("mine")
    with pytest.raises(UserError, match="no claim 'gain'"):
        paper_claim("gain")
    with pytest.raises(UserError, match="no row 'owrs'"):
        Cell("1c", "owrs", "AP")


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ("", "it has no check"),
        ('unchecked = "why"\nnumber = 1', "unknown entry 'number'"),
        ('equals = { gain = "1" }', "the paper's text has no number 'gain'"),
        ('equals.score_gain = "{1c/ours/AR}"', "Table 1c has no column 'AR'"),
        ('equals.score_gain = "{1c/ours/AP} **"', "is no formula"),
        ('equals.score_gain = "abs({1c/ours/AP})"', "is no formula"),
        ('above = ["{1c/ours/AP}"]', "claim 'x' of the paper: "),
        ('within = { word = "same", differences = [] }', "'margin'"),
        ('same_backbone = { tables = ["5"], kinds = ["heatmaps"] }', "'heatmaps' is not a valid MethodKind"),
        ("unchecked = ", "claims.toml: "),
    ],
)
def test_what_is_wrong_with_a_claim_is_named(tmp_path, check, message):
    file = tmp_path / "claims.toml"
    file.write_text(f'[x]\nplace = "Sec. 1"\ntext = "It is."\nkind = "effect"\n{check}\n')
    with pytest.raises(UserError, match=re.escape(message)):
        read_claims(file)["x"].check.find()


def test_a_claim_of_no_kind_or_with_no_place_is_an_error(tmp_path):
    file = tmp_path / "claims.toml"
    for entry, message in (('kind = "effects"\nplace = ""', "'effects'"), ('kind = "effect"', "'place'")):
        file.write_text(f'[x]\ntext = "It is."\nunchecked = "why"\n{entry}\n')
        with pytest.raises(UserError, match=message):
            read_claims(file)
