"""Costs as text and as rows."""

from collections.abc import Mapping

from poseur_lib.costs.cost import Cost

COLUMNS = ("model", "part", "parameters", "multiply_adds", "hook_multiply_adds")
FOOTNOTE = (
    "GFLOPs: billions of multiply-adds for one image without flip test. all: convolutions, matrix products, attention"
    " and sampling; hooks: the convention that the paper's numbers follow. The flows serve the loss alone."
)


def cost_rows(costs: Mapping[str, Cost]) -> list[dict[str, str | int]]:
    """One row a part of each model, and one of each total; columns as `COLUMNS`."""
    rows = []
    for model, cost in costs.items():
        for part in cost.parts:
            values = (model, part.name, part.parameters, part.multiply_adds, part.hook_multiply_adds)
            rows.append(dict(zip(COLUMNS, values, strict=True)))
        totals = (model, "total", cost.parameters, cost.multiply_adds, cost.hook_multiply_adds)
        rows.append(dict(zip(COLUMNS, totals, strict=True)))
    return rows


def cost_text(model: str, cost: Cost) -> str:
    """The cost of one model, for a terminal."""
    height, width = cost.input_size
    lines = [f"{model}, {height}x{width}", f"  {'':18}{'parameters':>14}{'GFLOPs, all':>14}{'GFLOPs, hooks':>15}"]
    rows = [(part.name, part.parameters, part.multiply_adds, part.hook_multiply_adds) for part in cost.parts]
    rows.append(("total", cost.parameters, cost.multiply_adds, cost.hook_multiply_adds))
    lines += [f"  {name:18}{count:14,}{all_ / 1e9:14.4f}{hooks / 1e9:15.4f}" for name, count, all_, hooks in rows]
    lines.append(f"  {'without flows':18}{cost.parameters_without_flows:14,}")
    if cost.speed is not None:
        speed = cost.speed
        lines += [
            f"  {speed.device}, {speed.threads} threads, float32: {speed.latency_ms:.1f} ms for one image,"
            f" {speed.images_per_second:.1f} images/s at batch {speed.batch}",
            f"  training keeps {speed.training_activations / 2**20:.1f} MiB of activations for one image",
        ]
    return "\n".join(lines)
