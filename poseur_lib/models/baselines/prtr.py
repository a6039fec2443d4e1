"""PRTR: Li et al., "Pose Recognition with Cascade Transformers", CVPR 2021, the keypoint Transformer of its two stages.

Two-stage crop: the first stage is a person detector (DETR) with weights of its own; its boxes are read from a file, as
any detector's are here, and cropped as for the other methods: the released two-stage code has HRNet's crop (read: the
box to the input's shape, enlarged by 1.25, plain affine warp). The end-to-end variant, which crops feature maps of the
whole image, is not built.

Source: Sec. 3 and, for every number, the released code of the two-stage variant (read): the last map, a 1x1
convolution to 256 channels, sine positions, 6 + 6 layers with FFN 2048 and no dropout, 100 learned queries; class
logits over K + 1 and a three-layer MLP with a sigmoid. Training: every decoder layer is matched by
1 (1 - p) + 5 |x - x_gt|_1 and takes cross-entropy ("no keypoint" weighs 0.1) + 5 L1. Inference: a bipartite matching
of queries and keypoints that maximises the sum of class probabilities, taken among the K keypoints without "no
keypoint"; the probability is the score. Each of two mirrored passes is matched on its own, then averaged.

Deviations: boxes are the study's detector's, not DETR's (a COCO results file of DETR's can be given); a keypoint
without supervision has no distance in the matching (released: the distance to (0, 0), where its unlabelled keypoints
lie) and still gets a query by its class; keypoints outside the crop are among them (released: supervised, though a
sigmoid cannot reach them); positions are those of cell centres (released: of their far corners); batch norm learns
(released ResNets: frozen); training follows the study's recipe (released: AdamW 1e-4, ResNet 1e-5, gradient clipped at
0.1, 200 epochs, halved at 120 and 140 for ResNet-50).

Expected (released README): ResNet-50 at 384x288 41.5 M, 11.0 GFLOPs; HRNet-W32 57.2 M, 21.6 G (512x384: 37.8 G); AP on
COCO val with its own detector's boxes 68.2, 73.1 and 73.3. Counted: 41.56 M, of which 0.05 M are batch norms, frozen
and so uncounted there, and 10.98 G; 57.23 M, 21.63 G and 37.79 G. HRNet's map is that of its ImageNet classifier:
2,048 channels at stride 32, here `model.backbone.outputs` "classification".
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseur_lib.config.heads import PRTRConfig
from poseur_lib.errors import UserError
from poseur_lib.models.baselines.set_prediction import SetPrediction, assign, matching_cost, set_loss, take
from poseur_lib.models.baselines.set_transformer import SetTransformer
from poseur_lib.models.pose_model import CoordinateHead, FeatureMaps, LossTerms, PoseTargets, without_autocast
from poseur_lib.models.poseur.decoder import coordinate_mlp
from poseur_lib.models.poseur.positional import map_encoding
from poseur_lib.poses import PosePrediction


class PRTRHead(CoordinateHead):
    """Queries that find their keypoints; mirrored passes are merged when each is matched, as queries could not be.

    Args:
        config: every knob; the defaults are the released code's.
        num_keypoints: K.
        channels: widths of the backbone's maps; the last map is encoded.

    Raises:
        UserError: there are fewer queries than keypoints.
    """

    coarsest_alone = True
    recordable = False  # queries are matched on the processor

    def __init__(self, config: PRTRConfig, num_keypoints: int, channels: Sequence[int]) -> None:
        super().__init__()
        if config.num_queries < num_keypoints:
            raise UserError(f"model.head.num_queries {config.num_queries} is less than the {num_keypoints} keypoints")
        self.config = config
        dims = config.embed_dims
        self.input_proj = nn.Conv2d(channels[-1], dims, 1)
        self.transformer = SetTransformer(config)
        self.queries = nn.Parameter(torch.randn(config.num_queries, dims))
        self.classes = nn.Linear(dims, num_keypoints + 1)
        self.coordinates = coordinate_mlp(dims)

    def decode_queries(self, features: FeatureMaps) -> Float[Tensor, "layers B Q C"]:
        """The queries' content after each decoder layer."""
        projected = self.input_proj(features[-1])
        positions = map_encoding(projected.shape[2], projected.shape[3], self.config.embed_dims, projected.device)
        return self.transformer(projected.flatten(2).transpose(1, 2), positions, self.queries)

    def predict(self, content: Float[Tensor, "B Q C"]) -> SetPrediction:
        """What the queries say."""
        with without_autocast(content):  # bfloat16 would round to whole pixels
            content = content.float()
            return SetPrediction(self.classes(content), self.coordinates(content).sigmoid())

    def forward(self, features: FeatureMaps) -> PosePrediction:
        """The last layer's queries, each keypoint's chosen by class alone."""
        prediction = self.predict(self.decode_queries(features)[-1])
        if self.config.background_in_score:
            probability = prediction.logits.softmax(dim=-1)[..., :-1]
        else:
            probability = prediction.logits[..., :-1].softmax(dim=-1)
        query_of = assign(1 - probability.transpose(1, 2))
        scores = take(probability, query_of).diagonal(dim1=1, dim2=2)
        return PosePrediction(keypoints=take(prediction.keypoints, query_of), keypoint_scores=scores)

    def loss(self, features: FeatureMaps, targets: PoseTargets) -> LossTerms:
        """Cross-entropy and L1, summed over the decoder layers."""
        content = self.decode_queries(features)
        if not self.config.auxiliary_losses:
            content = content[-1:]
        return self.loss_of([self.predict(one) for one in content], targets)

    def loss_of(self, layers: Sequence[SetPrediction], targets: PoseTargets) -> LossTerms:
        """The loss of given predictions, one a layer."""
        config, target, supervised = self.config, targets.keypoints, targets.supervised
        with without_autocast(target):
            with torch.no_grad():
                costs = (
                    matching_cost(one, target, supervised, config.match_class_cost, config.match_keypoint_cost)
                    for one in layers
                )
                matched = assign(torch.cat(list(costs))).split(len(target))
            pairs = [
                set_loss(one, query_of, target, supervised, config.background_weight)
                for one, query_of in zip(layers, matched, strict=True)
            ]
        classes, keypoints = (torch.stack(column).sum() for column in zip(*pairs, strict=True))
        keypoints = config.keypoint_weight * keypoints
        return LossTerms(classes + keypoints, {"classes": classes, "keypoints": keypoints})

    def round_trip(self, keypoints: Float[Tensor, "B K 2"], input_size: tuple[int, int]) -> Float[Tensor, "B K 2"]:
        """A sigmoid does not leave the crop."""
        return keypoints.clamp(0, 1)
