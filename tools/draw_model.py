"""Draws docs/poseur.svg: the model, with the shape of what goes along every arrow, as a forward pass has it.

    python tools/draw_model.py [FILE]

Shapes are those of one person (the axis B is left out) at 256x192 with ResNet-50 and six decoder layers, read by hooks
from a training pass on torch's meta device, which computes nothing.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import torch
from matplotlib import pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from torch import Tensor

from poseur_lib.config import ExperimentConfig
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseModel, PoseTargets
from poseur_lib.models.poseur.memory import level_geometry

FILE = Path(__file__).parents[1] / "docs" / "poseur.svg"
WIDTH, HEIGHT = 900, 776
TITLE, SMALL = 15, 13
MAPS, QUERIES, DECODER, ENDS = "#0072B2", "#D55E00", "#00795A", "#8A4A73"
"""Edges (Okabe and Ito's hues, darkened for text): maps, queries, decoder, and what leaves the network."""
FILLS = {MAPS: "#E3EFF8", QUERIES: "#FCEBDD", DECODER: "#DFF2EB", ENDS: "#F5E6EF"}


def text_of(shape: torch.Size) -> str:
    """A shape without its first axis, which is one person."""
    return "×".join(map(str, shape[1:]))


@dataclass
class Shapes:
    """What hooks saw, by module name: shapes of the tensors that went in and that came out, in order."""

    inputs: dict[str, list[torch.Size]] = field(default_factory=dict)
    outputs: dict[str, list[torch.Size]] = field(default_factory=dict)
    samples: tuple[torch.Size, ...] = ()
    loss_terms: int = 0

    def into(self, name: str, number: int = 0) -> str:
        """What went into a module, as `text_of` writes it."""
        return text_of(self.inputs[name][number])

    def out_of(self, name: str, number: int = 0) -> str:
        """What came out of it."""
        return text_of(self.outputs[name][number])


def tensors(value: object) -> list[torch.Size]:
    """Shapes of the tensors in nested tuples and dataclasses."""
    if isinstance(value, Tensor):
        return [value.shape]
    if hasattr(value, "__dataclass_fields__"):
        value = [getattr(value, name) for name in value.__dataclass_fields__]
    return [shape for one in value for shape in tensors(one)] if isinstance(value, tuple | list) else []


def read_shapes() -> Shapes:
    """A training pass and an inference pass of the model in the figure."""
    config = ExperimentConfig().with_changes(
        **{
            "model.backbone": {"kind": "resnet", "depth": 50, "weights": "none"},
            "model.head.decoder_layers": 6,
            "data.input_size": [256, 192],
        }
    )
    with torch.device("meta"):
        model, images = build_model(config), torch.empty(1, 3, 256, 192)
        targets = PoseTargets(torch.empty(1, 17, 2), torch.empty(1, 17, dtype=torch.bool))
    shapes = Shapes()
    watch(model, shapes)
    shapes.loss_terms = len(model.loss(images, targets).terms)
    attention = model.head.decoder.layers[0].cross_attention
    query = torch.empty(1, *map(int, shapes.into("head.decoder.layers.0.cross_attention").split("×")), device="meta")
    sizes = tuple((shape[2], shape[3]) for shape in shapes.outputs["head.neck"])
    shapes.samples = tuple(
        x.shape for x in attention.samples(query, query[..., :2], level_geometry(sizes, query.device))
    )
    pose = model.eval()(images)
    shapes.outputs["pose"] = [pose.keypoints.shape, pose.keypoint_scores.shape]
    return shapes


def watch(model: PoseModel, shapes: Shapes) -> None:
    """Hooks that note what each module saw first."""
    for name, module in model.named_modules():

        def see(_, inputs: tuple, output: object, name: str = name) -> None:
            shapes.inputs.setdefault(name, tensors(inputs))
            shapes.outputs.setdefault(name, tensors(output))

        module.register_forward_hook(see)


class Canvas:
    """A drawing in units of the SVG's points, y downwards."""

    def __init__(self) -> None:
        self.figure = plt.figure(figsize=(WIDTH / 72, HEIGHT / 72), facecolor="white")
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        self.axes.axis("off")

    def box(self, left: float, top: float, width: float, height: float, edge: str, title: str, *lines: str) -> None:
        """A part of the model: its name, and lines of what it does."""
        style = "round,pad=0,rounding_size=7"
        self.axes.add_patch(
            FancyBboxPatch((left, top), width, height, boxstyle=style, facecolor=FILLS[edge], edgecolor=edge, lw=1.5)
        )
        middle, step = left + width / 2, 17
        y = top + height / 2 - step * len(lines) / 2
        self.write(middle, y, title, size=TITLE, weight="bold", color=edge)
        for number, line in enumerate(lines, 1):
            self.write(middle, y + step * number + 1, line)

    def frame(self, left: float, top: float, width: float, height: float, edge: str) -> None:
        """A dashed frame around several boxes."""
        style = "round,pad=0,rounding_size=10"
        self.axes.add_patch(
            FancyBboxPatch(
                (left, top), width, height, boxstyle=style, fill=False, edgecolor=edge, lw=1.3, ls=(0, (5, 4))
            )
        )

    def write(self, x: float, y: float, text: str, *, size: float = SMALL, align: str = "center", **style) -> None:
        """A line of text, its middle at y."""
        self.axes.text(x, y, text, fontsize=size, ha=align, va="center", **{"color": "#1a1a1a", **style})

    def arrow(self, *points: tuple[float, float], color: str = "#444444") -> None:
        """An arrow through corners, to the last point."""
        *corners, before, end = points
        if corners:
            x, y = zip(*corners, before, strict=True)
            self.axes.plot(x, y, color=color, lw=1.5, solid_joinstyle="round", solid_capstyle="butt")
        style = "-|>,head_length=6,head_width=3"
        self.axes.add_patch(
            FancyArrowPatch(before, end, arrowstyle=style, color=color, lw=1.5, shrinkA=0, shrinkB=0, mutation_scale=1)
        )


def draw_maps(canvas: Canvas, shapes: Shapes) -> None:
    """Image, backbone, neck and memory, from left to right."""
    rows = (38, 72, 106, 140)
    canvas.box(14, 62, 76, 54, MAPS, "Image", "RGB")
    canvas.arrow((90, 89), (194, 89))
    canvas.write(141, 78, shapes.into("backbone"))
    canvas.box(194, 18, 104, 142, MAPS, "ResNet-50")
    canvas.box(456, 18, 120, 142, MAPS, "Neck", "1×1 conv.,", "group norm")
    canvas.box(706, 18, 180, 142, MAPS, "Memory", "cells as rows,", "+ sine encoding", "+ level embedding")
    for number, y in enumerate(rows):
        canvas.arrow((298, y), (456, y))
        canvas.write(377, y - 10, f"res{number + 2} {shapes.out_of('backbone', number)}")
        canvas.arrow((576, y), (706, y))
        canvas.write(640, y - 10, shapes.out_of("head.neck", number))


def draw_queries(canvas: Canvas, shapes: Shapes) -> None:
    """Coarse stage, starting points and keypoint encoder."""
    groups = int(shapes.into("head.keypoint_encoder").split("×")[0])
    canvas.arrow((516, 160), (516, 196), (150, 196), (150, 226))
    canvas.write(333, 185, f"last map {shapes.into('head.coarse_stage')}")
    canvas.box(62, 226, 176, 82, QUERIES, "Coarse stage", "average pooling, FC", "(x, y) and σ")
    canvas.arrow((150, 308), (150, 358))
    canvas.write(158, 332, f"proposal {shapes.out_of('head.coarse_stage')}", align="left")
    canvas.box(
        62, 358, 176, 82, QUERIES, "Starting points", f"1 clean group, {groups - 1} noisy;", "inference: clean only"
    )
    canvas.box(270, 226, 160, 82, QUERIES, "Keypoint encoder", "sine encoding,", "linear, norm")
    canvas.arrow((350, 399), (350, 308))
    canvas.write(358, 352, shapes.into("head.keypoint_encoder"), align="left")
    canvas.arrow((430, 262), (586, 262))
    canvas.write(488, 251, shapes.out_of("head.keypoint_encoder"))
    canvas.write(488, 275, f"+ class {'×'.join(map(str, shapes.outputs['head.keypoint_encoder'][1]))}")
    canvas.write(489, 291, "in both attentions", size=10.5)
    canvas.arrow((238, 399), (586, 399))
    canvas.write(455, 388, f"points {shapes.into('head.keypoint_encoder')}")


def draw_decoder(canvas: Canvas, shapes: Shapes) -> None:
    """One layer from top to bottom, and the way of the reference points to the next."""
    layer = "head.decoder.layers.0"
    canvas.frame(548, 206, 290, 462, DECODER)
    canvas.write(
        693,
        220,
        f"{shapes.loss_terms - 1} decoder layers in turn (default 3)",
        size=SMALL,
        color=DECODER,
        weight="bold",
    )
    canvas.box(586, 234, 216, 56, DECODER, "Self-attention", "among the keypoints")
    canvas.arrow((694, 290), (694, 334))
    canvas.write(702, 312, shapes.out_of(f"{layer}.self_attention"), align="left")
    locations = text_of(shapes.samples[0])
    canvas.box(586, 334, 216, 112, DECODER, "EMSDA (Eq. 1)", "samples (query, head,", "level, point, xy):", locations)
    canvas.arrow((868, 160), (868, 390), (802, 390))
    canvas.write(862, 178, text_of(shapes.outputs["head.memory_embedding"][0]), align="right")
    canvas.arrow((694, 446), (694, 486))
    canvas.write(702, 466, shapes.out_of(f"{layer}.cross_norm"), align="left")
    canvas.box(586, 486, 216, 56, DECODER, "FFN", f"through {shapes.out_of(f'{layer}.ffn.0')}")
    canvas.arrow((694, 542), (694, 582))
    canvas.write(702, 562, f"content {shapes.out_of(layer)}", align="left")
    canvas.box(586, 582, 216, 72, DECODER, "Output branches", "points + step, correction, σ")
    refined = shapes.outputs["head.decoder.branches.0"][2]
    canvas.arrow((586, 600), (566, 600), (566, 420), (586, 420), color=DECODER)
    canvas.write(540, 510, f"refined {text_of(refined)}", align="right", color=DECODER)
    canvas.write(540, 527, "next layer's points", align="right", color=DECODER)


def draw_ends(canvas: Canvas, shapes: Shapes) -> None:
    """The loss and the pose."""
    branch = "head.decoder.branches.0"
    canvas.arrow((62, 268), (30, 268), (30, 590))
    canvas.write(38, 480, f"(x, y) and σ {shapes.out_of('head.coarse_stage')} each", align="left")
    lines = f"{shapes.loss_terms} terms: coarse + {shapes.loss_terms - 1} layers;", "two flows (RealNVP) for the errors"
    lines = (*lines, f"against ground truth {shapes.out_of('pose')}")
    canvas.box(14, 590, 268, 92, ENDS, "Loss: RLE (Eq. 4)", *lines)
    canvas.arrow((586, 632), (282, 632))
    each = "×".join(map(str, shapes.outputs[branch][0]))
    canvas.write(420, 621, f"(x, y) and σ {each} each")
    canvas.write(420, 645, "of every layer, in training")
    canvas.arrow((694, 654), (694, 706))
    keypoints, scores = shapes.out_of("pose"), shapes.out_of("pose", 1)
    canvas.write(702, 688, f"last layer, clean group {keypoints}", align="left")
    canvas.box(560, 706, 268, 58, ENDS, "Pose", f"keypoints {keypoints}, scores {scores}")


def draw(path: Path) -> None:
    """The figure, as an SVG whose text is text; the same bytes whenever it is drawn."""
    style = {"svg.fonttype": "none", "svg.hashsalt": "poseur", "font.family": "sans-serif"}
    with plt.rc_context(style):
        canvas, shapes = Canvas(), read_shapes()
        for part in (draw_maps, draw_queries, draw_decoder, draw_ends):
            part(canvas, shapes)
        path.parent.mkdir(exist_ok=True)
        canvas.figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
