"""What the paper says of costs, decided by our own counters; recorded, since counting takes a minute.

Each number is that of the paper's own configuration, by the hook convention, which the printed costs of Poseur follow.
How the paper counted, it does not say: where a note explains a number by another counter, that is our reading.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from poseur_lib.config import ExperimentConfig
from poseur_lib.config.base import Frozen
from poseur_lib.costs.cost import Cost
from poseur_lib.evaluation.ceiling import CODECS
from poseur_lib.keypoints import COCO_17
from poseur_study.costs.benchmark_record import Benchmark
from poseur_study.costs.cost_rows import RULE, agrees_with
from poseur_study.costs.printed_gflops import BASELINES, MethodCost, method_costs
from poseur_study.costs.row_cost import Quantity, both_counts, hook_counts, model_cost
from poseur_study.experiments.paper_rows import subject_changes
from poseur_study.paper.claims import paper_claim
from poseur_study.paper.tables import paper_tables, printed_cell, text_number

POINTS = 1.0
"""Percentage points that a stated percentage may be off by: it is printed without decimals."""
QUANTISED = 5000
"""Points whose round trip through a heatmap is averaged."""
MSDA_TIMED = "MSDA, projected first"
EMSDA_TIMED = ("bags (ours)", "dense (ours)", "one shared grid_sample")
"""Names in the benchmarks; the replicated form of Eq. 1, which nobody would run, is left out."""
LESS = "Holds if the first is less than the second by the hook convention and with everything counted."


class CostStatement(Frozen):
    """A statement about costs, and what our counters say.

    Attributes:
        of: key of the claim among the paper's, "" for a printed cell.
        holds: by `rule`.
        note: what else there is to know; never more certain than we are.
    """

    key: str
    of: str
    text: str
    source: str
    paper: str
    ours: str
    holds: bool
    rule: str
    note: str = ""


def cost_statements() -> tuple[CostStatement, ...]:
    """Every statement on costs that a count decides."""
    cells = map(_heatmap_cell, method_costs(BASELINES))
    of_poseur = (_fewer_flops(), _one_ninth(), _light_decoder(), _noise_is_free(), _flow_is_free(), _projection())
    return (*cells, _quantisation(), *of_poseur, *_prtr(), _queries(), _added())


def emsda_times(benchmarks: Iterable[Benchmark]) -> tuple[CostStatement, ...]:
    """Whether EMSDA is quicker than MSDA, by each device on which both were timed."""
    found = []
    for one in benchmarks:
        for comparison in one.comparisons:
            times = {timing.name: timing.milliseconds for timing in comparison.timings}
            if (msda := times.pop(MSDA_TIMED, None)) is not None:
                name, emsda = min(
                    ((name, times[name]) for name in EMSDA_TIMED if times.get(name)), key=lambda way: way[1]
                )
                words = f"{emsda:.2f} ms ({name}) against {msda:.2f} ms"
                note = f"{one.device}; {comparison.title}. Both in float32, neither in a kernel of its own."
                rule = "Holds if the quickest of our ways to compute EMSDA takes less time than MSDA."
                of = _statement("emsda-more-efficient", "much more efficient", words, emsda < msda, rule, note)
                found.append(of.with_changes(key=f"{of.key}, {one.device}"))
    return tuple(found)


def row_config(table: str, row: str) -> ExperimentConfig:
    """The paper's configuration of a row of its tables."""
    return ExperimentConfig().with_changes(**subject_changes(paper_tables()[table].row(row).subject))


def _row(table: str, row: str) -> Cost:
    return model_cost(row_config(table, row))


def _resnet50(layers: int, **head: Any) -> ExperimentConfig:
    head["decoder_layers"] = layers
    return ExperimentConfig().with_changes(**{f"model.head.{name}": value for name, value in head.items()})


def _gflops(of: Cost) -> float:
    return of.hook_multiply_adds / 1e9


def _heatmap_cell(one: MethodCost) -> CostStatement:
    cell = printed_cell(one.table, one.row, "GFLOPs")
    reading = (
        f"A counter that takes a deconvolution for a convolution on output cells with C'² (and batch norm as 2) gives "
        f"{one.counted:.3f}. That is our reading of the printed number; the paper does not say how it counted."
    )
    return CostStatement(
        key=f"gflops-{one.table}-{one.row}", of="", text=f"{paper_tables()[one.table].row(one.row).label}: GFLOPs.",
        source=cell.source, paper=cell.text, ours=f"{one.hooks:.2f}", holds=agrees_with(cell, one.hooks), rule=RULE,
        note=reading,
    )  # fmt: skip


def _fewer_flops() -> CostStatement:
    poseur, simba = _gflops(_row("5", "poseur_resnet50")), _gflops(_row("5", "simba_resnet50"))
    percent, five = 100 * (1 - poseur / simba), _gflops(_row("2a", "poseur_resnet50"))
    stated = text_number("fewer_flops")
    return _statement(
        "fewer-flops", stated.with_unit, f"{percent:.0f} % ({poseur:.2f} against {simba:.2f})",
        abs(percent - stated.value) <= POINTS, f"Holds if ours lies within {POINTS:.0f} point of what is stated.",
        f"Both by one convention, Poseur with six layers; with five it has {five:.2f}. SimpleBaseline's printed 8.27 "
        "(Table 2a) and 8.9 (Table 5) are what two counters give that count its deconvolutions on output cells, "
        "several times too often. That is our reading: the paper does not say how it counted.",
    )  # fmt: skip


def _one_ninth() -> CostStatement:
    simba, poseur = _gflops(_row("2a", "simba_mobilenet")), _gflops(_row("2a", "poseur_mobilenet"))
    stated, ratio = text_number("mobile_fraction"), simba / poseur
    cells = [printed_cell("2a", row, "GFLOPs").text for row in ("simba_mobilenet", "poseur_mobilenet")]
    return _statement(
        "mobilenet-one-ninth", stated.in_words or stated.text, f"1/{ratio:.1f} ({poseur:.2f} / {simba:.2f})",
        round(ratio) == stated.value, "Holds if the ratio, rounded to a whole number, is the stated one.",
        f"The printed cells are {cells[1]} and {cells[0]}. What is printed of SimpleBaseline is what another counter "
        "gives, in our reading; by one convention for both it costs less.",
    )  # fmt: skip


def _light_decoder() -> CostStatement:
    both = both_counts(_resnet50(3))
    decoders = [one.of(Quantity.DECODER_MULTIPLY_ADDS) for one in both]
    models = [one.of(Quantity.MULTIPLY_ADDS) for one in both]
    holds = all(decoder < model - decoder for decoder, model in zip(decoders, models, strict=True))
    words = f"{decoders[0]:.2f} of {models[0]:.2f} (everything: {decoders[1]:.2f} of {models[1]:.2f})"
    note = "ResNet-50, three layers; decoder with neck, as supp. Table 4 counts it."
    return _statement("light-decoder", "light", words, holds, f"Decoder and the rest. {LESS}", note)


def _prtr() -> tuple[CostStatement, ...]:
    found = []
    for ours, theirs in (("poseur_resnet50", "prtr_resnet50_384"), ("poseur_hrnet_w32", "prtr_hrnet_w32_384")):
        poseur, prtr = _row("5", ours), _row("5", theirs)
        holds = poseur.hook_multiply_adds < prtr.hook_multiply_adds and poseur.multiply_adds < prtr.multiply_adds
        stated = f"{printed_cell('5', ours, 'GFLOPs').text} against {printed_cell('5', theirs, 'GFLOPs').text}"
        words = f"{_gflops(poseur):.2f} against {_gflops(prtr):.2f} GFLOPs"
        note = f"{paper_tables()['5'].row(ours).subject.backbone}; PRTR's crops are larger: 384 × 288."
        one = _statement("cheaper-than-prtr", stated, words, holds, f"Poseur and PRTR. {LESS}", note)
        found.append(one.with_changes(key=f"{one.key}-{ours}"))
    return tuple(found)


def _quantisation() -> CostStatement:
    _, round_trip = CODECS["quarter"]
    points = torch.from_numpy(np.random.default_rng(0).uniform(0.1, 0.9, (QUANTISED, 1, 2)))
    sizes = [row_config("2b", f"simba_{side}").data.input_size for side in (64, 128, 256)]
    lost = [(round_trip(points, size).double() - points) * torch.tensor(size[::-1]) for size in sizes]
    pixels = [float(one.pow(2).sum(-1).mean().sqrt()) for one in lost]
    shares = [100 * one / width for one, (_, width) in zip(pixels, sizes, strict=True)]
    parts = [f"{share:.1f} % at {size[0]} × {size[1]}" for share, size in zip(shares, sizes, strict=True)]
    rule = "Holds if encoding and decoding moves a keypoint, and by a larger share of the crop the smaller the input."
    note = (
        f"Root mean square of points drawn evenly, {pixels[0]:.1f} crop pixels; no network. What it takes from the AP "
        "of a val split is on Table 2b's page. Another codec loses less (`poseur ceiling`)."
    )
    holds, words = all(a > b > 0 for a, b in pairwise(shares)), f"of the width: {', '.join(parts)}"
    return _statement("quantisation-limits-heatmaps", "limits precision", words, holds, rule, note)


def _queries() -> CostStatement:
    prtr, keypoints = row_config("5", "prtr_resnet50_384").model.head.num_queries, COCO_17.num_keypoints
    words = f"{prtr} queries of PRTR for {keypoints} keypoints; Poseur has {keypoints}"
    return _statement("prtr-redundant-queries", "redundant", words, prtr > keypoints,
                      "Holds if PRTR, as its code has it, has more queries than keypoints.")  # fmt: skip


def _flow_is_free() -> CostStatement:
    wide, narrow = (model_cost(_resnet50(3, loss={"flow_hidden": width})) for width in (128, 64))
    more, weights = wide.multiply_adds - narrow.multiply_adds, narrow.parameters - narrow.parameters_without_flows
    words = f"{more} multiply-adds more with flows of twice the width"
    note = f"The weights hold {weights / 1e6:.2f} M parameters of flows, which no prediction reads."
    return _statement("flow-is-free", "removed", words, more == 0, "Holds if the flow's width costs nothing.", note)


def _noise_is_free() -> CostStatement:
    noisy, plain = (model_cost(one) for one in (_resnet50(3), _resnet50(3, noise={"kind": "none"})))
    multiply_adds, parameters = noisy.multiply_adds - plain.multiply_adds, noisy.parameters - plain.parameters
    words, rule = f"{multiply_adds} multiply-adds, {parameters} parameters more", "Holds if both models cost the same"
    return _statement("noise-is-free", "nothing", words, multiply_adds == parameters == 0, f"{rule} at inference.")


def _projection() -> CostStatement:
    msda, emsda = (hook_counts(_resnet50(3, cross_attention=kind)) for kind in ("msda", "emsda"))
    decoder = msda.of(Quantity.DECODER_MULTIPLY_ADDS)
    saved = msda.of(Quantity.MULTIPLY_ADDS) - emsda.of(Quantity.MULTIPLY_ADDS)
    words = f"{saved:.2f} of {decoder:.2f} GFLOPs ({100 * saved / decoder:.0f} %)"
    rule = "Holds if what EMSDA saves is more than half of the decoder with MSDA."
    return _statement("cost-is-the-projection", "most", words, saved > decoder / 2, rule)


def _added() -> CostStatement:
    ours, stated = model_cost(_resnet50(6, share_layers=True)), text_number("added_params")
    backbone = ours.part("backbone").parameters
    added, deployed = (ours.parameters - backbone) / 1e6, (ours.parameters_without_flows - backbone) / 1e6
    note = f"Counts the two flows of the loss; without them {deployed:.2f} M."
    holds = agrees_with(stated, added)
    return _statement("added-parameters", stated.with_unit, f"{added:.2f} M", holds, RULE, note)


def _statement(key: str, paper: str, ours: str, holds: bool, rule: str, note: str = "") -> CostStatement:
    """A statement on a claim of the paper's text."""
    of = paper_claim(key)
    return CostStatement(
        key=f"cost-{key}", of=key, text=of.statement, source=of.place, paper=paper, ours=ours, holds=holds, rule=rule,
        note=note,
    )  # fmt: skip
