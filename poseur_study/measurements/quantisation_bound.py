"""The AP that a row has if its network learns its targets exactly: ground truth, encoded and decoded again.

No network takes part. Coordinates are their own code, so that regression loses nothing. What a heatmap's bound lacks to
100 no training on these targets aims at; a network that misses them can still come out a little above it.
"""

import pandas as pd
import torch

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config import ExperimentConfig
from poseur_lib.evaluation.ceiling import head_ceiling
from poseur_study.table_study import TableStudy


def quantisation_bounds(study: TableStudy) -> pd.DataFrame:
    """Of each row that can be run, at the paper's input and at the one that is trained here.

    Columns: row, at (paper, here), height, width, bound (AP of the val split in its own boxes).
    """
    lines, known = [], {}
    for row in study.table.runnable:
        declared = ExperimentConfig().with_changes(**study.table.changes(row))
        for at, config in (("paper", declared), ("here", study.configs[row.key])):
            head, size = config.model.head.model_dump_json(), config.data.input_size
            if (head, size) not in known:
                known[head, size] = _bound(study, config)
            lines.append((row.label, at, *size, known[head, size]))
    return pd.DataFrame(lines, columns=["row", "at", "height", "width", "bound"])


def _bound(study: TableStudy, config: ExperimentConfig) -> float:
    with torch.device("meta"):
        head = build_without_download(config).head
    return head_ceiling(study.dataset.val, head, config.data.input_size).AP
