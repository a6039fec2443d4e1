"""What profiles change of the paper's experiment, in words, and which of these words hold for a table or study."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from poseur_lib.config import ExperimentConfig

LIGHT_EPOCHS, LIGHT_PEOPLE = 1, 480
LIGHT_PEOPLE_PER_UNIT = 64
LIGHT_DEVIATION = (
    f"This table: {LIGHT_EPOCHS} epoch of {LIGHT_PEOPLE} people from random weights (supp. "
    f"Table 1: {LIGHT_PEOPLE_PER_UNIT} people for each 25 epochs of the paper's), evaluated without flip test."
)

GENERATED_DATA = "Data: generated people instead of COCO (paper: COCO train2017, about 150,000 people)."
SIMULATED_BOXES = "Boxes: those of a simulated detector (jitter, misses, duplicates, false positives)."
HALF_A_PIXEL = (
    "Labels: half a pixel to the right and below the pixels where crops are cut out, half a pixel to the left where "
    "they are mirrored. Poses half a pixel further to the right, as other labels would give, lower the recall in "
    "ground-truth boxes by 0.6 to 0.8 (Poseur, three trainings) and 0.5 (heatmaps): the flip test moves them to the "
    "right already."
)
NARROW_DEVIATIONS: Mapping[str, tuple[str, ...]] = {
    GENERATED_DATA: (),
    "Input 64 x 48 instead of 256 x 192.": ("data.input_size",),
    "Backbone: one residual block a stage of widths 24, 48, 96, 192 instead of ResNet-50.": ("model.backbone",),
    "Backbone weights: pretrained here on part segmentation of generated people instead of ImageNet; one run is shared "
    "by all rows.": ("model.backbone", "pretext"),
    "Head: embedding 64 (paper 256), 4 heads (8), 2 points a level (4), 2 decoder layers (3), FFN 128 (1,024), flows "
    "of width 32 (64), no dropout (0.1).": ("model.head",),
    "Noisy reference points: one noisy group of queries (as the released whole-body models have) instead of three.": (
        "model.head.noise",
    ),
    "Augmentation: no half bodies, scale within 15 % standard deviation (paper 50 %), as the schedule is short.": (
        "train.augment.half_body_probability", "train.augment.scale_factor",
    ),
    "Rotation: within 15 degrees standard deviation (40), as the schedule is short.": (
        "train.augment.rotation_degrees",
    ),
    "Schedule: cosine from 2e-3 with 50 warm-up steps and batch 32 instead of steps from 1e-3 and batch 256.": (
        "train.schedule", "train.learning_rate", "train.warmup_steps", "train.global_batch",
    ),
    SIMULATED_BOXES: (),
}  # fmt: skip
"""What both small profiles change, in words, and the settings that the words speak of."""

SMOKE_TRAINING = (
    "Training: about a CPU minute a run in Tables 1b and 1c, Supp. Fig. 2 and Noisy proposals, some seconds from "
    "random weights in the others; one seed. No evidence of anything."
)
MINI_TRAINING = "Training: 3 epochs of 25,888 people (Supp. Table 1: of its rows' lengths) instead of 325 of 149,813."
TRAINING = ("train.epochs", "train.people_per_epoch", "pretext")

REAL_DEVIATIONS: Mapping[str, tuple[str, ...]] = {
    "Data: Leeds Sports Pose Extended, 8,000 real people with 14 keypoints, instead of COCO (149,813 people, 17). "
    "Boxes are the extent of the labelled keypoints and a constant margin, without noise, in both splits: a head that "
    "regresses can read one coordinate of the extreme keypoints from the crop alone. Areas are made of boxes, and "
    "there are no detector's boxes.": (),
    "Input 128 x 96 instead of 256 x 192.": ("data.input_size",),
    "Backbone: EfficientNet-Lite0 with ImageNet weights instead of ResNet-50 with ImageNet weights.": (
        "model.backbone",
    ),
    "Schedule: cosine from 5e-4 with 50 warm-up steps and batch 64 instead of steps from 1e-3 and batch 256.": (
        "train.schedule", "train.learning_rate", "train.warmup_steps", "train.global_batch",
    ),
    "Training: 64 epochs of 8,000 people (Supp. Table 1, Budget: of their rows' lengths) instead of 325 of 149,813.": (
        TRAINING
    ),
}  # fmt: skip
"""What profile `real` changes; head, noise and augmentation are the paper's."""

MIDI_TRAINING = "Training: 30 epochs of 25,888 people (Supp. Table 1: of its rows' lengths) instead of 325 of 149,813."
MIDI_DEVIATIONS: Mapping[str, tuple[str, ...]] = {
    GENERATED_DATA: (),
    "Input 128 x 96 instead of 256 x 192.": ("data.input_size",),
    "Backbone: one residual block a stage of widths 48, 96, 192, 384 instead of ResNet-50.": ("model.backbone",),
    "Backbone weights: pretrained here on part segmentation of generated people instead of ImageNet, anew for each "
    "seed.": ("model.backbone", "pretext"),
    "Head: embedding 128 (paper 256), FFN 512 (1,024).": ("model.head",),
    "Schedule: cosine from 1e-3 with 100 warm-up steps and batch 64 instead of steps from 1e-3 and batch 256.": (
        "train.schedule", "train.warmup_steps", "train.global_batch",
    ),
    SIMULATED_BOXES: (),
    MIDI_TRAINING: TRAINING,
}  # fmt: skip
"""What profile `midi` changes; noise, augmentation, points and layers are the paper's."""

SETTINGS_SPOKEN_OF = {
    **NARROW_DEVIATIONS,
    SMOKE_TRAINING: TRAINING,
    MINI_TRAINING: TRAINING,
    **MIDI_DEVIATIONS,
    **REAL_DEVIATIONS,
}


def still_true(deviations: Iterable[str], overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """The deviations that speak of nothing that was overridden."""
    return tuple(
        line
        for line in deviations
        if not any(one_within_other(path, own) for path in overrides for own in SETTINGS_SPOKEN_OF.get(line, ()))
    )


def on_other_people(deviations: Iterable[str], data_name: str) -> tuple[str, ...]:
    """The deviations of a profile of generated people where a folder of other people was given instead."""
    instead = {
        GENERATED_DATA: f"Data: people of {data_name} instead of COCO (paper: COCO train2017, about 150,000 people).",
        **{line: line.replace(" of 25,888 people", "") for line in (MINI_TRAINING, MIDI_TRAINING)},
        SIMULATED_BOXES: "",
        HALF_A_PIXEL: "",
    }
    return tuple(filter(None, (instead.get(line, line) for line in deviations)))


def without_restored(deviations: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The deviations but those whose every setting all of a table's rows set to the default, which is the paper's."""
    default = ExperimentConfig().model_dump(mode="json")
    restored = {
        path
        for path, value in (rows[0].items() if rows else ())
        if all(path in row and _same(row[path], value) for row in rows) and _same(_at(default, path), value)
    }
    spoken_of = {line: set(SETTINGS_SPOKEN_OF.get(line, ())) for line in deviations}
    return tuple(line for line, spoken in spoken_of.items() if not spoken or spoken - restored)


def override_lines(overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """What was overridden, in words."""
    return tuple(f"Changed for this study: {path} = {value}." for path, value in overrides.items())


def one_within_other(a: str, b: str) -> bool:
    """True if two dotted paths are one setting, or one is a node that the other is in."""
    return a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.")


def _at(tree: Any, path: str) -> Any:
    for name in path.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _same(value: Any, other: Any) -> bool:
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)
