"""The pages of what is recorded: parity with the released code, the paper's costs, the methods, and benchmarks."""

from collections.abc import Mapping, Sequence

from poseur_study.costs.benchmark_record import Benchmark, Comparison, Timing
from poseur_study.costs.paper_costs import RULE, CostRow
from poseur_study.costs.printed_gflops import COUNTERS, MethodCost
from poseur_study.display.html_table import Cell, mark
from poseur_study.experiments.methods import METHODS
from poseur_study.experiments.profiles import profile
from poseur_study.paper.tables import published, published_notes
from poseur_study.parity.evaluation import AP_TOLERANCE, EvaluationParity
from poseur_study.parity.outputs import CROP_TOLERANCE, IMAGE_TOLERANCE, ConfigParity
from poseur_study.evidence.evidence import CostRecord, MethodCostRecord, MethodRecord, MethodRow, Overfit, ParityRecord
from poseur_study.report.pages.page import Page, make_page

MINI = profile("mini")
MINI_PEOPLE_SEEN = MINI.config.train.epochs * MINI.people.train_images
SAME_MODEL = (("2a", "simba_resnet50"), ("2b", "simba_256"), ("5", "simba_resnet50"))
"""SimpleBaseline on ResNet-50 at 256 x 192, three times."""


def parity_page(record: ParityRecord) -> Page:
    """A verdict, then outputs, recognised state_dicts and evaluations."""
    compared = [one for one in record.configs if one.differences is not None]
    return make_page(
        "parity.html", "Parity", "Against the released implementation",
        record=record,
        within=sum(one.differences.within for one in compared),
        fit=sum(one.parameters == one.parameters_released for one in record.configs),
        agreeing=sum(one.within for one in record.evaluations),
        bounds={"crop": f"{CROP_TOLERANCE:.0e}", "image": f"{IMAGE_TOLERANCE:.0e}", "ap": f"{AP_TOLERANCE:g}"},
        outputs=[_outputs(one) for one in compared],
        manifests=[_manifest(one) for one in record.configs],
        evaluations=[_evaluation(one) for one in record.evaluations],
    )  # fmt: skip


def _outputs(one: ConfigParity) -> dict[str, Cell]:
    found = one.differences
    differences = {
        "coarse": max(found.coarse, found.coarse_sigma), "layers": found.layers, "σ": found.sigmas,
        "scores": max(found.scores, *found.flip_scores), "image, px": found.image_px,
        **dict(zip(("flip: mean, px", "flip: type 1, px", "flip: type 2, px"), found.flip_px, strict=True)),
    }  # fmt: skip
    shown = {name: _small(value) for name, value in differences.items()}
    return {"configuration": _config_name(one), **shown, "within bounds": _yes(found.within)}


def _manifest(one: ConfigParity) -> dict[str, Cell]:
    equal = one.parameters == one.parameters_released
    return {
        "configuration": _config_name(one),
        "recognised as": one.recognised,
        "input": f"{one.input_size[0]}×{one.input_size[1]}",
        "parameters": f"{one.parameters:,}",
        "released number": mark(equal, "the same" if equal else f"released: {one.parameters_released:,}"),
    }


def _evaluation(one: EvaluationParity) -> dict[str, Cell]:
    return {
        "boxes": one.boxes, "instance score": one.rescoring, "suppression": one.suppression,
        "AP, released": f"{one.ap_released:.4f}", "AP, ours": f"{one.ap:.4f}", "kept": str(one.kept),
        "difference": _small(one.difference), "agrees": _yes(one.within),
    }  # fmt: skip


def _yes(good: bool) -> Cell:
    return mark(good, "yes" if good else "no")


def _small(value: float) -> str:
    """A difference with two digits, as 2.4e-07; 0 where there is none."""
    return "0" if value == 0 else f"{value:.1e}"


def _config_name(one: ConfigParity) -> str:
    """The configuration's name without what every one has, and its data set."""
    data, _, rest = one.name.partition("__")
    words = [word for word in rest.split("_") if word not in {"poseur", *data.split("_")}]
    return f"{' '.join(words)}, {data.replace('_', ' ')}"


def costs_page(record: CostRecord) -> Page:
    """A verdict, what differs, and every cell."""
    lines = {agrees: [_cost(row) for row in record.rows if row.agrees == agrees] for agrees in (True, False)}
    title = "Parameters and GFLOPs, the paper's beside ours"
    context = {"record": record, "rule": RULE, "agreeing": lines[True], "differing": lines[False]}
    return make_page("costs.html", "Costs", title, **context)


def _cost(row: CostRow) -> dict[str, Cell]:
    return {
        "where": row.source, "model": row.model, "what": row.quantity, "paper": row.paper, "ours": f"{row.ours:.3f}",
        "difference": f"{row.percent:+.1f} %".replace("-", "−"),
        "everything": "" if row.ours_everything is None else f"{row.ours_everything:.3f}",
        "verdict": mark(row.agrees, "agrees" if row.agrees else "differs"),
        "note": row.note or ("" if row.agrees else "unexplained"),
    }  # fmt: skip


def methods_page(record: MethodRecord, printed: MethodCostRecord | None = None) -> Page:
    """A row for each method and backbone; then which way to count gives the GFLOPs that the paper prints of them."""
    trained = [row.overfit for row in record.rows if row.overfit is not None]
    in_order = sorted(record.rows, key=lambda row: list(METHODS).index(row.method))
    found = {(row.table, row.row): row for row in printed.rows} if printed else {}
    return make_page(
        "methods.html", "Methods", "The methods Poseur is compared with, on one pipeline",
        record=record, trained=trained, size="{} x {}".format(*record.rows[0].input_size), people=MINI_PEOPLE_SEEN,
        lines=[_method(row) for row in in_order],
        printed=printed,
        three=[found[key] for key in SAME_MODEL if key in found],
        printed_lines=[_printed_line(row) for row in found.values()],
        counters=COUNTERS, notes=published_notes(),
    )  # fmt: skip


def _method(row: MethodRow) -> dict[str, Cell]:
    printed = published(row.method, row.backbone)
    training_ms = None if row.training_cpu_ms is None else MINI_PEOPLE_SEEN * row.training_cpu_ms
    return {
        "method": row.method,
        "backbone": row.backbone,
        "params, printed": _figure(printed.parameters),
        "params": f"{row.parameters / 1e6:.2f}",
        "GFLOPs, printed": _figure(printed.gflops),
        "GFLOPs (hooks)": f"{row.hook_multiply_adds / 1e9:.2f}",
        "GFLOPs (all)": f"{row.multiply_adds / 1e9:.2f}",
        "latency": "not timed" if row.latency_ms is None else f"{row.latency_ms:.0f} ms",
        "training": "not timed" if training_ms is None else f"{training_ms / 60e3:.1f} min",
        **_overfit(row.overfit),
    }


def _figure(figure: tuple[str, str] | None) -> str:
    """The digits, with an asterisk where their source is only recalled."""
    if figure is None:
        return "—"
    digits, source = figure
    return f"{digits}*" if "unverified" in source else digits


def _overfit(one: Overfit | None) -> Mapping[str, Cell]:
    if one is None:
        return {"learnt AP": "", "at the end": "", "ceiling": "", "by heart": "not trained"}
    verdict = mark(one.learnt, "learnt" if one.learnt else f"misses {one.target:.1f}")
    return {
        "learnt AP": one.ap, "at the end": one.ap_at_the_end, "ceiling": one.ceiling, "by heart": verdict
    }  # fmt: skip


def _printed_line(row: MethodCost) -> dict[str, Cell]:
    return {
        "where": f"Table {row.table}", "model": row.model, "printed": row.printed, "hooks": f"{row.hooks:.2f}",
        "all": f"{row.everything:.2f}", "counter": row.counter, "by it": f"{row.counted:.3f}",
        "": mark(row.agrees, "agrees" if row.agrees else "differs"), "note": row.note,
    }  # fmt: skip


def speed_page(records: Sequence[Benchmark]) -> Page:
    """For each recorded run: where, the goals reached, and its tables."""
    return make_page("speed.html", "Speed", "Speed", records=records, about=_about, lines=_timings)


def _about(record: Benchmark) -> str:
    reached = [one.reached for of in record.comparisons for one in of.timings if one.reached is not None]
    goals = f"{sum(reached)} of {len(reached)} goals are reached. " if reached else ""
    versions = ", ".join(f"{name} {record.versions[name]}" for name in ("torch", "onnxruntime"))
    return (
        f"{goals}{record.threads} threads of {record.cpu_count} processors, "
        f"load {record.load:.1f} when it began, {record.rounds} rounds, {versions}, commit {record.commit[:10]}"
        f"{' with changes' if record.dirty else ''}, {record.finished_at[:10]}."
    )


def _timings(comparison: Comparison) -> list[dict[str, Cell]]:
    """A line an alternative; columns that none of them fills are left out."""
    lines = [
        {
            "": one.name,
            "time, ms": "not run" if one.milliseconds is None else f"{one.milliseconds:.2f}",
            f"× {comparison.reference}": "" if one.ratio is None else f"{one.ratio:.2f}",
            "peak, MiB": "" if one.peak_mib is None else f"{one.peak_mib:.1f}",
            "goal": _goal(one),
            "note": one.note,
        }
        for one in comparison.timings
    ]
    filled = [name for name in lines[0] if any(line[name] for line in lines)]
    return [{name: line[name] for name in filled} for line in lines]


def _goal(one: Timing) -> Cell:
    if one.goal is None:
        return ""
    bound = f"{'≥' if one.at_least else '≤'} {one.goal:.2f}"
    return bound if one.reached is None else mark(one.reached, f"{bound}, {'reached' if one.reached else 'missed'}")
