"""The sizes that the study comes in: every number that makes a profile smaller than the paper is here.

What a size changes is said in words, as deviations from the paper; where a study or a table sets the same settings
itself, `still_true` and `without_restored` leave those words out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import unknown_name
from poseur_study.experiments.half_size import LITE0_IMAGENET, HalfSize
from poseur_study.experiments.scaling import Scaling
from poseur_study.experiments.stand_ins import SmallModels
from synthetic_people.settings import PeopleSettings

COCO_VAL_IMAGES = 5000
COCO_TRAIN_PEOPLE = 149_813
"""People of COCO train2017 with a keypoint and no crowd, which an epoch sees."""
LSP_TRAIN_PEOPLE, LSP_VAL_IMAGES = 8000, 2000
"""Of `poseur data convert lspet`."""
SMOKE_PEOPLE = PeopleSettings(train_images=2000, val_images=300)
MINI_PEOPLE = PeopleSettings(train_images=20000, val_images=2000)
LIGHT_AUGMENTATION = {"half_body_probability": 0.0, "scale_factor": 0.15, "rotation_degrees": 15.0}
NARROW = {
    "data.input_size": [64, 48],
    "model.backbone": {"kind": "narrow_resnet", "widths": [24, 48, 96, 192], "weights": "pretext"},
    "model.head.embed_dims": 64,
    "model.head.num_heads": 4,
    "model.head.num_points": 2,
    "model.head.decoder_layers": 2,
    "model.head.ffn_dims": 128,
    "model.head.norm_groups": 8,
    "model.head.dropout": 0.0,
    "model.head.loss.flow_hidden": 32,
    "model.head.noise.groups": 1,
    "train.global_batch": 32,
    "train.learning_rate": 2e-3,
    "train.schedule": {"kind": "cosine"},
    "train.warmup_steps": 50,
    "train.augment": LIGHT_AUGMENTATION,
    "pretext": {"epochs": 3, "augment": LIGHT_AUGMENTATION},
    "evaluation.curve_every": 1,
}
SMOKE_LENGTH = {"train.epochs": 6, "evaluation.curve_people": 300}
MINI_LENGTH = {"train.epochs": 3}
LIGHT = {
    "train.epochs": 1,
    "train.people_per_epoch": 480,
    "pretext": None,
    "model.backbone.weights": "none",
    "evaluation.curve_people": 100,
    "evaluation.flip_test": False,
}

REAL = {
    "data.input_size": [128, 96],
    "data.keypoint_set": "lsp14",
    "model.backbone": LITE0_IMAGENET,
    "train.epochs": 64,
    "train.global_batch": 64,
    "train.learning_rate": 5e-4,
    "train.schedule": {"kind": "cosine"},
}

LIGHT_PEOPLE_PER_UNIT = 64
LIGHT_DEVIATION = (
    f"This table: {LIGHT['train.epochs']} epoch of {LIGHT['train.people_per_epoch']} people from random weights (supp. "
    f"Table 1: {LIGHT_PEOPLE_PER_UNIT} people for each 25 epochs of the paper's), evaluated without flip test."
)

GENERATED_DATA = "Data: generated people instead of COCO (paper: COCO train2017, about 150,000 people)."
SIMULATED_BOXES = "Boxes: those of a simulated detector (jitter, misses, duplicates, false positives)."
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
    "Boxes are made of labelled keypoints and areas of boxes, and there are no detector's boxes.": (),
    "Input 128 x 96 instead of 256 x 192.": ("data.input_size",),
    "Backbone: EfficientNet-Lite0 with ImageNet weights instead of ResNet-50 with ImageNet weights.": (
        "model.backbone",
    ),
    "Schedule: cosine from 5e-4 with batch 64 instead of steps from 1e-3 and batch 256.": (
        "train.schedule", "train.learning_rate", "train.global_batch",
    ),
    "Training: 64 epochs of 8,000 people (Supp. Table 1: of its rows' lengths) instead of 325 of 149,813.": TRAINING,
}  # fmt: skip
"""What profile `real` changes; head, noise and augmentation are the paper's."""

SETTINGS_SPOKEN_OF = {**NARROW_DEVIATIONS, SMOKE_TRAINING: TRAINING, MINI_TRAINING: TRAINING, **REAL_DEVIATIONS}


@dataclass(frozen=True)
class Profile:
    """One size of the study.

    Attributes:
        people: the generated data set; None takes the folder given by `--data`.
        folder_people, folder_images: what such a folder is taken to hold before it is looked at: people to train on,
            images to judge on.
        minutes_per_run: what to expect of one run on one core (paper: on 8 GPUs), to plan by.
        deviations: what differs from the paper, as the page prints it.
        scaling: the stand-ins for the rows' settings; None: rows are as declared.
        evidential: False marks every page and withholds every verdict.
        light: changes to every table but `full_tables`, to have all of them in minutes.
        full_tables: numbers of tables that are trained at the profile's full length.
    """

    name: str
    config: ExperimentConfig
    people: PeopleSettings | None
    seeds: tuple[int, ...]
    minutes_per_run: float
    deviations: tuple[str, ...]
    scaling: Scaling | None = None
    folder_people: int = COCO_TRAIN_PEOPLE
    folder_images: int = COCO_VAL_IMAGES
    evidential: bool = True
    light: Mapping[str, Any] = field(default_factory=dict)
    full_tables: tuple[str, ...] = ()

    def light_of(self, number: str) -> dict[str, Any]:
        """What is changed in every row of a table to have it in minutes."""
        return {} if number in self.full_tables else dict(self.light)

    def scaled(self, number: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """A row's own changes, with this profile's stand-ins."""
        scaled = dict(changes) if self.scaling is None else self.scaling(changes)
        if not self.light_of(number):
            return scaled
        if "train.epochs" in scaled:  # supp. Table 1 keeps the proportions of its runs
            scaled |= {"train.people_per_epoch": LIGHT_PEOPLE_PER_UNIT}
        if "model.backbone" in scaled:
            scaled["model.backbone"] = {**scaled["model.backbone"], "weights": "none"}
        return scaled

    def deviations_of(self, number: str, rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """What differs from the paper in a table's rows, of which each is given by its changes."""
        rows = list(rows)
        rules = () if self.scaling is None else self.scaling.rules(rows)
        lighter = (LIGHT_DEVIATION,) if self.light_of(number) else ()
        return (*without_restored(self.deviations, rows), *rules, *lighter)

    def of_table(self, number: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """All that makes the profile's configuration a table's row."""
        return {**self.light_of(number), **self.scaled(number, changes)}

    def experiment(self, seed: int, *changes: dict[str, Any]) -> ExperimentConfig:
        """The profile's configuration with a seed and changes by dotted path, the later ones over the earlier."""
        merged: dict[str, Any] = {}
        for some in changes:
            merged |= some
        return self.config.with_changes(**{**merged, "seed": seed})


PROFILES = (
    Profile(
        name="smoke",
        config=ExperimentConfig().with_changes(**NARROW, **SMOKE_LENGTH),
        people=SMOKE_PEOPLE,
        seeds=(0,),
        minutes_per_run=1.5,
        deviations=(*NARROW_DEVIATIONS, SMOKE_TRAINING),
        scaling=SmallModels(weights="pretext", people_per_unit=960),
        evidential=False,
        light=LIGHT,
        full_tables=("1b", "1c", "figure_s2", "noisy_proposals"),
    ),
    Profile(
        name="mini",
        config=ExperimentConfig().with_changes(**NARROW, **MINI_LENGTH),
        people=MINI_PEOPLE,
        seeds=(0, 1, 2),
        minutes_per_run=8,
        deviations=(*NARROW_DEVIATIONS, MINI_TRAINING),
        scaling=SmallModels(weights="pretext", people_per_unit=4608),
    ),
    Profile(
        name="real",
        config=ExperimentConfig().with_changes(**REAL),
        people=None,
        seeds=(0, 1, 2),
        minutes_per_run=60 * 12,
        deviations=tuple(REAL_DEVIATIONS),
        scaling=HalfSize(people_per_unit=39_385),
        folder_people=LSP_TRAIN_PEOPLE,
        folder_images=LSP_VAL_IMAGES,
    ),
    Profile(
        name="paper",
        config=ExperimentConfig(),
        people=None,
        seeds=(0,),
        minutes_per_run=60 * 24,
        deviations=("None by declaration; where the paper is silent, the released code's behaviour is used.",),
    ),
)


def profile(name: str) -> Profile:
    """A profile by its name. Raises UserError where there is none."""
    profiles = {known.name: known for known in PROFILES}
    if name not in profiles:
        raise unknown_name("profile", name, profiles)
    return profiles[name]


def still_true(deviations: Iterable[str], overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """The deviations that speak of nothing that was overridden."""
    return tuple(
        line
        for line in deviations
        if not any(_one_within_other(path, own) for path in overrides for own in SETTINGS_SPOKEN_OF.get(line, ()))
    )


def on_other_people(deviations: Iterable[str], data_name: str) -> tuple[str, ...]:
    """The deviations of a profile of generated people where a folder of other people was given instead."""
    instead = {
        GENERATED_DATA: f"Data: people of {data_name} instead of COCO (paper: COCO train2017, about 150,000 people).",
        MINI_TRAINING: MINI_TRAINING.replace(" of 25,888 people", ""),
        SIMULATED_BOXES: "",
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


def _at(tree: Any, path: str) -> Any:
    for name in path.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _same(value: Any, other: Any) -> bool:
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


def _one_within_other(a: str, b: str) -> bool:
    return a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.")
