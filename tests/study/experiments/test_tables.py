"""The declared tables: one factor moves, and the printed figures are those of the paper."""

from dataclasses import replace
from inspect import unwrap

import pytest
import torch

from poseur_lib.checkpoints.checkpoint import network_without_download
from poseur_lib.errors import UserError
from poseur_lib.scoring.instance import Scoring
from poseur_study.analysis.table_results import difference_words
from poseur_study.experiments import STUDIES, TABLES, tables
from poseur_study.experiments.analyses import CALIBRATION, FIGURE_S1, SCORING
from poseur_study.experiments.claim_tests import COMPARABLE
from poseur_study.experiments.experiment import COSTS, EQUIVALENCE_MARGIN, MEASURED, NAMES, SPEEDS, EffectKind
from poseur_study.experiments.paper_rows import HRFORMER_WEIGHTS, OWN_RECIPES
from poseur_study.experiments.profiles import PROFILES, profile
from poseur_study.paper.claims import paper_claim, paper_claims
from poseur_study.paper.tables import Printed, paper_tables, text_number
from poseur_study.runs.plan import plan, row_run
from poseur_study.table_study.frames import flatten

each = pytest.mark.parametrize("table", STUDIES, ids=[table.number for table in STUDIES])
of_each_size = pytest.mark.parametrize("size", PROFILES, ids=[size.name for size in PROFILES])
NUMBERS = (
    "1a", "1b", "1c", "1d", "1e", "2a", "2b", "3", "4", "5", "6", "S1", "S2", "S3", "S4", "S5", "S6", "figure_1",
    "figure_s1", "figure_s2", "calibration", "scoring", "noisy_proposals",
)  # fmt: skip
BUILT: set[str] = set()
BIG = {("real", "6"), ("paper", "5")}
"""Ten seconds each: every method, of which smaller ones are built for other tables and sizes."""
HALF_BUILT = ("1b", "6", "S1", "calibration", "budget")
"""Of profiles `midi` and `real`: what stands for ResNet-50, and every method at the largest input."""


def declared(table):
    """The rows that say what they are, whether they can be run or not."""
    return [row for row in table.rows if row.changes or not row.not_run]


def test_the_tables_are_all_of_the_paper_s_and_those_with_names_of_their_own():
    assert tuple(table.number for table in TABLES) == NUMBERS
    assert set(paper_tables()) == set(NUMBERS) - set(NAMES)
    assert [table.number for table in STUDIES if table not in TABLES] == ["budget"] and tables() == TABLES


@each
@of_each_size
def test_rows_differ_in_the_declared_factor_only(table, size):
    rows = declared(table)
    configs = [size.experiment(0, size.of_table(table.number, table.changes(row))) for row in rows]
    flat = [flatten(config.model_dump(mode="json")) for config in configs]
    for path in {path for one in flat for path in one}:
        if len({str(one.get(path)) for one in flat}) > 1:
            assert path.startswith(table.varies), path
    alike: dict[tuple, list[str]] = {}
    for one, row in zip(flat, rows, strict=True):
        alike.setdefault((str(one), row.scoring), []).append(row.key)
    assert not [keys for keys in alike.values() if len(keys) > 1], "rows that are one run scored alike"


@pytest.mark.parametrize(
    ("table", "size"),
    [
        pytest.param(
            table,
            size,
            id=f"{size.name}-{table.number}",
            marks=[pytest.mark.slow] if (size.name, table.number) in BIG else [],
        )
        for size in PROFILES
        for table in STUDIES
    ],
)
def test_every_row_builds_a_model(table, size):
    if size.name in ("midi", "real") and table.number not in HALF_BUILT:
        pytest.skip("its rows are those of another profile at another size")
    for row in declared(table):
        config = size.experiment(0, size.of_table(table.number, table.changes(row)))
        untrained = config.model.with_changes(**{"backbone.weights": "none"})
        network = config.data.model_dump_json() + untrained.model_dump_json()
        if network in BUILT:
            continue
        BUILT.add(network)
        with torch.device("meta"):
            model = network_without_download(config).eval()
            if size.scaling is not None and config.data.whole_image is None:
                model(torch.empty(1, 3, *config.data.input_size))


@each
def test_every_printed_cell_is_shown_and_ours_has_a_way_or_a_reason(table):
    if table.number in paper_tables():
        paper = paper_tables()[table.number]
        assert {row.key for row in paper.rows} <= {row.paper[1] for row in table.rows if row.paper}
        assert set(paper.numbers) <= set(table.columns)
        assert len(table.factor) == len(table.rows[0].ticks)
        for row in table.rows:
            if row.paper and row.paper[0] == table.number:
                assert all(row.printed(column) is not None for column in paper.numbers)
    assert set(table.columns) <= {*MEASURED, *COSTS, *SPEEDS}


@each
def test_each_table_says_what_it_assumes_and_why(table):
    assert table.base_reason and table.open_questions and table.question.endswith("?")
    assert table.alternatives or not table.runnable
    assert len(set(table.varies)) == len(table.varies)


@each
def test_claims_are_the_paper_s_and_agree_with_its_rows_or_the_difference_is_an_open_question(table):
    keys = [claim.key for claim in table.claims]
    assert keys and len(set(keys)) == len(keys)
    for claim in table.claims:
        assert (claim.of in paper_claims() or claim.own) and (claim.measured or claim.margin in (0.3, 0.6))
        printed = [table.row(key).printed(claim.metric) for key in claim.rows]
        if claim.paper_effect is None or not all(isinstance(cell, Printed) for cell in printed):
            assert claim.kind != EffectKind.MAGNITUDE or table.number == "S6"
            continue
        weights = [claim.weights[key] for key in claim.rows]
        of_rows = sum(weight * float(cell.digits) for weight, cell in zip(weights, printed, strict=True))
        if of_rows != pytest.approx(claim.paper_effect):
            assert any(f"{of_rows:.1f}" in question for question in table.open_questions), claim.key


def test_rows_of_hrformer_are_unlike_the_paper_s_and_figures_of_other_methods_have_no_level():
    for table in STUDIES:
        for row in table.rows:
            of_hrformer = "model.backbone" in row.changes and row.changes["model.backbone"]["kind"] == "hrformer"
            assert row.unlike_paper == (HRFORMER_WEIGHTS if of_hrformer else ""), row.key
            assert bool(row.without_level) == (of_hrformer or "Poseur" not in row.method)
    (five,), keys = tables(["5"]), {"over-simba", "over-rle", "over-udp-val"}
    magnitudes = {one.of: one for one in five.claims if one.kind == EffectKind.MAGNITUDE}
    assert set(magnitudes) == keys and {one.caveat for one in magnitudes.values()} == {OWN_RECIPES}
    assert {one.of: five.unlike_paper(one) for one in magnitudes.values()} == {
        **dict.fromkeys(keys, ""), "over-udp-val": HRFORMER_WEIGHTS,
    }  # fmt: skip


def test_as_good_as_has_the_better_side_that_its_words_have():
    sides = {f"{table.number}: {one.of}": one.better_side for table in STUDIES for one in table.claims
             if one.kind == EffectKind.EQUIVALENCE}  # fmt: skip
    assert {of: side for of, side in sides.items() if side} == {
        "1c: laplace-comparable": 1, "2a: mobilenet-comparable": 1, "S1: shorter-is-slightly-lower": -1,
        "S4: emsda-as-good": 1, "scoring: laplace-comparable": -1,
    }  # fmt: skip


def test_a_margin_is_what_its_words_say():
    """Of a gain in Sec. 4.2 that is a component's; S4's is the study's own."""
    components = ("coarse_gain", "noise_gain", "score_over_rle", "score_gain_again")
    assert min(text_number(one).value for one in components) == COMPARABLE == 0.6
    levels = [text_number(f"{one}_levels").value for one in ("two", "three")]
    assert 0 < levels[1] - levels[0] < COMPARABLE, "a feature level is no component by these words"
    (emsda,) = tables(["S4"])[0].claims
    assert emsda.margin == EQUIVALENCE_MARGIN < COMPARABLE


def test_a_claim_on_this_study_s_own_modifications_does_not_carry_the_paper_s_sentence():
    for claim in SCORING.claims:
        assert claim.text.startswith("This study's own: ") and "after its runs" in claim.source
        assert claim.text != paper_claim(claim.of).statement
    (paper,) = CALIBRATION.claims
    assert paper.text == paper_claim(paper.of).statement


def test_a_measure_that_heatmaps_cannot_win_says_so():
    (claim,) = FIGURE_S1.claims
    assert "0 for heatmaps by construction" in claim.measured and "near enough" in claim.measured


def test_a_difference_of_differences_is_said_in_words():
    (table,) = tables(["2a"])
    (claim,) = [one for one in table.claims if one.beyond and one.better == "poseur_resnet50"]
    assert difference_words(table, claim) == (
        "AP: Poseur, ResNet-50 minus SimpleBaseline, ResNet-50, beyond Poseur, HRNet-W32 minus HRNet, HRNet-W32"
    )


def test_the_schedules_of_supp_table_1_keep_their_steps_at_the_same_fractions():
    (table,) = tables(["S1"])
    for row in table.rows:
        train = profile("paper").experiment(0, table.changes(row)).train
        assert str(train.epochs) == row.ticks[0]
        for step, of_whole in zip(train.schedule.milestones, (255, 310), strict=True):
            assert abs(step / train.epochs - of_whole / 325) <= 0.5 / train.epochs
    whole = profile("paper").experiment(0, table.changes(table.row("epochs_325"))).train
    assert whole == profile("paper").config.train


def test_tables_share_the_runs_that_are_the_same_model():
    def run(number, key):
        (table,) = tables([number])
        return row_run(profile("paper"), table, table.row(key), 0, "data", {}).run_id

    default = run("1b", "with")
    assert default == run("1c", "flow") == run("1d", "levels_4") == run("1e", "layers_3") == run("S4", "emsda")
    assert default == run("2b", "poseur_256") == run("S6", "poseur")
    assert default == run("figure_s2", "with") == run("calibration", "poseur") == run("noisy_proposals", "with")
    assert run("1b", "without") == run("1a", "ours") == run("noisy_proposals", "without")
    assert run("calibration", "simba") == run("2a", "simba_resnet50")
    assert all(run("scoring", key) == run("calibration", key) for key in ("poseur", "rle", "simba"))
    assert run("1e", "layers_5") == run("2a", "poseur_resnet50") == run("figure_1", "2a/poseur_resnet50")
    six = run("1e", "layers_6")
    assert six == run("5", "poseur_resnet50") == run("S1", "epochs_325") == run("S2", "with") == run("S3", "own")
    assert six == run("S5", "poseur_resnet50")
    assert run("5", "rle_hrnet_w32") == run("S5", "rle_hrnet_w32")


def test_a_table_lists_the_stand_ins_that_touch_its_rows():
    small = profile("smoke")

    def words(number):
        (table,) = tables([number])
        return " ".join(small.deviations_of(number, [table.changes(row) for row in table.runnable]))

    assert "Decoder layers: as many" in words("1e") and "Decoder layers: as many" not in words("1b")
    assert "MobileNet-V2: one" in words("2a") and "MobileNet-V2: one" not in words("2b")
    assert "PRTR: width" in words("5") and "Epochs (supp. Table 1)" in words("S1")
    whole = profile("mini").deviations_of("3", [tables(["3"])[0].changes(row) for row in tables(["3"])[0].runnable])
    assert "1,536 images in each of the profile's epochs" in " ".join(whole)
    assert not any("25,888" in line or "supp. Table 1" in line for line in whole)
    assert "from random weights" in words("1a") and "This table: 1 epoch" not in words("1b")


def test_a_run_that_two_tables_need_is_planned_once_and_after_its_parent():
    runs = plan(profile("mini"), tables(["1b", "1c"]), (0, 1, 2), "data", {})
    assert len(runs) == 1 + 2 * 3
    assert [run.config.kind for run in runs] == ["pretext"] + ["experiment"] * 6
    (table,) = tables(["1b"])
    shared = row_run(profile("mini"), table, table.row("with"), 1, "data", {})
    (planned,) = [run for run in runs if run.run_id == shared.run_id]
    labels = ("none", "RLE", "Laplace", "flow's density")
    assert set(planned.rows) == {"1b: with noise, seed 1", *(f"1c: {label}, seed 1" for label in labels)}


def test_the_paper_profile_is_the_paper_s_recipe():
    config = profile("paper").config
    assert config.model.backbone.depth == 50 and config.model.backbone.weights == "imagenet"
    assert config.data.input_size == (256, 192)
    assert config.model.head.embed_dims == 256 and config.model.head.decoder_layers == 3
    assert (config.train.epochs, config.train.global_batch, config.train.schedule.milestones) == (325, 256, (255, 310))


def test_an_unknown_table_or_profile_is_named_with_the_nearest():
    with pytest.raises(UserError, match="unknown profile 'smok': did you mean 'smoke'"):
        profile("smok")
    with pytest.raises(UserError, match="unknown table '1B': did you mean '1b'"):
        tables(["1B"])
    with pytest.raises(UserError, match="table 1: give its number as a string"):
        unwrap(tables)([1])  # the tests check types themselves


def test_a_row_is_found_by_its_key_or_its_label_and_else_named():
    (table,) = tables(["1b"])
    assert table.row("with") == table.row("with noise") == table.rows[1]
    with pytest.raises(UserError, match="unknown row of Table 1b 'with nose': did you mean 'with noise'"):
        table.row("with nose")


def test_a_claim_between_rows_that_are_one_run_scored_alike_is_refused():
    (table,) = tables(["1b"])
    again = replace(table.row("with"), key="again", label="again")
    claim = replace(table.claims[0], key="mine", than="again")
    with pytest.raises(ValueError, match="table 1b: claim mine: rows 'with' and 'again' are one run scored alike"):
        replace(table, rows=(*table.rows, again), claims=(claim,))
    rescored = replace(again, scoring=Scoring.BOX)
    assert replace(table, rows=(*table.rows, rescored), claims=(claim,)).claims == (claim,)


@pytest.mark.parametrize(
    ("number", "path", "value", "words"),
    [
        ("1b", "model.head.noise", None, "model.head.noise cannot be overridden: row"),
        ("1b", "model.head.noise.kind", "none", "model.head.noise.kind cannot be overridden: row"),
        ("1b", "model.head", {"kind": "poseur"}, "model.head cannot be overridden: row"),
        ("S1", "train.people_per_epoch", 500, "train.people_per_epoch cannot be overridden: row"),
        ("1b", "seed", 1, "choose the seed itself"),
        ("1b", "evaluation.split", "train", "evaluation.split cannot be overridden"),
        ("1b", "evaluation", {"split": "train"}, "evaluation.split cannot be overridden"),
        ("1b", "data.keypoint_set", "mpii16", "data.keypoint_set cannot be overridden .* have coco17"),
        ("1b", "data", {"keypoint_set": "mpii16"}, "data.keypoint_set cannot be overridden .* have coco17"),
    ],
)
def test_an_override_that_a_table_would_not_follow_is_refused(number, path, value, words):
    with pytest.raises(UserError, match=words):
        plan(profile("mini"), tables([number]), (0,), "f" * 16, {path: value})


def test_what_a_profile_drops_of_a_row_can_be_overridden():
    runs = plan(profile("mini"), tables(["3"]), (0,), "f" * 16, {"train.epochs": 1})
    assert {run.config.train.epochs for run in runs if run.config.kind == "experiment"} == {1}


def test_table_3_trains_as_long_as_sec_4_3_says():
    (table,) = tables(["3"])
    config = profile("paper").experiment(0, table.changes(table.row("poseur_resnet101")))
    iterations = config.train.epochs * config.train.people_per_epoch // config.train.global_batch
    assert (iterations, config.train.global_batch, config.data.input_size) == (180_000, 32, (1024, 1024))
    assert config.data.whole_image.scale_jitter == (0.1, 2.0) and config.model.head.queries_per_image == 600
    assert [row.key for row in table.rows if row.not_run] == ["prtr_hrnet_w48", "pointset_hrnet_w48"]
    heads = {row.key: table.changes(row)["model.head"]["keypoints"]["kind"] for row in table.runnable}
    assert set(heads.values()) == {"region_heatmap", "regression", "poseur"}


@of_each_size
def test_the_rows_of_table_3_differ_in_their_keypoint_head_alone_on_one_backbone(size):
    (table,) = tables(["3"])
    keys = ("mask_rcnn_resnet101", "mask_rcnn_rle_resnet101", "poseur_resnet101")
    configs = [size.experiment(0, size.of_table("3", table.changes(table.row(key)))) for key in keys]
    flat = [flatten(config.model_dump(mode="json")) for config in configs]
    differing = {path for one in flat for path in one if len({str(other.get(path)) for other in flat}) > 1}
    other = {path for path in differing if not path.startswith("model.head.keypoints")}
    assert other == {"evaluation.instance_score", "train.supervise_outside_crop"}
