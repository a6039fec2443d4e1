"""Recorded numbers of the released implementation, and a model of ours with the same weights."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from poseur_lib.config import ExperimentConfig
from poseur_lib.models.build import build_model
from poseur_lib.models.contract import PoseModel
from poseur_lib.released.keys import rename_released

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

    def manifest(self) -> list[tuple[str, list[int]]]:
        """[name, shape] of the released state_dict."""
        return json.loads((self.root / "manifests" / f"{self.name}.json").read_text())["state_dict"]

    def fill(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """The deterministic tensor of that name."""
        spec = importlib.util.spec_from_file_location("fill", self.root / "fill.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return torch.from_numpy(module.fill(name, shape))

    def model(self, **changes) -> PoseModel:
        """Our model with the filled weights under the released names; every name and shape must fit."""
        config = ExperimentConfig().with_changes(
            **{"model.backbone.weights": "none", "model.head.decoder_layers": 6, **changes}
        )
        model = build_model(config).eval()
        skipped = ("num_batches_tracked", "_flow.mask")
        filled = {k: self.fill(k, tuple(s)) for k, s in self.manifest() if not k.endswith(skipped)}
        result = model.load_state_dict(rename_released(filled), strict=False)
        assert not result.unexpected_keys
        assert all(key.endswith(("num_batches_tracked", "flow.mask")) for key in result.missing_keys)
        return model
