"""The sizes that the study comes in: every number that makes a profile smaller than the paper is here.

What a size changes is said in words in `profile_deviations`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError, shown, unknown_name
from poseur_study.experiments.experiment import BUDGET
from poseur_study.experiments.half_size import LITE0_IMAGENET, HalfSize
from poseur_study.experiments.profile_deviations import (
    HALF_A_PIXEL,
    LIGHT_DEVIATION,
    LIGHT_EPOCHS,
    LIGHT_PEOPLE,
    LIGHT_PEOPLE_PER_UNIT,
    MIDI_DEVIATIONS,
    MINI_TRAINING,
    NARROW_DEVIATIONS,
    REAL_DEVIATIONS,
    SETTINGS_SPOKEN_OF,
    SMOKE_TRAINING,
    TRAINING,
    without_restored,
)
from poseur_study.experiments.scaling import EPOCHS_RULE, Scaling
from poseur_study.experiments.stand_ins import WHOLE, SmallModels
from synthetic_people.settings import PeopleSettings

COCO_VAL_IMAGES = 5000
COCO_TRAIN_PEOPLE = 149_813
"""People of COCO train2017 with a keypoint and no crowd, which an epoch sees."""
MPII_VAL_PEOPLE = 2958
LSP_TRAIN_PEOPLE, LSP_VAL_IMAGES = 8000, 2000
"""Of `poseur data convert lspet`."""
SMOKE_PEOPLE = PeopleSettings(train_images=2000, val_images=300)
MIDI_PEOPLE = PeopleSettings(train_images=20000, val_images=8000)
MINI_PEOPLE = PeopleSettings(train_images=20000, val_images=2000, pixel_centre=0.5)
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
QUARTER = "a quarter of the paper's sides, rounded up to multiples of 16 (64 x 64: 16 x 16; 384 x 288: 96 x 80)."
HALF = "half of the paper's sides, rounded up to multiples of 32 (384 x 288: 192 x 160)."
LIGHT = {
    "train.epochs": LIGHT_EPOCHS,
    "train.people_per_epoch": LIGHT_PEOPLE,
    "pretext": None,
    "model.backbone.weights": "none",
    "evaluation.curve_people": 100,
    "evaluation.flip_test": False,
}

MIDI = {
    "data.input_size": [128, 96],
    "model.backbone": {"kind": "narrow_resnet", "widths": [48, 96, 192, 384], "weights": "pretext"},
    "model.head.embed_dims": 128,
    "model.head.ffn_dims": 512,
    "train.epochs": 30,
    "train.global_batch": 64,
    "train.learning_rate": 1e-3,
    "train.schedule": {"kind": "cosine"},
    "train.warmup_steps": 100,
    "pretext": {"epochs": 3},
    "evaluation.curve_every": 5,
}

REAL = {
    "data.input_size": [128, 96],
    "data.keypoint_set": "lsp14",
    "model.backbone": LITE0_IMAGENET,
    "train.epochs": 64,
    "train.global_batch": 64,
    "train.learning_rate": 5e-4,
    "train.schedule": {"kind": "cosine"},
    "train.warmup_steps": 50,
}


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
        budgets: epochs of the budget study by those that its rows declare; none: as declared.
        pretext_per_seed: a backbone is pretrained for every seed, instead of one for all.
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
    budgets: Mapping[int, int] = field(default_factory=dict)
    pretext_per_seed: bool = False
    evidential: bool = True
    light: Mapping[str, Any] = field(default_factory=dict)
    full_tables: tuple[str, ...] = ()

    def chosen_seeds(self, given: Sequence[int]) -> tuple[int, ...]:
        """The seeds of a study: those given, or the profile's own where none are.

        Raises:
            UserError: one is given twice; it would be one training, counted as two.
        """
        twice = [seed for seed, times in Counter(given).items() if times > 1]
        if twice:
            raise UserError(f"seeds {shown(list(given))}: seed {twice[0]} is given more than once, and is one training")
        return tuple(given) or self.seeds

    def light_of(self, number: str) -> dict[str, Any]:
        """What is changed in every row of a table to have it in minutes."""
        return {} if number in self.full_tables else dict(self.light)

    def scaled(self, number: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """A row's own changes, with this profile's stand-ins."""
        scaled = dict(changes) if self.scaling is None else self.scaling(changes)
        if number == BUDGET and self.budgets:
            scaled["train.epochs"] = self.budgets[changes["train.epochs"]]
            scaled.pop("train.people_per_epoch")
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
        lines = [*without_restored(self.deviations, rows), *rules, *lighter]
        if rows and all(WHOLE in row for row in rows) and not lighter:  # their rule has the length
            lines = [line for line in lines if TRAINING[0] not in SETTINGS_SPOKEN_OF.get(line, ())]
        if number != BUDGET or not self.budgets:
            return tuple(lines)
        ours, papers = (", ".join(map(str, of)) for of in (self.budgets.values(), self.budgets))
        lengths = f", each of {LIGHT_PEOPLE_PER_UNIT} people" if lighter else ""
        spoken_of = [line for line in lines if TRAINING[0] not in SETTINGS_SPOKEN_OF.get(line, ())]
        return (*(one for one in spoken_of if one != EPOCHS_RULE.text), f"Epochs: {ours} instead of {papers}{lengths}.")

    def of_table(self, number: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """All that makes the profile's configuration a table's row."""
        return {**self.light_of(number), **self.scaled(number, changes)}

    def experiment(self, seed: int, *changes: dict[str, Any]) -> ExperimentConfig:
        """The profile's configuration with a seed and changes by dotted path, the later ones over the earlier.

        Raises:
            UserError: a change would set the seed, or that of a pretraining which has the run's.
        """
        merged: dict[str, Any] = {}
        for some in changes:
            merged |= some
        if "seed" in merged:
            raise UserError(f"seed = {shown(merged['seed'])} is no change of a configuration: choose the seed itself")
        config = self.config.with_changes(**{**merged, "seed": seed})
        if not self.pretext_per_seed or config.pretext is None:
            return config
        whole = merged.get("pretext")
        asked = merged.get("pretext.seed", whole.get("seed", seed) if isinstance(whole, dict) else seed)
        if asked != seed:
            raise UserError(
                f"pretext.seed = {shown(asked)}: profile {self.name!r} pretrains a backbone for every seed, with that"
                f" seed, here {seed}"
            )
        return config.with_changes(**{"pretext.seed": seed})


PROFILES = (
    Profile(
        name="smoke",
        config=ExperimentConfig().with_changes(**NARROW, **SMOKE_LENGTH),
        people=SMOKE_PEOPLE,
        seeds=(0,),
        minutes_per_run=1.5,
        deviations=(*NARROW_DEVIATIONS, SMOKE_TRAINING),
        scaling=SmallModels(960, divisor=4, multiple=16, size_rule=QUARTER),
        evidential=False,
        budgets={10: 1, 33: 2, 100: 3, 325: 4},
        light=LIGHT,
        full_tables=("1b", "1c", "figure_s2", "noisy_proposals"),
    ),
    Profile(
        name="mini",
        config=ExperimentConfig().with_changes(**NARROW, **MINI_LENGTH),
        people=MINI_PEOPLE,
        seeds=(0, 1, 2),
        minutes_per_run=8,
        deviations=(*NARROW_DEVIATIONS, HALF_A_PIXEL, MINI_TRAINING),
        scaling=SmallModels(4608, divisor=4, multiple=16, size_rule=QUARTER),
        budgets={10: 1, 33: 3, 100: 10, 325: 30},
    ),
    Profile(
        name="midi",
        config=ExperimentConfig().with_changes(**MIDI),
        people=MIDI_PEOPLE,
        seeds=(0, 1, 2),
        minutes_per_run=60 * 8,
        deviations=tuple(MIDI_DEVIATIONS),
        scaling=SmallModels(46_080, divisor=2, multiple=32, size_rule=HALF, width=2),
        budgets={10: 3, 33: 10, 100: 30, 325: 100},
        pretext_per_seed=True,
    ),
    Profile(
        name="real",
        config=ExperimentConfig().with_changes(**REAL),
        people=None,
        seeds=(0, 1, 2),
        minutes_per_run=60 * 12,
        deviations=tuple(REAL_DEVIATIONS),
        scaling=HalfSize(39_385),
        budgets={10: 4, 33: 16, 100: 64, 325: 256},
        folder_people=LSP_TRAIN_PEOPLE,
        folder_images=LSP_VAL_IMAGES,
    ),
    Profile(
        name="paper",
        config=ExperimentConfig(),
        people=None,
        seeds=(0,),
        minutes_per_run=60 * 24,
        deviations=(
            "Where text and released code differ, the code is followed (Deviations). But HRFormer's rows follow the "
            "text, lack stochastic depth and start from random weights, and Table 3's rate and steps are Detectron2's, "
            "scaled.",
        ),
    ),
)


def profile(name: str) -> Profile:
    """A profile by its name. Raises UserError where there is none."""
    profiles = {known.name: known for known in PROFILES}
    if name not in profiles:
        raise unknown_name("profile", name, profiles)
    return profiles[name]
