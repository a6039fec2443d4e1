"""What differs between the rows of a table: only the declared factor may move."""

from collections.abc import Mapping
from typing import Any

from IPython.display import HTML

from poseur_lib.config import ExperimentConfig
from poseur_lib.config.base import Frozen
from poseur_study.display.html_table import show_table
from poseur_study.experiments.experiment import Row, Table

PARTS = ("model.backbone", "model.head")
BY_METHOD = {"model.", "model.head"}
"""Tables whose rows may differ in all of this compare methods."""


def variants_table(table: Table, configs: Mapping[str, ExperimentConfig]) -> HTML:
    """Every setting that differs between the rows' configurations, and how many all of them share.

    Tables that compare methods have a line a row, with backbone and head in words; the others a column a row.

    Args:
        configs: of the rows that can be run, by key.
    """
    flat = {key: flatten(config.model_dump(mode="json")) for key, config in configs.items()}
    paths = sorted({path for of_row in flat.values() for path in of_row})
    moving = [path for path in paths if len({str(of_row.get(path, "—")) for of_row in flat.values()}) > 1]
    alike = len(paths) - len(moving)
    caption = f"All that differs between the rows; the other {alike} settings are the same." if len(configs) > 1 else ""
    reasons = sorted({f"Not run: {row.not_run}." for row in table.rows if row.not_run})
    by_method = bool(BY_METHOD & set(table.varies)) or not configs
    rows = _line_a_row(table, configs, flat, moving) if by_method else _column_a_row(table, flat, moving)
    return show_table(rows, " ".join([caption, *reasons]).strip())


def _column_a_row(table: Table, flat: Mapping[str, Mapping[str, Any]], moving: list[str]) -> list[dict[str, str]]:
    rows = table.runnable
    lines = [(f"{factor} (as printed)", [row.ticks[i] for row in rows]) for i, factor in enumerate(table.factor)]
    lines += [(path, [str(flat[row.key].get(path, "—")) for row in rows]) for path in moving]
    if any(row.scoring for row in rows):
        lines.append(("scored by", [_scored(row) for row in rows]))
    labels = [row.label for row in rows]
    return [{"setting": name} | dict(zip(labels, values, strict=True)) for name, values in lines]


def _line_a_row(
    table: Table,
    configs: Mapping[str, ExperimentConfig],
    flat: Mapping[str, Mapping[str, Any]],
    moving: list[str],
) -> list[dict[str, str]]:
    others = [path for path in moving if not path.startswith(PARTS)]
    rows = []
    for row in table.rows:
        cells = dict(zip(table.factor, row.ticks, strict=True))
        if row.key in configs:
            model = configs[row.key].model
            cells |= {"backbone": words(model.backbone), "head": words(model.head)}
            cells |= {path: str(flat[row.key].get(path, "—")) for path in others}
            cells |= {"scored by": _scored(row)} if any(one.scoring for one in table.rows) else {}
        else:
            cells |= dict.fromkeys(("backbone", "head", *others), "not run")
        rows.append(cells)
    return rows


def words(node: Frozen) -> str:
    """A backbone or head: its kind, and every setting that is not the default of that kind."""
    defaults = flatten(type(node)().model_dump(mode="json"))
    settings = flatten(node.model_dump(mode="json"))
    changed = [f"{path} {value}" for path, value in settings.items() if defaults.get(path, "—") != value]
    return ", ".join([settings["kind"], *changed])


def flatten(tree: Any, path: str = "") -> dict[str, Any]:
    """A JSON tree as dotted path -> value; lists stay whole."""
    if not isinstance(tree, dict):
        return {path: tree}
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= flatten(value, f"{path}.{name}" if path else name)
    return found


def _scored(row: Row) -> str:
    return row.scoring.value if row.scoring else "—"
