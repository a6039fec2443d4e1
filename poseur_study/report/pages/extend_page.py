"""How to add a method, a table or a claim."""

from pathlib import Path

from poseur_study.report.blocks import Block

TITLE, PAGE = "How to add a method, a table or a claim", "extend.html"
FILE = Path(__file__).with_name("templates") / "extend.html"


def extend_blocks() -> tuple[Block, ...]:
    """The page."""
    return (Block("prose", FILE.read_text().replace("<code>", '<code class="wrap">')),)
