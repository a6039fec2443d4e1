"""Draw the pictures of ARCHITECTURE.md into docs/: the packages by their real imports, and the two ways through them.

    python -m tools.draw_architecture

Lengths are in px of a picture that is 700 wide. The same tree gives the same bytes.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import cache
from html import escape
from pathlib import Path
from typing import NamedTuple

from tools.import_graph import arrows, folders

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("poseur_lib", "poseur_study", "synthetic_people")
WIDTH = 700
COLOURS = {"poseur_lib": "#d9e8f5", "poseur_study": "#f8e3d0", "synthetic_people": "#d8eee3"}
STYLE = (
    "text{font-family:Helvetica,Arial,'DejaVu Sans',sans-serif;font-size:12.5px;fill:#222}"
    ".b{font-weight:bold;font-size:14px}.m{font-family:Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:11px}"
    ".i{font-style:italic}.r{text-anchor:end}.c{text-anchor:middle}"
    "rect{stroke:#555;stroke-width:1}.w{fill:#fff}line,path{stroke:#333;stroke-width:1.6;fill:none;marker-end:url(#a)}"
)
HEAD = '<marker id="a" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto"><path d="M0,0 L9,4 L0,8 z" '


class Station(NamedTuple):
    """One step of a way: its files (`{a,b}` for several), what happens there, and what it hands to the next."""

    title: str
    files: str
    lines: tuple[str, ...]
    gives: str = ""


IMAGE_TO_LOSS = (
    Station("A data set in COCO's layout", "poseur_lib/data/coco.py",
            ("A Person is a box with keypoints and their visibility, in pixels of the image.",),
            "person, and the image's file"),
    Station("Crop and augmentation", "poseur_lib/data/{dataset,crop,augment}.py",
            ("The box becomes a crop by the head's rule; mirrored, turned, scaled, cut to half a body and recoloured",
             "as a pure function of seed, epoch and index."),
            "images B 3 H W; keypoints B K 2 in [0, 1] of the crop, with their visibility"),
    Station("Backbone and neck", "poseur_lib/models/{backbones/,poseur/memory.py}",
            ("ResNet, HRNet and others; the neck brings the levels that are used to one width.",),
            "feature maps, of ResNet at strides 4, 8, 16, 32"),
    Station("Coarse proposal", "poseur_lib/models/poseur/queries.py",
            ("The neck's last map, pooled, and fully connected layers regress all keypoints at once.",),
            "coarse keypoints and sigma, B K 2 each"),
    Station("Noisy reference points", "poseur_lib/models/poseur/queries.py",
            ("In training, groups of points are added of which some are moved at random; the coarse ones stay.",),
            "reference points B G K 2, in G groups"),
    Station("Query decoder", "poseur_lib/models/poseur/{deformable,decoder}.py",
            ("A query for each keypoint samples the maps around its point and is moved on, layer by layer.",),
            "refined keypoints and sigma of every layer"),
    Station("Loss", "poseur_lib/losses/{rle,flow}.py",
            ("Residual log-likelihood of the coarse keypoints and of each layer's, the error's density by a flow;",
             "keypoints without a label, or outside the crop, weigh nothing."),
            "total and its terms by name"),
    Station("Training loop", "poseur_lib/training/loop.py",
            ("Gradients, optimiser, curve and checkpoints.",)),
)  # fmt: skip

DECLARATION_TO_VERDICT = (
    Station("Declaration", "poseur_study/{experiments/,paper/tables.toml}",
            ("A Table: rows as changes of one configuration, the one factor that may vary, and claims with kind",
             "and margin, beside the paper's numbers. A claim's rule is fixed before the runs."),
            "rows and seeds, at a profile (smoke, mini, paper)"),
    Station("Plan", "poseur_study/runs/{plan,run_id}.py",
            ("The distinct runs, parents first. A run's id names its configuration and its data, so that two tables",
             "share a run and one that is finished is not made again."),
            "missing runs"),
    Station("Execution", "poseur_study/execution/",
            ("Dask hands out the runs, here or on a cluster. Who has a run's lease executes its notebook",
             "notebooks/train_variant.ipynb by papermill."),
            "one configuration, seed and data set"),
    Station("Training and evaluation", "poseur_lib/{training,evaluation}/",
            ("The library trains the model, predicts the people of the val split and measures AP.",),
            "predictions, metrics, curve"),
    Station("Record", "poseur_study/runs/{record,store}.py",
            ("record.json and what lies beside it: enough to compute every score again without weights.",),
            "records of all rows and seeds"),
    Station("Results", "poseur_study/analysis/{table_results,interval}.py",
            ("A row's AP and a claim's difference, with an interval over images and seeds.",),
            "effect with its interval"),
    Station("Verdict", "poseur_study/analysis/{verdict,claim_ledger}.py",
            ("The claim's rule on the interval: same direction, inconclusive, opposite direction, and so on.",),
            "result.json, the ledger"),
    Station("Pages", "poseur_study/{table_study/,plotting/,report/}",
            ("A notebook takes the result apart, and is rendered: reports/<profile>/index.html.",)),
)  # fmt: skip


def text(x: float, y: float, content: str, kind: str = "") -> str:
    """A line of text whose baseline is at y."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(content)}</text>'


def box(x: float, y: float, width: float, height: float, fill: str = "") -> str:
    """A rectangle with round corners; white without `fill`."""
    how = f'style="fill:{fill}"' if fill else 'class="w"'
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" {how}/>'


def line(x: float, y: float, to_x: float, to_y: float) -> str:
    """An arrow."""
    return f'<line x1="{x:g}" y1="{y:g}" x2="{to_x:g}" y2="{to_y:g}"/>'


def picture(title: str, height: float, parts: list[str]) -> str:
    """The SVG file."""
    size = f'viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{escape(title)}</title>'
    marker = f'<defs>{HEAD}style="fill:#333;stroke:none;marker-end:none"/></marker></defs>'
    paper = f'<rect width="{WIDTH}" height="{height:g}" style="fill:#fff;stroke:none"/>'
    return "\n".join([start, f"<style>{STYLE}</style>", marker, paper, *parts, "</svg>\n"])


def way(title: str, stations: tuple[Station, ...]) -> str:
    """Stations from top to bottom, with what each hands to the next beside the arrow."""
    parts, y = [], 10.0
    for station in stations:
        height = 32 + 17 * len(station.lines)
        parts += [
            box(10, y, WIDTH - 20, height, COLOURS[station.files.partition("/")[0]]),
            text(22, y + 20, station.title, "b"),
        ]
        parts.append(text(WIDTH - 22, y + 20, station.files, "m r"))
        parts += [text(22, y + 39 + 17 * number, words) for number, words in enumerate(station.lines)]
        y += height
        if station.gives:
            parts += [line(60, y, 60, y + 30), text(74, y + 20, station.gives, "i")]
            y += 30
    return picture(title, y + 10, parts)


def rows_of(package: str, graph: set[tuple[str, str]]) -> list[list[str]]:
    """The folders of a package, row by row: one imports only what stands in rows below; the first row is the top."""
    below = defaultdict(set)
    for importing, imported in graph:
        if importing.startswith(f"{package}.") and imported.startswith(f"{package}."):
            below[importing].add(imported)

    @cache
    def height(name: str) -> int:
        return max((height(one) + 1 for one in below[name]), default=0)

    rows = defaultdict(list)
    for path in sorted((ROOT / package).iterdir()):
        if path.name not in ("__init__.py", "__main__.py") and (
            path.suffix == ".py" or (path / "__init__.py").exists()
        ):
            rows[height(f"{package}.{path.stem}")].append(path.stem)
    return [rows[number] for number in sorted(rows, reverse=True)]


def panel(package: str, says: str, rows: list[list[str]], place: tuple[float, float, float]) -> tuple[list[str], float]:
    """A package with its folders; `place` is (x, y, width). Returns the drawing and its height."""
    x, y, width = place
    height = 50 + 28 * len(rows)
    parts = [box(x, y, width, height, COLOURS[package]), text(x + 12, y + 20, package, "b")]
    parts.append(text(x + 12, y + 37, says, "i"))
    for number, names in enumerate(rows):
        free = width - 24 - 6 * (len(names) - 1)
        share = free / sum(len(name) + 3 for name in names)
        left, top = x + 12, y + 46 + 28 * number
        for name in names:
            wide = share * (len(name) + 3)
            parts += [box(left, top, wide, 22), text(left + wide / 2, top + 15, name, "m c")]
            left += wide + 6
    return parts, height


def packages() -> str:
    """The three packages and their folders in layers."""
    graph = folders(arrows(ROOT, PACKAGES))
    people = [" ".join(PEOPLE[start : start + 4]) for start in range(0, len(PEOPLE), 4)]
    study, height = panel(
        "poseur_study", "tables, runs, verdicts, pages", rows_of("poseur_study", graph), (10, 10, 280)
    )
    small = 46 + 17 * len(people)
    right = [box(390, 10, 300, small, COLOURS["synthetic_people"]), text(402, 30, "synthetic_people", "b")]
    right.append(text(402, 47, "generates people in COCO's layout", "i"))
    right += [text(402, 66 + 17 * number, words, "m") for number, words in enumerate(people)]
    rows = rows_of("poseur_lib", graph)
    top = max(10 + small + 64, 10 + height - 50 - 28 * len(rows))
    library, tall = panel("poseur_lib", "model, loss, training, evaluation", rows, (390, top, 300))
    parts = [*study, *right, *library]
    parts += [line(290, 60, 390, 60), text(340, 52, "imports", "c")]
    middle = top + 60
    parts += [line(290, middle, 390, middle), text(340, middle - 8, "imports", "c")]
    parts += [line(540, 10 + small, 540, top)]
    parts.append(text(550, (10 + small + top) / 2 + 4, "imports"))
    end = max(top + tall, 10 + height)
    parts.append(
        text(10, end + 24, "A folder imports only folders in rows below its own. No arrow runs the other way.")
    )
    return picture("The three packages and their folders in layers", end + 36, parts)


PEOPLE = ("generate", "sample", "scene", "body", "head", "camera", "raster", "annotate")
"""The generator's files that are named in its picture: it has no folders."""

PICTURES: dict[str, Callable[[], str]] = {
    "packages.svg": packages,
    "image_to_loss.svg": lambda: way("The way of an image to the loss", IMAGE_TO_LOSS),
    "declaration_to_verdict.svg": lambda: way("The way of a declaration to a verdict", DECLARATION_TO_VERDICT),
}


def main() -> None:
    """Write every picture."""
    (ROOT / "docs").mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (ROOT / "docs" / name).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
