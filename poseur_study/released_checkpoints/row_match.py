"""Which rows of the tables a released checkpoint is of: those whose configuration in the paper is its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from poseur_lib.config import ExperimentConfig, PoseurConfig
from poseur_study.experiments.experiment import Row, Table
from poseur_study.experiments.profiles import profile
from poseur_study.released_checkpoints.inventory import FLIP_FUSION, CheckpointFile, Refused

UNKNOWN_SIZE = "the file does not tell its input size, it may be of another: no claim rests on it"

PAPER = "paper"


@dataclass(frozen=True)
class Match:
    """A checkpoint at an input size, and the rows that it is of, such as "2a: Poseur, ResNet-50".

    Attributes:
        size_known: False if the file may have been trained at another size: then no claim rests on it.
    """

    file: CheckpointFile
    config: ExperimentConfig
    rows: tuple[str, ...]
    size_known: bool

    @property
    def tables(self) -> tuple[str, ...]:
        """Numbers of the tables that these rows are of, each once."""
        return tuple(dict.fromkeys(row.partition(":")[0] for row in self.rows))


def paper_config(table: Table, row: Row) -> ExperimentConfig:
    """A row of Poseur as the paper has it, whatever the profile; judged as the authors do where it names no fusion."""
    return profile(PAPER).experiment(0, FLIP_FUSION, table.changes(row))


def is_of(checkpoint: ExperimentConfig, row: ExperimentConfig) -> bool:
    """True if a checkpoint's configuration is a row's.

    All of data and model must agree, knobs that the weights cannot tell being the released code's; so must the length
    of training, which keypoints it supervised, and the flip test. What the backbone started from need not, nor the rule
    for the score of a person, which is applied to the stored predictions as the row has it.
    """
    return isinstance(row.model.head, PoseurConfig) and _identity(checkpoint) == _identity(row)


def can_be_evaluated(table: Table, row: Row) -> bool:
    """True if a row is Poseur's on COCO val, on which all checkpoints are judged: of COCO test-dev and MPII none is."""
    return row.method == "Poseur" and not row.not_run and not table.keypoints


def rows_of(checkpoint: ExperimentConfig, tables: Iterable[Table]) -> tuple[str, ...]:
    """The rows that a checkpoint is of."""
    return tuple(
        f"{table.number}: {row.label}"
        for table in tables
        for row in table.rows
        if can_be_evaluated(table, row) and is_of(checkpoint, paper_config(table, row))
    )


def match_rows(
    files: Sequence[CheckpointFile], tables: Sequence[Table]
) -> tuple[tuple[Match, ...], tuple[Refused, ...]]:
    """What is to be evaluated for these tables, and what is not used: of no row, or one of several for the same row."""
    matches, refused = [], []
    for file in files:
        of_file = [
            Match(file, config, rows, file.size_known) for config in file.configs if (rows := rows_of(config, tables))
        ]
        matches += of_file
        if not of_file:
            refused.append(Refused(file.name, f"no row of these tables is {described(file.configs)}"))
    rivals = [[one.file.name for one in matches if rivalled(match, one)] for match in matches]
    pairs = list(zip(matches, rivals, strict=True))
    refused += [Refused(match.file.name, _ambiguity(match, names)) for match, names in pairs if names]
    return tuple(match for match, names in pairs if not names), tuple(refused)


def rivalled(match: Match, other: Match) -> bool:
    """True if `other` is another file of the same rows, and not one that only may be, where `match` is known to be."""
    rivals = other.file.sha256 != match.file.sha256 and other.config == match.config
    return rivals and (other.size_known or not match.size_known)


def described(configs: Sequence[ExperimentConfig]) -> str:
    """A checkpoint in words: `resnet50, 6 decoder layers, 256x192, coco17`."""
    model, data = configs[0].model, configs[0].data
    sizes = " or ".join("{}x{}".format(*config.data.input_size) for config in configs)
    levels = "" if len(model.head.feature_levels) == 4 else f", levels {' '.join(model.head.feature_levels)}"
    return f"{model.backbone.name}, {model.head.decoder_layers} decoder layers{levels}, {sizes}, {data.keypoint_set}"


def _identity(config: ExperimentConfig) -> dict[str, Any]:
    return {
        "data": config.data.model_dump(mode="json"),
        "backbone": config.model.backbone.with_changes(weights="none").model_dump(mode="json"),
        "head": config.model.head.model_dump(mode="json"),
        "length": (config.train.epochs, config.train.people_per_epoch),
        "supervise_outside_crop": config.train.supervise_outside_crop,
        "flip_test": config.evaluation.flip_test,
    }


def _ambiguity(match: Match, rivals: Sequence[str]) -> str:
    text = f"ambiguous: {', '.join(rivals)} too is {described([match.config])} (row {'; '.join(match.rows)})"
    if match.size_known:
        return f"{text}: leave one of them in the folder"
    return f"{text}: say the input size, --input-size {match.file.name}=HxW"
