"""The page that shows how close this implementation is to the released one."""

from poseur_study.parity.evaluation import AP_TOLERANCE, EvaluationParity
from poseur_study.parity.outputs import CROP_TOLERANCE, IMAGE_TOLERANCE, ConfigParity, Differences
from poseur_study.report.blocks import Block, Cell, mark, small, stacked_table
from poseur_study.report.evidence import ParityRecord

TITLE = "Against the released implementation"
PAGE = "parity.html"
_COLUMNS = ("configuration", "coarse", "layers", "σ", "scores", "image, px", "flip: mean, px", "flip: type 1, px",
            "flip: type 2, px", "within bounds")  # fmt: skip
_OUTPUTS = (
    "The same weights under the released names and the same two images, in float32. Cells are the largest absolute "
    "difference over all keypoints and both axes: “coarse” of the FC proposal and its σ, “layers” and “σ” over every "
    "decoder layer, “scores” of the keypoint scores of the plain pass and of the three flip fusions. Bounds: "
    f"{CROP_TOLERANCE:.0e} of the crop side (and of scores), {IMAGE_TOLERANCE:.0e} pixels of the original image. "
    "The released code itself differs by up to 2.6e-06 between float32 and float64."
)
_MANIFESTS = (
    "Backbone, depth and keypoint set are read off the names and shapes of a state_dict, and every name and shape must "
    "have its place. “@dec” is the same configuration with another number of decoder layers."
)
_EVALUATIONS = (
    "Stored predictions for four images of COCO (12 labelled people, 118 detector boxes) through both evaluations. "
    f"The difference is the largest over AP and AR and their eight parts, in points; bound {AP_TOLERANCE:g}."
)


def parity_blocks(record: ParityRecord) -> tuple[Block, ...]:
    """A verdict, then outputs, recognised state_dicts and evaluations."""
    compared = [one for one in record.configs if one.differences is not None]
    return (
        Block("prose", f'<h1>{TITLE}</h1><p class="lead">{_lead(record, compared)} {record.origin.text()}</p>'),
        Block("prose", f"<h2>Outputs of {len(compared)} configurations</h2><p>{_OUTPUTS}</p>"),
        Block("output", stacked_table(_COLUMNS, [_outputs(one) for one in compared], _COLUMNS[1:-1])),
        Block("prose", f"<h2>State_dicts of {len(record.configs)} configurations</h2><p>{_MANIFESTS}</p>"),
        Block("output", _manifests(record.configs)),
        Block("prose", f"<h2>{len(record.evaluations)} evaluations</h2><p>{_EVALUATIONS}</p>"),
        Block("output", _evaluations(record.evaluations)),
    )


def _lead(record: ParityRecord, compared: list[ConfigParity]) -> str:
    within = sum(one.differences.within for one in compared)
    fit = sum(one.parameters == one.parameters_released for one in record.configs)
    agreeing = sum(one.within for one in record.evaluations)
    return (
        f"{within} of {len(compared)} configurations with recorded outputs keep their bounds; {fit} of "
        f"{len(record.configs)} state_dicts are recognised with the released number of parameters; {agreeing} of "
        f"{len(record.evaluations)} evaluations agree. The authors' weight files could not be tried."
    )


def _outputs(one: ConfigParity) -> list[Cell]:
    found: Differences = one.differences
    values = [
        max(found.coarse, found.coarse_sigma), found.layers, found.sigmas, max(found.scores, *found.flip_scores),
        found.image_px, *found.flip_px,
    ]  # fmt: skip
    return [_name(one), *map(small, values), mark(found.within, "yes" if found.within else "no")]


def _manifests(configs: tuple[ConfigParity, ...]) -> str:
    rows = []
    for one in configs:
        equal = one.parameters == one.parameters_released
        size = f"{one.input_size[0]}×{one.input_size[1]}"
        verdict = mark(equal, "the same" if equal else f"released: {one.parameters_released:,}")
        rows.append([_name(one), one.recognised, size, f"{one.parameters:,}", verdict])
    columns = ("configuration", "recognised as", "input", "parameters", "released number")
    return stacked_table(columns, rows, ("parameters",))


def _evaluations(evaluations: tuple[EvaluationParity, ...]) -> str:
    columns = ("boxes", "instance score", "suppression", "AP, released", "AP, ours", "kept", "difference",
               "agrees")  # fmt: skip
    rows = [
        [
            one.boxes, one.rescoring, one.suppression, f"{one.ap_released:.4f}", f"{one.ap:.4f}", str(one.kept),
            small(one.difference), mark(one.within, "yes" if one.within else "no"),
        ]
        for one in evaluations
    ]  # fmt: skip
    return stacked_table(columns, rows, columns[3:7])


def _name(one: ConfigParity) -> str:
    """The configuration's name without what every one has, and its data set."""
    data, _, rest = one.name.partition("__")
    words = [word for word in rest.split("_") if word not in {"poseur", *data.split("_")}]
    return f"{' '.join(words)}, {data.replace('_', ' ')}"
