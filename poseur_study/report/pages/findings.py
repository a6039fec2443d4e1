"""What came out beside the claims: observations on the paper's numbers that no sentence of it makes."""

import html

from poseur_study.paper.size_mix import size_mixes
from poseur_study.report.evidence import cost_claim_record


def findings(audit_page: str) -> list[str]:
    """Each as a list item, HTML; every number in them is computed."""
    return [f"<li>{text}</li>" for text in (_heatmap_costs(), _size_mix(audit_page)) if text]


def _heatmap_costs() -> str:
    record = cost_claim_record()
    if record is None:
        return ""
    found = {one.key: one for one in record.statements}
    simba, claim = found["gflops-2a-simba_resnet50"], found["cost-fewer-flops"]
    text = (
        f"By one convention for both, Poseur with ResNet-50 needs {claim.ours} fewer GFLOPs than SimpleBaseline; the "
        f"paper says {claim.paper}. SimpleBaseline with ResNet-50 has {simba.ours} GFLOPs by the convention that "
        f"Poseur's printed costs follow, where Table 2a prints {simba.paper}. The printed GFLOPs of heatmap methods in "
        "Tables 2a and 2b are, to the digit or cut off, what a counter gives that takes a deconvolution for a "
        "convolution on output cells. That is our reading: the paper does not say how it counted."
    )
    return html.escape(text)


def _size_mix(audit_page: str) -> str:
    mixes = size_mixes()
    ours = [float(one.share.value) for one in mixes if one.poseur]
    others = [float(one.share.value) for one in mixes if not one.poseur]
    separate = max(ours) < min(others)
    words = "separates Poseur's rows from all others" if separate else "does not separate Poseur's rows from the others"
    text = (
        f"(AP_L − AP) / (AP_L − AP_M) {words}: {min(ours):.2f} to {max(ours):.2f} in {len(ours)} rows of Poseur, "
        f"{min(others):.2f} to {max(others):.2f} in {len(others)} rows of other methods, all on COCO val. For one data "
        "set and one way of computing AP it should be about the same for every method; why it is not, the paper does "
        "not say."
    )
    return f'{html.escape(text)} <a href="{audit_page}">The audit has a figure of it.</a>'
