"""What differs between the rows of a table: only the declared factor may move."""

from collections.abc import Mapping, Sequence
from typing import Any

from IPython.display import HTML

from poseur_lib.config import ExperimentConfig
from poseur_lib.config.base import Frozen
from poseur_study.display.html_table import show_table
from poseur_study.display.words import NOT_RUN
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
    if by_method:
        moving = [path for path in moving if not path.startswith(PARTS)]
    rows = table.rows if by_method else table.runnable
    factors = table.factor if by_method else [f"{factor} (as printed)" for factor in table.factor]
    lines = [
        dict(zip(factors, row.ticks, strict=True)) | _settings(table, row, configs.get(row.key), moving, by_method)
        for row in rows
    ]
    if not by_method:
        of = dict(zip([row.label for row in rows], lines, strict=True))
        lines = [{"setting": name} | {label: one[name] for label, one in of.items()} for name in lines[0]]
    return show_table(lines, " ".join([caption, *reasons]).strip())


def _settings(
    table: Table, row: Row, config: ExperimentConfig | None, moving: Sequence[str], by_method: bool
) -> dict[str, str]:
    """What moves; nothing of a row that cannot be run."""
    if config is None:
        return dict.fromkeys(("backbone", "head", *moving), NOT_RUN)
    flat = flatten(config.model_dump(mode="json"))
    parts = {"backbone": words(config.model.backbone), "head": words(config.model.head)} if by_method else {}
    scored = {"scored by": row.scoring.value if row.scoring else "—"} if any(one.scoring for one in table.rows) else {}
    return parts | {path: str(flat.get(path, "—")) for path in moving} | scored


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
