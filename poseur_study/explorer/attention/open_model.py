"""Trained models that can be looked into."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from poseur_lib.checkpoints.released_load import load_released
from poseur_lib.checkpoints.shipped import SHIPPED, shipped_model
from poseur_lib.config import ExperimentConfig
from poseur_lib.config.heads import PoseurConfig
from poseur_lib.errors import UserError
from poseur_lib.keypoints import KeypointSet, keypoint_set
from poseur_lib.losses.flow import RealNVP
from poseur_lib.models.pose_model import PoseModel
from poseur_study.explorer.attention.density_grid import FlowGrid, flow_grid
from poseur_study.runs.datasets import shown_people


@dataclass(frozen=True, eq=False)
class OpenModel:
    """A model with queries, in evaluation mode on the CPU.

    Attributes:
        name: what captions call it.
        run_id, profile: of the run that it is the model of; "" for a checkpoint.
        people: the data set that it is shown on where no other is given; None for a checkpoint.
    """

    name: str
    model: PoseModel
    config: ExperimentConfig
    run_id: str = ""
    profile: str = ""
    people: Path | None = None

    @property
    def keypoints(self) -> KeypointSet:
        """What it predicts."""
        return keypoint_set(self.config.data.keypoint_set)

    @property
    def head(self) -> PoseurConfig:
        """The knobs of its head."""
        return self.config.model.head

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the coarse stage, where there is one, and of the decoder layers, in order."""
        layers = tuple(f"layer {number}" for number in range(1, self.head.decoder_layers + 1))
        return layers if self.model.head.coarse_flow is None else ("coarse", *layers)

    @cached_property
    def densities(self) -> tuple[FlowGrid, ...]:
        """What the flow of each stage has learned, the same for every keypoint; all decoder layers share one."""
        first, decoder = self.stages[0], self._density(self.model.head.decoder_flow)
        coarse = (self._density(self.model.head.coarse_flow),) if first == "coarse" else ()
        return coarse + (decoder,) * self.head.decoder_layers

    def _density(self, flow: RealNVP) -> FlowGrid:
        loss = self.head.loss
        return flow_grid(flow.log_prob, log_phi_count=loss.log_phi_count, log_sigma_count=loss.log_sigma_count)


def open_checkpoint(path: Path) -> OpenModel:
    """The model of a checkpoint of this project or of the released code, or of a run's folder.

    Raises:
        UserError: it cannot be read, or the model is of a method without keypoint queries.
    """
    model, config = load_released(path)
    if not has_queries(config):
        kind = config.model.head.kind
        raise UserError(f"{path} is a {kind} model, which has no keypoint queries to look into: choose a poseur model")
    return OpenModel(path.name, model, config)


def open_shipped() -> OpenModel | None:
    """The package's own model, to be looked into with a few generated people; None where the package has none."""
    if not SHIPPED.is_file():
        return None
    model, config = load_released(SHIPPED)
    made = shipped_model()
    name = f"the model that comes with the package ({made.profile}, generated people, AP {made.ap:.1f})"
    return OpenModel(name, model, config, people=shown_people())


def has_queries(config: ExperimentConfig) -> bool:
    """True if the model has keypoint queries that sample the image."""
    return isinstance(config.model.head, PoseurConfig)
