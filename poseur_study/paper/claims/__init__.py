"""Every claim of the text that can be named, in the order of the text."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from poseur_lib.errors import UserError
from poseur_study.paper.claim import Claim
from poseur_study.paper.claims.ablations import ABLATIONS
from poseur_study.paper.claims.method import INTRODUCTION, METHOD
from poseur_study.paper.claims.results import RESULTS
from poseur_study.paper.claims.supplement import SUPPLEMENT

CLAIMS: tuple[Claim, ...] = (*INTRODUCTION, *METHOD, *ABLATIONS, *RESULTS, *SUPPLEMENT)


@cache
def claims_by_key() -> Mapping[str, Claim]:
    """Claims by their keys.

    Raises:
        UserError: two claims have one key.
    """
    found: dict[str, Claim] = {}
    for claim in CLAIMS:
        if claim.key in found:
            raise UserError(f"two claims of the paper have the key {claim.key!r}")
        found[claim.key] = claim
    return MappingProxyType(found)


def claim(key: str) -> Claim:
    """A claim.

    Raises:
        UserError: there is none of this key.
    """
    known = claims_by_key()
    if key not in known:
        raise UserError(f"no claim {key!r} of the paper; known: {', '.join(known)}")
    return known[key]
