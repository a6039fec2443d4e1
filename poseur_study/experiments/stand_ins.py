"""How the small profiles scale a table's rows: what stands for each size, backbone, head and schedule of the paper.

`small_rules` says it in words, for the pages.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import TypeAdapter

from poseur_lib.config import backbone as backbones
from poseur_lib.config import heads
from poseur_lib.errors import UserError
from poseur_study.experiments.scaling import BACKBONE, BATCH_RULE, EPOCHS_RULE, HEAD, SIZE, Changes, Rule, Scaling

RESNET_BLOCKS = {18: (1, 1, 1, 1), 34: (1, 1, 1, 1), 50: (1, 1, 1, 1), 101: (1, 1, 3, 1), 152: (1, 2, 4, 1)}
RESNET_WIDTHS = (24, 48, 96, 192)
MOBILENET_WIDTHS = (12, 24, 48, 96)
HRNET_WIDTH = {32: 16, 48: 24}
HRFORMER_WIDTH = {"tiny": 20, "small": 24, "base": 28}
"""Heatmaps are an affine layer on the finest map: of 8 channels, 17 of them cannot differ, and AP stays at 44 of 60."""
WHOLE = "data.whole_image"
IMAGE_SIDE, PAPER_SIDE = 96, 800
"""Short side of a whole image, in pixels."""
ANCHORS = (16, 32, 64, 128, 256)
PATCHES = {(4, 3): (2, 2), (4, 4): (2, 2), (2, 2): (1, 1)}


def small_rules(size: str, width: int, images: int) -> tuple[Rule, ...]:
    """What stands for what.

    Args:
        size: how inputs are scaled, in words.
        width: networks are so many times as wide as those of the smallest profiles.
        images: of an epoch on whole images.
    """
    resnet, mobile = (f"{width * widths[0]} to {width * widths[-1]}" for widths in (RESNET_WIDTHS, MOBILENET_WIDTHS))
    w32, w48, tiny, small, base = (width * one for one in (*HRNET_WIDTH.values(), *HRFORMER_WIDTH.values()))
    smallest = (
        Rule("RLE: a flow of width 32 (64).", HEAD, ("regression",)),
        Rule(
            "Decoder layers: as many as declared, beside the 2 of rows with the default of 3.", f"{HEAD}.decoder_layers"
        ),
    )
    return (
        Rule(f"Input: {size}", SIZE),
        Rule(
            f"ResNet-50, 101, 152: one residual block a stage, three, and four in res4 (two in res3), widths {resnet}.",
            BACKBONE,
            ("resnet",),
        ),
        Rule(f"MobileNet-V2: one residual block a stage, widths {mobile}.", BACKBONE, ("mobilenetv2",)),
        Rule(
            f"HRNet and HRFormer: three stages with one fusion each, widths {w32} and {w48} (HRNet-W32, W48), {tiny}, "
            f"{small} and {base} (HRFormer-T, S, B); Poseur then has three levels. RLE and PRTR pool the coarsest "
            "branch.",
            BACKBONE,
            ("hrnet", "hrformer"),
        ),
        Rule("HRNet's stem (TokenPose-S): one block instead of four.", BACKBONE, ("hrnet_stem",)),
        Rule(
            f"Heatmap and integral heads: {64 * width} channels (256), Gaussians of 1 cell (2, and 3 at 384 x 288).",
            HEAD,
            ("heatmap", "integral"),
        ),
        Rule(
            f"Token heads: width {48 * width}, a quarter of the layers, at least 3; Gaussians of 1 cell (2).",
            HEAD,
            ("transpose", "tokenpose"),
        ),
        Rule(f"PRTR: width {64 * width}, 2 + 2 layers (6 + 6), 34 queries (100).", HEAD, ("prtr",)),
        Rule(
            f"Whole images: short side {5 * IMAGE_SIDE * width // 6} to {7 * IMAGE_SIDE * width // 6} instead of scale "
            f"jitter to 1024 x 1024, {IMAGE_SIDE * width} in tests (800); AdamW and the profile's schedule with batch "
            f"8 instead of SGD, 180,000 iterations and batch 32; {images:,} images in each of the profile's epochs.",
            WHOLE,
        ),
        Rule(
            f"Mask R-CNN: pyramid and tower (two convolutions for eight) of {64 * width} channels, anchors from "
            f"{ANCHORS[0] * width} to {ANCHORS[-1] * width}, 64 regions an image (512), all weights learn; Poseur's "
            f"and RLE's heads as on crops.",
            HEAD,
            ("mask_rcnn",),
        ),
        *(smallest if width == 1 else ()),
        EPOCHS_RULE,
        Rule("No photometric distortion or cutout for the largest backbones.", "train.augment.photometric"),
        BATCH_RULE,
    )


_BACKBONE = TypeAdapter(backbones.BackboneConfig)
_HEAD = TypeAdapter(heads.HeadConfig)


@dataclass(frozen=True)
class SmallModels(Scaling):
    """The rules of a small profile.

    Attributes:
        size_rule: how inputs are scaled, in words.
        width: of its networks, in those of the smallest profiles.
    """

    size_rule: str
    width: int = 1

    dropped: ClassVar = ("train.augment.photometric", "train.augment.cutout", "train.schedule", "train.global_batch")

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """Its stand-ins, in words."""
        return small_rules(self.size_rule, self.width, self.images_per_epoch)

    def rules(self, rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """The stand-ins that touch any of these rows' changes; on whole images the profile's own epochs hold."""
        rows = list(rows)
        of_steps = EPOCHS_RULE.text if all(WHOLE in row for row in rows) else ""
        return tuple(line for line in super().rules(rows) if line != of_steps)

    @property
    def images_per_epoch(self) -> int:
        """Of training on whole images."""
        return self.people_per_unit // 3

    def scaled_model(self, scaled: Changes) -> Changes:
        """Narrow backbones and heads."""
        scaled = dict(scaled)
        if scaled.get(HEAD, {}).get("kind") == "mask_rcnn":
            scaled = self._of_whole_images(scaled)
        if BACKBONE in scaled:
            stand_in = scaled_backbone(_BACKBONE.validate_python(scaled[BACKBONE], strict=False), self.width)
            scaled[BACKBONE] = {**stand_in, "weights": "pretext"}
            if stand_in["kind"] == "narrow_high_resolution" and HEAD not in scaled:
                scaled[f"{HEAD}.feature_levels"] = ["res2", "res3", "res4"]
            if stand_in["kind"] == "narrow_high_resolution" and scaled.get(HEAD, {}).get("kind") == "mask_rcnn":
                scaled[HEAD] = on_three_levels(scaled[HEAD])
        if HEAD in scaled:
            scaled[HEAD] = scaled_head(_HEAD.validate_python(scaled[HEAD], strict=False), self.width)
        return scaled

    def _of_whole_images(self, scaled: Changes) -> Changes:
        """The profile's own recipe, on fewer and smaller images whose short side is drawn, with no jitter of scale."""
        kept = ("train.augment", "train.supervise_outside_crop")
        ours = {path: value for path, value in scaled.items() if not path.startswith("train.") or path in kept}
        for path in (SIZE, "evaluation.curve_every"):
            ours.pop(path, None)
        side = IMAGE_SIDE * self.width
        ours[WHOLE] = {"scale_jitter": None, "train_sides": [side * 5 // 6, side, side * 7 // 6], "test_sides": [side],
                       "longest_side": side * 3}  # fmt: skip
        if f"{WHOLE}.test_sides" in ours:
            ours[f"{WHOLE}.test_sides"] = [side * of_paper // PAPER_SIDE for of_paper in ours[f"{WHOLE}.test_sides"]]
        return {**ours, "train.people_per_epoch": self.images_per_epoch, "train.global_batch": 8}


def scaled_backbone(paper: backbones.BackboneConfig, width: int) -> Changes:
    """The stand-in for a backbone, `width` times as wide as in the smallest profiles, without its weights."""
    match paper:
        case backbones.ResNetConfig(depth=depth, stages=4):
            return {"kind": "narrow_resnet", "widths": _times(RESNET_WIDTHS, width), "blocks": RESNET_BLOCKS[depth]}
        case backbones.MobileNetV2Config():
            return {"kind": "narrow_resnet", "widths": _times(MOBILENET_WIDTHS, width)}
        case backbones.HRNetConfig(width=of_paper, outputs=outputs):
            return _high_resolution("residual", width * HRNET_WIDTH[of_paper], outputs)
        case backbones.HRFormerConfig(variant=variant, outputs=outputs):
            return _high_resolution("transformer", width * HRFORMER_WIDTH[variant], outputs)
        case backbones.HRNetStemConfig():
            return {"kind": "hrnet_stem", "blocks": 1}
    raise UserError(f"no stand-in for backbone {paper.name!r} in the small profiles: run profile paper")


def scaled_head(paper: heads.HeadConfig, width: int) -> Changes:
    """The stand-in for a head that is not Poseur's, which the profile itself narrows; as declared, if it has none."""
    token = {"embed_dims": 48 * width, "ffn_dims": 96 * width}
    match paper:
        case heads.HeatmapConfig():
            changes = {"channels": 64 * width, "codec.sigma": 1.0}
        case heads.IntegralConfig():
            changes = {"channels": 64 * width}
        case heads.RegressionConfig():
            changes = {"flow_hidden": 32 * width}
        case heads.TransPoseConfig(layers=layers):
            changes = {**token, "layers": max(3, layers // 4), "codec.sigma": 1.0}
        case heads.TokenPoseConfig():
            changes = {**token, "num_heads": 4, "layers": max(3, paper.layers // 4)}
            hidden = None if paper.mlp_hidden is None else 96 * width
            patch = _times(PATCHES[paper.patch_size], width)
            changes |= {"patch_size": patch, "mlp_hidden": hidden, "codec.sigma": 1.0}
        case heads.PRTRConfig():
            changes = {"num_queries": 34, "embed_dims": 64 * width, "num_heads": 4, "ffn_dims": 128 * width}
            changes |= {"encoder_layers": 2, "decoder_layers": 2}
        case heads.MaskRCNNConfig():
            return _scaled_regions(paper, width)
        case heads.PoseurConfig():
            raise UserError(f"no stand-in for head {paper.kind!r} given as a whole: change its knobs one by one")
        case _:
            changes = {}
    return paper.with_changes(**changes).model_dump(mode="json")


def on_three_levels(head: Changes) -> Changes:
    """Mask R-CNN of a backbone with three maps."""
    head = {**head, "anchor_sizes": ANCHORS[:4]}
    if head["keypoints"]["kind"] == "poseur":
        head["keypoints"] = {**head["keypoints"], "feature_levels": ["res2", "res3", "res4"]}
    return head


def _scaled_regions(paper: heads.MaskRCNNConfig, width: int) -> Changes:
    """Mask R-CNN for small images and few of them; batch norms and all stages learn, as no weights are ImageNet's."""
    keypoints = {
        "region_heatmap": {},
        "regression": {"flow_hidden": 32 * width},
        "poseur": {"embed_dims": 64 * width, "num_heads": 4, "num_points": 2, "decoder_layers": 2,
                   "ffn_dims": 128 * width, "norm_groups": 8, "dropout": 0.0, "loss.flow_hidden": 32,
                   "noise.groups": 1},
    }[paper.keypoints.kind]  # fmt: skip
    levels = len(paper.anchor_sizes)
    small = {
        "keypoints": paper.keypoints.with_changes(**keypoints), "pyramid_channels": 64 * width,
        "anchor_sizes": [width * side for side in ANCHORS[:levels]], "canonical_side": 56 * width,
        "tower": [64 * width] * 2, "box_channels": 128 * width, "kept_train": 200, "kept_test": 100,
        "region_batch": 64, "frozen_batch_norm": False, "frozen_stages": 0,
    }  # fmt: skip
    return paper.with_changes(**small).model_dump(mode="json")


def _times(sizes: tuple[int, ...], width: int) -> tuple[int, ...]:
    return tuple(width * one for one in sizes)


def _high_resolution(block: str, width: int, outputs: str) -> Changes:
    finest = "finest" if outputs == "finest" else "pyramid"
    return {"kind": "narrow_high_resolution", "block": block, "width": width, "outputs": finest}
