"""The tables of the paper's text, as its HTML has them."""

import re
from pathlib import Path

ROW = re.compile(r"<tr>(.*?)</tr>", re.DOTALL)
CELL = re.compile(r"<t[dh]([^>]*)>(.*?)</t[dh]>", re.DOTALL)


def text_of(shared: Path) -> str:
    """The paper and its supplement, white space made one blank."""
    (file,) = (shared / "paper").glob("*.md")
    return " ".join(file.read_text().split())


def bodies(shared: Path) -> list[list[list[str]]]:
    """Every table's body: its rows as cells; a row that is one cell over all columns (a heading) is left out."""
    found = []
    for table in re.findall(r"<table.*?</table>", text_of(shared), re.DOTALL):
        body = table[table.index("<tbody>") :]
        rows = [CELL.findall(row) for row in ROW.findall(body)]
        found.append([[plain(cell) for _, cell in row] for row in rows if "colspan" not in row[0][0]])
    return found


def plain(cell: str) -> str:
    """A cell without its marks: bold, superscripts and formulas are text."""
    text = re.sub(r"<[^>]*>", "", cell).replace(r"\times", "×")
    return " ".join(text.split())
