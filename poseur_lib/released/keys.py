"""Names of parameters: the released state_dict's, and ours."""

import re
from collections.abc import Mapping

from torch import Tensor

from poseur_lib.errors import UserError

_LAYER = r"^keypoint_head\.transformer\.decoder\.layers\.(\d+)\."
_RENAMED = tuple(
    (re.compile(pattern), ours)
    for pattern, ours in (
        (r"^neck\.convs\.(\d+)\.conv\.", r"head.neck.convs.\1."),
        (r"^neck\.convs\.(\d+)\.gn\.", r"head.neck.norms.\1."),
        (r"^keypoint_head\.transformer\.level_embeds$", "head.memory_embedding.level_embedding"),
        (r"^keypoint_head\.transformer\.fc_coord\.linear\.", "head.coarse_stage.coordinates."),
        (r"^keypoint_head\.transformer\.fc_sigma\.linear\.", "head.coarse_stage.sigma."),
        (r"^keypoint_head\.transformer\.pos_trans\.", "head.keypoint_encoder.location_proj."),
        (r"^keypoint_head\.transformer\.pos_trans_norm\.", "head.keypoint_encoder.location_norm."),
        (r"^keypoint_head\.transformer\.pos_embed\.weight$", "head.keypoint_encoder.class_embedding"),
        (_LAYER + r"attentions\.0\.attn\.in_proj_", r"head.decoder.layers.\1.self_attention.in_proj."),
        (_LAYER + r"attentions\.0\.attn\.out_proj\.", r"head.decoder.layers.\1.self_attention.out_proj."),
        (_LAYER + r"attentions\.1\.(value_proj_\w+)\.weight$", r"head.decoder.layers.\1.cross_attention.\2"),
        (_LAYER + r"attentions\.1\.", r"head.decoder.layers.\1.cross_attention."),
        (_LAYER + r"ffns\.0\.layers\.0\.0\.", r"head.decoder.layers.\1.ffn.0."),
        (_LAYER + r"ffns\.0\.layers\.1\.", r"head.decoder.layers.\1.ffn.3."),
        (_LAYER + r"norms\.0\.", r"head.decoder.layers.\1.self_norm."),
        (_LAYER + r"norms\.1\.", r"head.decoder.layers.\1.cross_norm."),
        (_LAYER + r"norms\.2\.", r"head.decoder.layers.\1.ffn_norm."),
        (r"^keypoint_head\.fc_coord_branches\.(\d+)\.", r"head.decoder.branches.\1.step."),
        (r"^keypoint_head\.fc_coord_output_branches\.(\d+)\.", r"head.decoder.branches.\1.correction."),
        (r"^keypoint_head\.fc_sigma_branches\.(\d+)\.2\.linear\.", r"head.decoder.branches.\1.sigma.2."),
        (r"^keypoint_head\.fc_sigma_branches\.(\d+)\.", r"head.decoder.branches.\1.sigma."),
        (r"^keypoint_head\.enc_flow\.", "head.coarse_flow."),
        (r"^keypoint_head\.dec_flow\.", "head.decoder_flow."),
        (r"^backbone\.", "backbone."),
    )
)
_FLOW_NETWORKS = ((".t.", ".shift."), (".s.", ".log_scale."))


def our_name(released: str) -> str:
    """Our parameter name of a released one.

    Raises:
        UserError: no rule knows the name.
    """
    for pattern, ours in _RENAMED:
        name, found = pattern.subn(ours, released)
        if found:
            if "_flow." in name:
                for theirs, network in _FLOW_NETWORKS:
                    name = name.replace(theirs, network)
            return name
    raise UserError(f"{released!r} is not a parameter name of the released code")


def rename_released(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A released state_dict under our names."""
    return {our_name(name): value for name, value in state.items()}
