"""Supplementary Figure 1: keypoints outside the crop of a person who is cut off."""

from dataclasses import replace

from poseur_lib.config.data import AugmentConfig
from poseur_study.experiments.claims import stated
from poseur_study.experiments.experiment import ClaimKind, Row, Table
from poseur_study.experiments.methods import method_changes
from poseur_study.experiments.table_3 import NOT_RUN

KNOB = "train.supervise_outside_crop"
AS_RELEASED, SUPERVISED, HEATMAP = "as_released", "supervised", "heatmap"
END_TO_END, END_TO_END_HEATMAP = "end_to_end", "mask_rcnn"
BACKBONE = "ResNet-50"
_AUGMENT = AugmentConfig()


def _row(key: str, label: str, method: str, ticks: tuple[str, str], *, supervised: bool = False) -> Row:
    changes = method_changes(method, BACKBONE) | ({KNOB: True} if supervised else {})
    return Row(key=key, label=label, ticks=(method, *ticks), changes=changes, method=method)


def _end_to_end(key: str, method: str) -> Row:
    return Row(key=key, label=method, ticks=(method, "whole image", "—"), method=method, not_run=NOT_RUN)


FIGURE_S1 = Table(
    number="figure_s1",
    title="Truncated people",
    notebook="figure_s1_truncation.ipynb",
    question="Does Poseur find the keypoints outside the crop of a person who is cut off, where heatmaps cannot?",
    factor=("Method", "sees", "trained on keypoints"),
    varies=("model.head", "evaluation.instance_score", KNOB),
    rows=(
        _row(AS_RELEASED, "Poseur, as released", "Poseur", ("the crop", "inside the crop")),
        _row(SUPERVISED, "Poseur, supervised outside", "Poseur", ("the crop", "all labelled"), supervised=True),
        _row(HEATMAP, "SimpleBaseline", "SimpleBaseline", ("the crop", "inside the crop")),
        _end_to_end(END_TO_END, "Mask R-CNN + Poseur"),
        _end_to_end(END_TO_END_HEATMAP, "Mask R-CNN"),
    ),
    claims=(
        replace(
            stated("truncation", ClaimKind.DIRECTION, END_TO_END, END_TO_END_HEATMAP),
            measured="correct keypoints outside the box: Mask R-CNN + Poseur minus Mask R-CNN, points",
        ),
    ),
    base={
        "train.augment.half_body_probability": _AUGMENT.half_body_probability,
        "train.augment.scale_factor": _AUGMENT.scale_factor,
    },
    base_reason=(
        "The default model of Sec. 4.1 with noise and 3 decoder layers, and SimpleBaseline on the same backbone. In "
        "every profile the size of training crops varies as the released code has it, half bodies included: the small "
        "profiles would otherwise leave hardly a keypoint outside the crop, and the knob nothing to act on."
    ),
    alternatives=(
        "Crops that the training image ends in, as the measured ones do: nearer to the measurement, but such keypoints "
        "have no label in COCO, and neither paper nor released code has them.",
    ),
    open_questions=(
        "The paper shows single images of an end-to-end model, whose queries see the whole image; its claim is not "
        "decided here. The rows ask what a top-down model does, which sees its crop alone.",
        "As released, Poseur can place a keypoint outside the crop, by the second output branch, and is never trained "
        "to.",
        "A cut person is no photograph of a truncated one: the image turns black beyond the cut, as it does beyond the "
        "border of any image, while people who stand at a border are framed on purpose.",
    ),
    deltas=False,
)
