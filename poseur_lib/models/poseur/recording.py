"""Records what the layers of a decoder attend to, by hooks that are there for one pass only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest

from torch import Tensor

from poseur_lib.models.poseur.decoder import QueryDecoder, SelfAttention
from poseur_lib.models.poseur.deformable import DeformableAttention
from poseur_lib.models.poseur.memory import Memory
from poseur_lib.poses import Explanation, LayerExplanation, PosePrediction


@dataclass
class Recording:
    """What was seen so far, of one query group: a list entry for each pass through a layer.

    Attributes:
        samples: reference points, sampling locations and attention weights, as in `LayerExplanation`.
    """

    samples: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)
    self_attention: list[Tensor] = field(default_factory=list)
    level_sizes: tuple[tuple[int, int], ...] = ()

    def see_self_attention(self, module: SelfAttention, inputs: tuple[Tensor, Tensor]) -> None:
        """A pre-hook; the weights are computed of the same inputs by the layer's own projections."""
        _, query = inputs
        self.self_attention.append(module.attention_weights(query).squeeze(1))

    def see_cross_attention(
        self, module: DeformableAttention, inputs: tuple[Tensor, Tensor, Memory, Tensor | None]
    ) -> None:
        """A pre-hook; locations and weights are those of the pure function that the layer is about to call."""
        query, reference_points, memory, _ = inputs
        self.level_sizes = memory.sizes
        self.samples.append((reference_points, *module.samples(query, reference_points, memory.sizes)))

    def explanation(self, prediction: PosePrediction) -> Explanation:
        """All passes, as one with the prediction that they led to."""
        passes = zip_longest(self.samples, self.self_attention)
        layers = [
            LayerExplanation(points, locations, weights, self_attention)
            for (points, locations, weights), self_attention in passes
        ]
        return Explanation(prediction, tuple(layers), self.level_sizes)


@contextmanager
def recording(decoder: QueryDecoder) -> Iterator[Recording]:
    """Records the passes that are made inside; the hooks are gone afterwards, also after an error."""
    seen, handles = Recording(), []
    try:
        for module in decoder.modules():
            if isinstance(module, SelfAttention):
                handles.append(module.register_forward_pre_hook(seen.see_self_attention))
            elif isinstance(module, DeformableAttention):
                handles.append(module.register_forward_pre_hook(seen.see_cross_attention))
        yield seen
    finally:
        for handle in handles:
            handle.remove()
