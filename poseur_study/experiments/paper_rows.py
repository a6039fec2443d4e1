"""Rows of the tables, made of the paper's rows: a method's configuration, or a value of a table's one factor."""

import re
from collections.abc import Mapping
from typing import Any

from poseur_lib.config.training import TrainConfig
from poseur_study.experiments.end_to_end import end_to_end_changes
from poseur_study.experiments.experiment import Changes, Row, Table
from poseur_study.experiments.methods import method_changes
from poseur_study.paper.subject import Subject
from poseur_study.paper.tables import paper_tables, text_number

USUAL_SIZE, END_TO_END = "256 × 192", "end to end"
HRFORMER_B_BATCH = 128
"""Sec. 4.1: for want of GPU memory."""

METHOD_KNOBS = (
    "model.",
    "data.input_size",
    "evaluation.instance_score",
    "train.augment.photometric",
    "train.augment.cutout",
    "train.global_batch",
)
"""What rows of different methods may differ in: the model, its crop, its score of a person; for the largest backbones
augmentation and batch (Sec. 4.1)."""

METHODS_ALIGNED = (
    "Every method is trained by the recipe of Sec. 4.1 (AdamW, 325 epochs, batch 256, the same augmentation; Poseur "
    "with HRNet-W48 and HRFormer-B also with photometric distortion and cutout, HRFormer-B with a batch of 128), with "
    "its own head, target, loss, crop rule and score of a person."
)
OWN_RECIPES = (
    "The other methods' printed numbers come from their own papers and recipes (210 to 300 epochs, Adam); here all are "
    "trained alike, so that our rows may differ from the printed ones for that reason alone."
)
HRFORMER_WEIGHTS = (
    "No package distributes ImageNet weights of HRFormer, and TokenPose-S starts from none: here HRFormer's rows start "
    "from random weights, without stochastic depth and by the text's rate and decay, unlike the paper's. Trained on "
    "COCO, they decide none of its figures and claims."
)


def factor_row(table: str, key: str, label: str, changes: Changes) -> Row:
    """A row of the paper as what it changes in the base of its table."""
    ticks = tuple(paper_tables()[table].row(key).words.values())
    return Row(key=key, label=label, ticks=ticks, changes=changes, paper=(table, key))


def ablation(number: str, path: str, values: Mapping[str, tuple[str, Any]], **declared: Any) -> Table:
    """A table of the paper whose rows differ in one setting: by row key, a label and the setting's value."""
    rows = tuple(factor_row(number, key, label, {path: value}) for key, (label, value) in values.items())
    return Table(
        **{"number": number, "factor": paper_tables()[number].words, "varies": (path,), "rows": rows, **declared}
    )


def method_row(table: str, key: str, *, layers: int | None = None, not_run: str = "", size: str = USUAL_SIZE) -> Row:
    """A row of the paper as a configuration of its method; a row of an end-to-end method has none.

    Args:
        layers: Poseur's decoder layers, where the table does not say.
        size: of the input, likewise.
        not_run: why it cannot be run.
    """
    paper = paper_tables()[table].row(key)
    return Row(
        key=key,
        label=short_label(paper.subject),
        ticks=tuple(word or "—" for word in paper.words.values()),
        changes=_changes(paper.subject, layers, size),
        paper=(table, key),
        method=paper.subject.method,
        not_run=not_run,
        unlike_paper=HRFORMER_WEIGHTS if paper.subject.backbone.startswith("HRFormer") else "",
    )


def _changes(subject: Subject, layers: int | None, size: str) -> Changes:
    if subject.setting == END_TO_END:
        return end_to_end_changes(subject.method, subject.backbone, bool(subject.marks))
    return subject_changes(subject, layers, size)


def comparison(number: str, *, not_run: str | Mapping[str, str] = "", size: str = USUAL_SIZE, **declared: Any) -> Table:
    """A table of the paper that compares methods, with all of its rows.

    Args:
        not_run: why its rows cannot be run; of some, by method.
        size: of the input, where the table does not say.
    """
    paper = paper_tables()[number]
    of_method = {row.subject.method: not_run for row in paper.rows} if isinstance(not_run, str) else not_run
    rows = tuple(
        method_row(number, row.key, not_run=of_method.get(row.subject.method, ""), size=size) for row in paper.rows
    )
    return Table(
        **{"number": number, "factor": paper.words, "varies": METHOD_KNOBS, "rows": rows, "deltas": False, **declared}
    )


def short_label(subject: Subject) -> str:
    """`Poseur, HRNet-W48, 384 × 288`; the usual size is left out."""
    size = "" if subject.input in (None, USUAL_SIZE) else subject.input
    return ", ".join(part for part in (subject.method + subject.marks, subject.backbone, size) if part)


def subject_changes(subject: Subject, layers: int | None = None, size: str = USUAL_SIZE) -> Changes:
    """A subject as changes to the default configuration; a number of layers that is the default's is left out.

    Args:
        layers, size: where the subject does not say.
    """
    height, width = (int(side) for side in re.findall(r"\d+", subject.input or size))
    changes = method_changes(subject.method, subject.backbone, (height, width))
    layers = layers or subject.layers
    if subject.method == "Poseur" and layers not in (None, text_number("default_layers").digits):
        changes["model.head.decoder_layers"] = layers
    if subject.backbone == "HRFormer-B":
        changes["train.global_batch"] = HRFORMER_B_BATCH
    return changes


def steps_at_the_same_fractions(epochs: int) -> Changes:
    """A shorter schedule whose steps sit where those of the paper's 325 epochs do, rounded to whole epochs."""
    whole = TrainConfig()
    milestones = [round(one * epochs / whole.epochs) for one in whole.schedule.milestones]
    return {"train.epochs": epochs, "train.schedule": {"kind": "step", "milestones": milestones}}
