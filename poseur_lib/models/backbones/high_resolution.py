"""The frame that HRNet and HRFormer share: parallel branches at strides 4 to 32 that exchange their maps.

A stem brings the image to stride 4; stage s has s branches, in which blocks and fusions alternate; each transition
adds a branch of half the resolution. Parameter names are those of HRNet's first release, which everyone kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from poseur_lib.models.backbones.backbone import require_multiple
from poseur_lib.models.backbones.stem import WIDE_CHANNELS, HighResolutionStem, unit


@dataclass(frozen=True)
class Frame:
    """What tells one network of this kind from another.

    Attributes:
        widths: channels of the four branches.
        stem_blocks: bottleneck blocks of the first stage.
        modules: how often each of the three multi-branch stages exchanges its maps.
        make_block: a block for a branch, from its channels and its number (0 is the finest).
        blocks: blocks of a branch between two fusions.
        make_downsampling: halves a map and changes its channels; the flag says whether a ReLU follows.
        upsampling: how coarser maps are enlarged.
        stages: 4, or 3 without the last stage and its branch.
        finest_only: the last fusion makes the finest map alone.
    """

    name: str
    widths: tuple[int, int, int, int]
    stem_blocks: int
    modules: tuple[int, int, int]
    make_block: Callable[[int, int], nn.Module]
    blocks: int
    make_downsampling: Callable[[int, int, bool], nn.Sequential]
    upsampling: str
    stages: int = 4
    finest_only: bool = False

    @property
    def multiple(self) -> int:
        """Fusion adds maps of neighbouring strides, so every stride must divide the input size."""
        return 2 ** (self.stages + 1)


def downsampling(before: int, after: int, relu: bool = True) -> nn.Sequential:
    """A 3x3 convolution of stride 2."""
    return unit(before, after, 3, stride=2, relu=relu)


class Fusion(nn.Module):
    """Blocks in every branch, then each of the first `targets` gets the sum of all branches at its own resolution."""

    def __init__(self, frame: Frame, branches: int, targets: int) -> None:
        super().__init__()
        widths = frame.widths[:branches]
        self.branches = nn.ModuleList(
            nn.Sequential(*(frame.make_block(width, number) for _ in range(frame.blocks)))
            for number, width in enumerate(widths)
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_exchange(frame, source, target) for source in range(branches)) for target in range(targets)
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The targets' maps, of the same shapes."""
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        fused = []
        for layers in self.fuse_layers:
            first, *others = (layer(x) for layer, x in zip(layers.children(), maps, strict=True))
            fused.append(self.relu(sum(others, first)))
        return fused


class HighResolutionNet(HighResolutionStem):
    """Feature strides 4, 8, 16, 32: the branches after the last fusion, or the finest of them."""

    def __init__(self, frame: Frame) -> None:
        super().__init__(frame.stem_blocks)
        self.frame = frame
        self.channels = frame.widths[: 1 if frame.finest_only else frame.stages]
        self.transition1 = nn.ModuleList(
            [
                unit(WIDE_CHANNELS, frame.widths[0], 3, relu=True),
                nn.Sequential(downsampling(WIDE_CHANNELS, frame.widths[1])),
            ]
        )
        self.transition2 = _new_branch(frame.widths[:3])
        self.stage2, self.stage3 = _stage(frame, 2), _stage(frame, 3)
        self.transition3: nn.ModuleList | None = None
        self.stage4: nn.Sequential | None = None
        if frame.stages == 4:
            self.transition3, self.stage4 = _new_branch(frame.widths), _stage(frame, 4)
        self.reset_convolutions()

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Sequence[Tensor]:
        """Feature maps, finest first.

        Raises:
            UserError: the images' sides are not multiples of the coarsest stride.
        """
        require_multiple((images.shape[-2], images.shape[-1]), self.frame.multiple, self.frame.name)
        x = self.stem(images)
        maps = self.stage2([make(x) for make in self.transition1])
        maps = self.stage3(_enter(self.transition2, maps))
        if self.transition3 is None or self.stage4 is None:
            return maps
        return self.stage4(_enter(self.transition3, maps))

    def of_finer_maps(self) -> Sequence[nn.Parameter]:
        """Weights of the last fusion that the coarsest map does not depend on; they are part of recorded models."""
        if len(self.channels) == 1:
            return ()
        fusions = self.stage3 if self.stage4 is None else self.stage4
        *finer, _ = fusions[-1].get_submodule("fuse_layers").children()
        return [parameter for layers in finer for parameter in layers.parameters()]


def _stage(frame: Frame, branches: int) -> nn.Sequential:
    """The multi-branch stage with this many branches; where it is the last, its last fusion may be cut short."""
    last = 1 if frame.finest_only and branches == frame.stages else branches
    targets = [branches] * (frame.modules[branches - 2] - 1) + [last]
    return nn.Sequential(*(Fusion(frame, branches, count) for count in targets))


def _exchange(frame: Frame, source: int, target: int) -> nn.Module:
    """From the map of one branch to the size and channels of another."""
    before, after = frame.widths[source], frame.widths[target]
    if source == target:
        return nn.Identity()
    if source > target:
        return unit(before, after, 1).append(nn.Upsample(scale_factor=2 ** (source - target), mode=frame.upsampling))
    halvings = [frame.make_downsampling(before, before, True) for _ in range(target - source - 1)]
    return nn.Sequential(*halvings, frame.make_downsampling(before, after, False))


def _new_branch(widths: tuple[int, ...]) -> nn.ModuleList:
    """Branches stay as they are; the last one also begins a new one."""
    kept = [nn.Identity() for _ in widths[:-1]]
    return nn.ModuleList([*kept, nn.Sequential(downsampling(widths[-2], widths[-1]))])


def _enter(transition: nn.ModuleList, maps: list[Tensor]) -> list[Tensor]:
    return [make(x) for make, x in zip(transition, [*maps, maps[-1]], strict=True)]
