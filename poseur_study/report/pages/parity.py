"""The page that shows how close this implementation is to the released one."""

from poseur_study.display.html_table import Cell, mark
from poseur_study.parity.evaluation import AP_TOLERANCE, EvaluationParity
from poseur_study.parity.outputs import CROP_TOLERANCE, IMAGE_TOLERANCE, ConfigParity
from poseur_study.report.evidence import ParityRecord
from poseur_study.report.pages.page import Page, make_page


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
    return {"configuration": _name(one), **shown, "within bounds": _yes(found.within)}


def _manifest(one: ConfigParity) -> dict[str, Cell]:
    equal = one.parameters == one.parameters_released
    return {
        "configuration": _name(one),
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


def _name(one: ConfigParity) -> str:
    """The configuration's name without what every one has, and its data set."""
    data, _, rest = one.name.partition("__")
    words = [word for word in rest.split("_") if word not in {"poseur", *data.split("_")}]
    return f"{' '.join(words)}, {data.replace('_', ' ')}"
