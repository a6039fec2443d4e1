"""Coarse stage: global average pooling and an FC layer propose the keypoints (Sec. 3.1, 'Backbone')."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from poseur_lib.models.pose_model import LayerPrediction
from poseur_lib.models.precision import without_autocast


class CoarseStage(nn.Module):
    """FC proposal of keypoints and sigma.

    Paper: an FC layer on the pooled last backbone map. Released code: on the pooled last neck map, and the
    coordinates' layer is W x / |x| + b. Here: `l2_normalised` chooses; which map is pooled is the head's choice.
    """

    def __init__(self, channels: int, num_keypoints: int, l2_normalised: bool) -> None:
        super().__init__()
        self.l2_normalised = l2_normalised
        self.coordinates = nn.Linear(channels, num_keypoints * 2)
        self.sigma = nn.Linear(channels, num_keypoints * 2)
        nn.init.xavier_uniform_(self.coordinates.weight)
        nn.init.xavier_uniform_(self.sigma.weight)

    def forward(self, feature: Float[Tensor, "B C H W"]) -> LayerPrediction:
        """Unbounded coordinates in [0, 1] of the crop, and sigma."""
        with without_autocast(feature):  # bfloat16 would round to whole pixels
            pooled = feature.float().mean(dim=(2, 3))
            sigma = self.sigma(pooled).sigmoid()
            keypoints = self.coordinates(normalize(pooled, dim=1) if self.l2_normalised else pooled)
        return LayerPrediction(keypoints.unflatten(1, (-1, 2)), sigma.unflatten(1, (-1, 2)))
