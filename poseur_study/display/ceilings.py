"""Codec ceilings beside a table's rows: the AP that each could reach if its network learned all of its targets."""

import torch
from IPython.display import HTML

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config import ExperimentConfig
from poseur_lib.evaluation.ceiling import CODECS, ceiling_table, head_ceiling
from poseur_study.analysis.result_types import TableResult
from poseur_study.display.html_table import show_table
from poseur_study.table_study import TableStudy

LOSING = tuple(codec for codec in CODECS if codec != "regression")


def row_ceilings(study: TableStudy, result: TableResult) -> HTML:
    """A line for each row that can be run: the paper's AP and the ceiling at its input, then ours."""
    paper = {row.key: ExperimentConfig().with_changes(**study.table.changes(row)) for row in study.table.runnable}
    lines = []
    for row in (row for row in result.rows if row.key in paper):
        declared, here = paper[row.key], study.configs[row.key]
        line = dict(zip(study.table.factor, row.ticks, strict=True))
        line |= {"AP, paper": "—" if row.paper_ap is None else row.paper_ap, "ceiling": _ceiling(study, declared)}
        line |= {"input here": "{} × {}".format(*here.data.input_size), "AP, ours": row.ap.value if row.ap else None}
        lines.append(line | {"ceiling here": _ceiling(study, here)})
    caption = (
        "Ceiling: AP of ground truth that is encoded and decoded as the row's method does it, at the row's input; no "
        "network takes part. Coordinates are their own code, so that regression loses nothing. What the ceiling "
        "lacks to 100, no training brings back. A map that is learned by heart may still fall below it: in a Gaussian "
        f"on whole cells the neighbours of the highest are equal, and the quarter shift goes by noise. {_people(study)}"
    )
    return show_table(lines, caption)


def codec_ceilings(study: TableStudy) -> HTML:
    """The ceilings of every codec at the inputs that the table's rows declare, smallest first."""
    sizes = {ExperimentConfig().with_changes(**study.table.changes(row)).data.input_size for row in study.table.rows}
    table = ceiling_table(study.dataset.val, sorted(sizes), LOSING)
    caption = (
        "Codecs at the paper's inputs: quarter, SimpleBaseline's; quarter-exact, the same decoding of Gaussians on "
        "the keypoint itself, which is what the quarter shift loses where a network has learned such; DARK's; UDP's "
        f"two; integral. {_people(study)}"
    )
    table["input"] = table["input"].str.replace("x", " × ")
    return show_table(table.to_dict("records"), caption)


def _ceiling(study: TableStudy, config: ExperimentConfig) -> float:
    with torch.device("meta"):
        head = build_without_download(config).head
    return head_ceiling(study.dataset.val, head, config.data.input_size).AP


def _people(study: TableStudy) -> str:
    people = "generated people" if study.dataset.generated else "people"
    return f"Counted on {len(study.dataset.val.people()):,} labelled {people} of the val split, in their own boxes."
