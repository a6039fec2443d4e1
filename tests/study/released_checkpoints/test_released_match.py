"""Which rows a released checkpoint is of; weights are not needed for that."""

from dataclasses import replace
from pathlib import Path

import pytest

from poseur_lib.config import ExperimentConfig
from poseur_study.experiments import TABLES, tables
from poseur_study.experiments.methods import BACKBONES
from poseur_study.released_checkpoints.inventory import FLIP_FUSION, CheckpointFile
from poseur_study.released_checkpoints.row_match import match_rows, rows_of


def configuration(backbone: str, layers: int, size=(256, 192), **changes) -> ExperimentConfig:
    named = {**BACKBONES[backbone], "weights": "none"}
    asked = {"model.backbone": named, "model.head.decoder_layers": layers, "data.input_size": list(size)}
    return ExperimentConfig().with_changes(**{**asked, **FLIP_FUSION, **changes})


def file(name: str, *configs: ExperimentConfig) -> CheckpointFile:
    return CheckpointFile(Path(name), f"digest of {name}", configs)


HRFORMER = [configuration("HRFormer-B", 6, size) for size in ((256, 192), (384, 288))]


@pytest.mark.parametrize(
    ("config", "numbers"),
    [
        (
            configuration("ResNet-50", 3),
            {
                "1b",
                "1c",
                "1d",
                "1e",
                "2b",
                "S4",
                "S6",
                "figure_s1",
                "figure_s2",
                "calibration",
                "scoring",
                "noisy_proposals",
            },
        ),
        (configuration("ResNet-50", 5), {"1e", "2a", "figure_1"}),
        (configuration("ResNet-50", 6), {"1e", "5", "S1", "S2", "S3", "S5"}),
        (configuration("MobileNet-V2", 5), {"2a", "figure_1"}),
        (configuration("HRNet-W48", 6, (384, 288)), {"5", "figure_1"}),
        (HRFORMER[0], {"5", "figure_1"}),
        (configuration("ResNet-50", 6, (256, 256)), set()),
        (configuration("ResNet-50", 6, **{"data.keypoint_set": "mpii16"}), set()),
    ],
    ids=["R50 3", "R50 5", "R50 6", "MobileNet 5", "W48", "HRFormer-B", "R50 256x256", "MPII"],
)
def test_a_checkpoint_is_of_the_rows_with_its_configuration_in_the_paper(config, numbers):
    assert {row.split(":")[0] for row in rows_of(config, TABLES)} == numbers


def test_rows_that_differ_in_what_weights_cannot_tell_are_not_of_it():
    rows = rows_of(configuration("ResNet-50", 3), TABLES) + rows_of(configuration("ResNet-50", 6), TABLES)
    assert "1b: with noise" in rows and "1b: without noise" not in rows
    assert [row for row in rows if row.startswith("S1")] == ["S1: 325 epochs"]
    assert [row for row in rows if row.startswith("S3")] == ["S3: own weights"]
    assert [row for row in rows if row.startswith("S4")] == ["S4: EMSDA"]
    assert [row for row in rows if row.startswith("2b")] == ["2b: Poseur, ResNet-50"]


def test_a_row_that_names_a_fusion_keeps_it():
    (table,) = tables(["1b"])
    row = replace(table.row("with"), changes={"model.head.flip_fusion": "mean"})
    alone = replace(table, rows=(row,), claims=())
    three = configuration("ResNet-50", 3)
    assert rows_of(three, [table]) and not rows_of(three, [alone])
    assert rows_of(three.with_changes(**{"model.head.flip_fusion": "mean"}), [alone])


def test_a_file_of_two_sizes_is_of_the_rows_of_both_and_the_size_is_noted_as_unknown():
    matches, refused = match_rows((file("b.pth", *HRFORMER),), TABLES)
    assert [match.config.data.input_size for match in matches] == [(256, 192), (384, 288)]
    assert not refused and not any(match.size_known for match in matches)


def test_two_files_of_one_row_are_both_refused():
    two = (file("a.pth", *HRFORMER), file("b.pth", *HRFORMER))
    matches, refused = match_rows(two, TABLES)
    assert not matches
    assert {one.name for one in refused} == {"a.pth", "b.pth"}
    assert all("ambiguous" in one.why and "--input-size" in one.why for one in refused)


def test_a_file_of_known_size_stands_beside_one_of_unknown_size():
    files = (file("known.pth", HRFORMER[0]), file("unknown.pth", *HRFORMER))
    matches, refused = match_rows(files, TABLES)
    assert [(match.file.name, match.config.data.input_size) for match in matches] == [
        ("known.pth", (256, 192)),
        ("unknown.pth", (384, 288)),
    ]
    assert [one.name for one in refused] == ["unknown.pth"]


def test_a_file_of_no_row_is_described():
    matches, refused = match_rows((file("x.pth", configuration("ResNet-152", 2)),), TABLES)
    assert not matches
    assert refused[0].why == "no row of these tables is resnet152, 2 decoder layers, 256x192, coco17"
