"""What a page takes from a notebook or a record: markup from a list of allowed tags, files that are what they say.

Every notebook goes this way, ours and imported ones alike. What is not on the list is shown as text, so that it is seen
and does nothing: scripts, frames, forms, handlers, style sheets, pictures from elsewhere. Links stay, but to the web
and to other pages only. The pages' Content-Security-Policy (`plotting.captioned.POLICY`) is the second lock.
"""

import base64
import binascii
import re

from bleach.css_sanitizer import CSSSanitizer
from bleach.sanitizer import Cleaner
from markupsafe import Markup

TAGS = frozenset(
    "a abbr b blockquote br caption code dd del details div dl dt em fieldset figcaption figure h1 h2 h3 h4 h5 h6 hr i"
    " img input kbd label legend li ol p picture pre s small source span strong sub summary"
    " sup table tbody td tfoot th thead tr u ul"
    .split()
)  # fmt: skip
EVERYWHERE = frozenset({"class", "data-column", "id", "title"})
OF_TAG = {
    "img": {"alt", "height", "style", "width"},
    "input": {"checked", "name", "value"},
    "ol": {"start"},
    "source": {"media"},
    "td": {"colspan", "headers", "rowspan", "style"},
    "th": {"colspan", "headers", "rowspan", "scope", "style"},
}
CSS = ("height", "max-width", "text-align", "width")
LINK = re.compile(r"https?://\S+|mailto:\S+|(?!//)[^\s:\\]*", re.ASCII)
PICTURE = re.compile(r"data:image/(?:gif|jpeg|png|svg\+xml|webp);base64,[A-Za-z0-9+/=\s]+", re.ASCII)
STYLE_SHEET = re.compile(r"<style\b.*?</style\s*>", re.DOTALL | re.IGNORECASE)
"""Of pandas, say: left out rather than shown as text."""
PNG, PDF = b"\x89PNG\r\n\x1a\n", b"%PDF"


def clean(html: str) -> Markup:
    """Foreign HTML without what could act or ask for anything; ours looks the same."""
    return Markup(_CLEANER.clean(STYLE_SHEET.sub("", html)))


def decoded(text: object, begins: bytes) -> bytes | None:
    """The content of a base64 output of a notebook; None where it is not base64, or not of the kind that it says."""
    try:
        content = base64.b64decode("".join(str(text).split()), validate=True)
    except binascii.Error:
        return None
    return content if content.startswith(begins) else None


def _allowed(tag: str, name: str, value: str) -> bool:
    if (tag, name) == ("a", "href"):
        return LINK.fullmatch(value) is not None
    if (tag, name) in {("img", "src"), ("source", "srcset")}:
        return PICTURE.fullmatch(value) is not None
    if (tag, name) == ("input", "type"):
        return value == "radio"
    return name in EVERYWHERE or name in OF_TAG.get(tag, ())


_CLEANER = Cleaner(
    tags=TAGS,
    attributes=_allowed,
    protocols=frozenset({"http", "https", "mailto", "data"}),  # of which `_allowed` lets only pictures have data
    css_sanitizer=CSSSanitizer(allowed_css_properties=CSS),
)
