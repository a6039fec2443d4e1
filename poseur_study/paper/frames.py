"""The paper's claims and printed numbers as frames."""

from collections.abc import Sequence

import pandas as pd

from poseur_study.paper.audit import Audited
from poseur_study.paper.tables import Missing, paper_tables


def claims_frame(audited: Sequence[Audited]) -> pd.DataFrame:
    """Every claim with its finding: claim, kind, place, stated, computed, finding, maybe rounding, sources, remark."""
    lines = [
        {
            "claim": one.claim.statement, "kind": one.claim.kind.value, "place": one.claim.place,
            "stated": one.finding.claimed, "computed": one.finding.computed, "finding": one.finding.agreement.value,
            "maybe rounding": one.finding.within_rounding, "sources": "; ".join(one.claim.sources),
            "remark": one.claim.remark, "key": one.claim.key,
        }
        for one in audited
    ]  # fmt: skip
    return pd.DataFrame(lines).set_index("key")


def cells_frame() -> pd.DataFrame:
    """Every cell of every table: table, row, label, method, backbone, input, layers, set, column, printed."""
    lines = [
        {
            "table": table.number, "row": row.key, "label": row.label, "method": row.subject.method,
            "backbone": row.subject.backbone, "input": row.subject.input, "layers": row.subject.layers,
            "set": row.subject.on, "column": column,
            "printed": str(cell.value) if isinstance(cell, Missing) else cell.text,
        }
        for table in paper_tables().values()
        for row in table.rows
        for column, cell in row.cells.items()
    ]  # fmt: skip
    return pd.DataFrame(lines)
