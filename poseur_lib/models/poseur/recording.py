"""Records what the layers of a decoder attend to, by hooks that are there for one pass only."""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import zip_longest

from torch import Tensor

from poseur_lib.models.poseur.decoder import QueryDecoder, SelfAttention
from poseur_lib.models.poseur.deformable import DeformableAttention, Samples
from poseur_lib.models.poseur.memory import Memory
from poseur_lib.poses import Explanation, LayerExplanation, PosePrediction


def explained(decoder: QueryDecoder, predict: Callable[[], PosePrediction]) -> Explanation:
    """What `predict` gives, and what the layers that it passes attend to; the hooks are gone also after an error.

    Args:
        predict: passes through the decoder once, with one query group.
    """
    samples: list[tuple[Tensor, Samples]] = []
    self_attention: list[Tensor] = []
    sizes: list[tuple[tuple[int, int], ...]] = []

    def see_self_attention(module: SelfAttention, inputs: tuple[Tensor, Tensor]) -> None:
        """The weights are computed of the same inputs by the layer's own projections."""
        _, query = inputs
        self_attention.append(module.attention_weights(query).squeeze(1))

    def see_cross_attention(module: DeformableAttention, inputs: tuple[Tensor, Tensor, Memory, Tensor | None]) -> None:
        """Locations and weights are those of the pure function that the layer is about to call."""
        query, reference_points, memory, _ = inputs
        samples.append((reference_points, module.samples(query, reference_points, memory.levels)))
        sizes.append(memory.sizes)

    with ExitStack() as hooks:
        for module in decoder.modules():
            if isinstance(module, SelfAttention):
                hooks.enter_context(module.register_forward_pre_hook(see_self_attention))
            elif isinstance(module, DeformableAttention):
                hooks.enter_context(module.register_forward_pre_hook(see_cross_attention))
        prediction = predict()
    passes = zip_longest(samples, self_attention)
    layers = [LayerExplanation(points, seen[0], seen[1], weights) for (points, seen), weights in passes]
    return Explanation(prediction, tuple(layers), sizes[0])
