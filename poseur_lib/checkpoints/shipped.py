"""The model that comes with the package, so that there is one to try: small, and of generated people alone."""

from dataclasses import dataclass
from pathlib import Path

from poseur_lib.checkpoints.checkpoint import read_weights
from poseur_lib.checkpoints.origin import ONLY_GENERATED

SHIPPED = Path(__file__).with_name("generated_people.pt")
"""Made by `python -m tools.ship_model RUN`; weights are float16, and are computed with as float32."""


@dataclass(frozen=True)
class ShippedModel:
    """What the file says of itself.

    Attributes:
        run_id, profile, commit, data_fingerprint: of the run that trained it; a run of that id that was trained again
            by another commit has another AP.
        ap: by ground-truth boxes on `images` images of its own kind, in points.
    """

    run_id: str
    profile: str
    commit: str
    data_fingerprint: str
    ap: float
    images: int

    @property
    def text(self) -> str:
        """What it is, one line."""
        return (
            f"The model that comes with the package (run {self.run_id} of profile {self.profile} as commit "
            f"{self.commit[:7]} trained it, AP {self.ap:.1f} by ground-truth boxes on {self.images} images of its own "
            f"kind). {ONLY_GENERATED}"
        )


def shipped_model() -> ShippedModel:
    """What is known of the model in `SHIPPED`.

    Raises:
        UserError: the file is damaged.
    """
    return ShippedModel(**read_weights(SHIPPED)["about"])
