"""What is recorded of the released implementation, and a model of ours with the same weights: see fill.py there."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from poseur_lib.checkpoints.released_load import OPTIONAL, load_with_changes
from poseur_lib.models.pose_model import PoseModel

RES50 = "coco__poseur_res50_coco_256x192"


@dataclass(frozen=True)
class Reference:
    """The recorded files of one configuration."""

    root: Path
    name: str

    def arrays(self, file: str) -> dict[str, Tensor]:
        """An npz as tensors."""
        with np.load(self.root / file) as archive:
            return {key: torch.from_numpy(archive[key]) for key in archive.files if archive[key].dtype.kind in "fiu"}

    def outputs(self) -> dict[str, Tensor]:
        """Recorded inference."""
        return self.arrays(f"outputs/{self.name}.npz")

    def manifest(self) -> dict:
        """What is recorded of the released model: "state_dict" as [name, shape], "params", "input", maps' shapes."""
        return json.loads((self.root / "manifests" / f"{self.name}.json").read_text(encoding="utf-8"))

    def fill(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """The deterministic tensor of that name."""
        spec = importlib.util.spec_from_file_location("fill", self.root / "fill.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return torch.from_numpy(module.fill(name, shape))

    def state(self) -> dict[str, Tensor]:
        """The released state_dict with filled weights, without the buffers that are left as constructed."""
        return {k: self.fill(k, tuple(s)) for k, s in self.manifest()["state_dict"] if not k.endswith(OPTIONAL)}

    def model(self, **changes) -> PoseModel:
        """Our model with the filled weights under the released names; every name and shape must fit."""
        size = list(self.manifest()["input"][2:])
        return load_with_changes(self.state(), {"data.input_size": size, **changes})[0]
