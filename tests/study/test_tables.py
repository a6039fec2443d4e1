"""The declared tables: one factor moves, and the printed figures are those of the paper."""

import pytest

from poseur_lib.errors import UserError
from poseur_lib.figures.tables import flatten
from poseur_lib.study.plan import plan, row_run
from poseur_lib.study.profiles import PROFILES, profile
from poseur_lib.study.tables import TABLES, tables

each = pytest.mark.parametrize("table", TABLES, ids=[table.number for table in TABLES])


@each
@pytest.mark.parametrize("size", PROFILES, ids=[size.name for size in PROFILES])
def test_rows_differ_in_the_declared_factor_only(table, size):
    flat = [flatten(size.experiment(0, table.changes(row)).model_dump(mode="json")) for row in table.rows]
    for path in {path for one in flat for path in one}:
        if len({str(one.get(path)) for one in flat}) > 1:
            assert path.startswith(table.varies), path
    scorings = [row.scoring for row in table.rows]
    assert len({str(one) for one in flat}) == len(flat) or len(set(scorings)) == len(scorings)


@each
def test_claims_agree_with_the_rows_or_the_difference_is_an_open_question(table):
    for claim in table.claims:
        if claim.paper_effect is None or claim.metric != "AP":
            continue
        of_rows = table.row(claim.better).printed("AP").value - table.row(claim.than).printed("AP").value
        if round(of_rows, 1) != claim.paper_effect:
            assert any(f"{of_rows:.1f}" in question for question in table.open_questions)


def test_a_run_that_two_tables_need_is_planned_once_and_after_its_parent():
    runs = plan(profile("mini"), TABLES, (0, 1, 2), "data", {})
    assert len(runs) == 1 + 2 * 3
    assert [run.config.kind for run in runs] == ["pretext"] + ["experiment"] * 6
    shared = row_run(profile("mini"), TABLES[0], TABLES[0].row("with"), 1, "data", {})
    (planned,) = [run for run in runs if run.run_id == shared.run_id]
    assert set(planned.rows) == {"1b: with noise, seed 1", *(f"1c: {r}, seed 1" for r in ("none", "RLE", "Laplace"))}


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


@pytest.mark.parametrize("path", ["model.head.noise", "model.head.noise.kind", "seed", "evaluation.split"])
def test_an_override_that_a_table_would_not_follow_is_refused(path):
    with pytest.raises(UserError, match=f"{path} cannot be overridden"):
        plan(profile("smoke"), TABLES[:1], (0,), "f" * 16, {path: "train"})
