"""The figure of the model shows the model, and the reading order names the files that there are."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from poseur_lib.models import poseur

ROOT = Path(__file__).parents[2]
FIGURE = ROOT / "docs" / "poseur.svg"


def labels(path: Path) -> list[str]:
    texts = (element.text for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text"))
    return [text for text in texts if text]


def test_the_committed_figure_has_the_shapes_of_a_forward_pass(tmp_path):
    drawn = tmp_path / "poseur.svg"
    subprocess.run([sys.executable, str(ROOT / "tools" / "draw_model.py"), str(drawn)], check=True, cwd=ROOT)
    assert labels(drawn) == labels(FIGURE), "run tools/draw_model.py"
    assert len(labels(FIGURE)) > 40 and FIGURE.stat().st_size < 150_000
    assert {"res5 2048×8×6", "4080×256", "68×8×4×4×2"} <= set(labels(FIGURE))


def test_the_reading_order_names_every_file_once():
    order = re.findall(r"^(\w+): ", poseur.__doc__, re.MULTILINE)
    files = [path.stem for path in Path(poseur.__file__).parent.glob("*.py") if path.stem != "__init__"]
    assert sorted(order) == sorted(files)


def test_no_file_needs_one_that_is_read_after_it():
    order = re.findall(r"^(\w+): ", poseur.__doc__, re.MULTILINE)
    for number, name in enumerate(order):
        source = (Path(poseur.__file__).parent / f"{name}.py").read_text()
        needed = re.findall(r"^from poseur_lib\.models\.poseur\.(\w+) import", source, re.MULTILINE)
        assert set(needed) <= set(order[:number]), name
