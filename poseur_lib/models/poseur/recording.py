"""Records what the layers of a decoder attend to, by hooks that are there for one pass only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest

from torch import Tensor

from poseur_lib.models.explanation import Explanation, LayerExplanation
from poseur_lib.models.poseur.decoder import QueryDecoder, SelfAttention
from poseur_lib.models.poseur.deformable import DeformableAttention
from poseur_lib.poses import PosePrediction


@dataclass
class Recording:
    """What was seen of the clean query group so far: a list entry for each pass through a layer."""

    samples: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)
    self_attention: list[Tensor] = field(default_factory=list)
    level_sizes: tuple[tuple[int, int], ...] = ()

    def see_self_attention(self, module: SelfAttention, inputs: tuple) -> None:
        """A pre-hook; the weights are computed of the same inputs by the layer's own projections."""
        _, query = inputs
        self.self_attention.append(module.weights(query)[:, 0])

    def see_cross_attention(self, module: DeformableAttention, inputs: tuple) -> None:
        """A pre-hook; locations and weights are those of the pure function that the layer is about to call."""
        query, reference_points, memory, _ = inputs
        self.level_sizes = memory.sizes
        self.samples.append((reference_points, *module.sampling(query, reference_points, memory.sizes)))

    def explanation(self, prediction: PosePrediction) -> Explanation:
        """All passes, as one with the prediction that they led to."""
        passes = zip_longest(self.samples, self.self_attention)
        layers = tuple(LayerExplanation(*samples, self_attention) for samples, self_attention in passes)
        return Explanation(prediction, layers, self.level_sizes)


@contextmanager
def recording(decoder: QueryDecoder) -> Iterator[Recording]:
    """Records the passes that are made inside; the hooks are gone afterwards, also after an error."""
    seen, handles = Recording(), []
    try:
        for layer in decoder.layers:
            if layer.self_attention is not None:
                handles.append(layer.self_attention.register_forward_pre_hook(seen.see_self_attention))
            handles.append(layer.cross_attention.register_forward_pre_hook(seen.see_cross_attention))
        yield seen
    finally:
        for handle in handles:
            handle.remove()
