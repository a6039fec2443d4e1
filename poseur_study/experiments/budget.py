"""Effect against budget: the paper's comparisons at four lengths of training, from a thirtieth of its schedule to all.

Does a difference that the paper prints after 325 epochs show after a tenth of them, and does it grow or vanish? Every
arm is trained anew for each length: a checkpoint of a longer run has not seen its learning rate fall.
`docs/preregistration.md` holds design, arms, seeds and rules as they were before the first run.
"""

from collections.abc import Mapping
from dataclasses import replace

from poseur_lib.config.heads import heatmap
from poseur_lib.scoring.instance import Scoring
from poseur_study.experiments.ablations import LAYERS, LEVELS, WITH_NOISE, WITHOUT_NOISE
from poseur_study.experiments.claim_tests import direction, printed_effect
from poseur_study.experiments.experiment import BUDGET as BUDGET_NUMBER
from poseur_study.experiments.experiment import Changes, ClaimTest, Row, Table
from poseur_study.experiments.methods import method_changes
from poseur_study.experiments.paper_rows import METHOD_KNOBS, METHODS_ALIGNED, steps_at_the_same_fractions
from poseur_study.paper.formula import Cell

EPOCHS = (10, 33, 100, 325)
"""Of the paper's schedule; profiles have lengths of their own in their place (`Profile.budgets`)."""

_SIMBA = method_changes("SimpleBaseline", "ResNet-50")
_DARK = {**_SIMBA, "model.head": {**_SIMBA["model.head"], "codec": heatmap.DARK.model_dump(mode="json")}}
ARMS: Mapping[str, tuple[str, Changes, str]] = {
    "poseur": ("Poseur", WITH_NOISE, "Poseur"),
    "simba": ("SimpleBaseline", _SIMBA, "SimpleBaseline"),
    "dark": ("SimpleBaseline with DARK", _DARK, "SimpleBaseline"),
    "rle": ("RLE", method_changes("RLE", "ResNet-50"), "RLE"),
    "no_noise": ("without noise", WITHOUT_NOISE, "Poseur"),
    "no_attention": ("without self-attention", {**WITH_NOISE, "model.head.self_attention": False}, "Poseur"),
    "one_level": ("one level", {**WITH_NOISE, "model.head.feature_levels": LEVELS[-1:]}, "Poseur"),
    "one_layer": ("one layer", {**WITH_NOISE, LAYERS: 1}, "Poseur"),
    "six_layers": ("six layers", {**WITH_NOISE, LAYERS: 6}, "Poseur"),
    "learned": ("learned points, without noise", {**WITHOUT_NOISE, "model.head.initial_points": "learned"}, "Poseur"),
}
"""Label, changes and method by key, in the order in which they are run."""
METHODS = tuple(ARMS)[:4]
"""Shown by the box score alone too: a method's own score of a person is part of what it gains or loses."""

PAIRS: tuple[tuple[str, str, str, float | None], ...] = (
    ("over-simba", "poseur", "simba", printed_effect("2b", "poseur_256", "simba_256")),
    ("over-simba", "poseur", "dark", None),
    ("over-rle", "poseur", "rle", float(Cell("1e", "layers_3", "AP").value - Cell("5", "rle_resnet50", "AP").value)),
    ("noise-gain", "poseur", "no_noise", printed_effect("1b", "with", "without")),
    ("attention-gain", "poseur", "no_attention", printed_effect("S2", "with", "without")),
    ("levels-values", "poseur", "one_level", printed_effect("1d", "levels_4", "levels_1")),
    ("layers-grow", "poseur", "one_layer", None),
    ("layers-grow", "six_layers", "poseur", printed_effect("1e", "layers_6", "layers_3")),
    ("coarse-gain", "no_noise", "learned", printed_effect("1a", "ours", "deformable_detr")),
)
"""The paper's claim, the arm that it says is better, the other one, and by how many AP printed rows are.

Of 3 layers; that of `attention-gain` is Supp. Table 2's, which is read as 6 (`supplement`).
"""
TEXTS = {
    ("over-simba", "simba"): "With ResNet-50 Poseur is better than SimpleBaseline.",
    ("over-simba", "dark"): "With ResNet-50 Poseur is better than SimpleBaseline; DARK is this study's.",
    ("over-rle", "rle"): "With ResNet-50 Poseur is better than RLE.",
}
"""Of claims whose text has the difference of other rows (Table 5's), by claim and the other arm."""

PRIMARY, SEEDS = 3, 3
"""Pairs that decide, the first ones, with so many seeds: their differences at a length are a family of their own."""


def _row(arm: str, epochs: int) -> Row:
    label, changes, method = ARMS[arm]
    return Row(
        key=_key(arm, epochs),
        label=f"{label}, {_length(epochs)}",
        ticks=(label, _length(epochs)),
        changes={**changes, **steps_at_the_same_fractions(epochs)},
        method=method,
    )


def _by_box(arm: str, epochs: int) -> Row:
    row = _row(arm, epochs)
    label = f"{row.ticks[0]} by box score"
    own = {"key": f"{arm}_box_{epochs}", "label": f"{label}, {_length(epochs)}", "ticks": (label, row.ticks[1])}
    return replace(row, scoring=Scoring.BOX, **own)


def _key(arm: str, epochs: int) -> str:
    return f"{arm}_{epochs}"


def _length(epochs: int) -> str:
    """Not in epochs: a profile has its own."""
    return f"length {EPOCHS.index(epochs) + 1} of {len(EPOCHS)}"


def _claims() -> tuple[ClaimTest, ...]:
    decided = {"least_seeds": SEEDS, "lengths": tuple(tuple(_key(arm, n) for arm in METHODS) for n in EPOCHS)}
    return tuple(
        direction(
            of, _key(better, epochs), _key(than, epochs), effect,
            **({"text": TEXTS[of, than]} if (of, than) in TEXTS else {}),
            **({"family": f"primary, {_length(epochs)}", **decided} if place < PRIMARY else {"family": "secondary"}),
        )
        for place, (of, better, than, effect) in enumerate(PAIRS)
        for epochs in EPOCHS
    )  # fmt: skip


BUDGET = Table(
    number=BUDGET_NUMBER,
    title="Effect against budget",
    notebook="budget.ipynb",
    question="Which of the paper's differences depend on how long one trains?",
    factor=("Arm", "Length"),
    varies=(*METHOD_KNOBS[:3], "train.epochs", "train.schedule"),
    rows=(
        *(_row(arm, epochs) for epochs in EPOCHS for arm in ARMS),
        *(_by_box(arm, epochs) for epochs in EPOCHS for arm in METHODS),
    ),
    claims=_claims(),
    base_reason=(
        "ResNet-50 at 256 × 192 with 3 decoder layers, four levels and noise, the default of Sec. 4.1; each arm "
        f"changes one thing, or the method. {METHODS_ALIGNED}"
    ),
    alternatives=(
        "Checkpoints of one long run: before its learning rate falls, they lie far below a run of their length.",
        "Equal device-hours instead of equal people seen: of `real`, on a processor, an epoch of Poseur takes about "
        "twice as long as one of SimpleBaseline.",
    ),
    open_questions=(
        "The paper trains each method for its whole schedule only: what it would have had before is not known.",
    ),
)
