"""How to extend the project: every file and name that the page speaks of is there."""

import html
import re
from pathlib import Path

from poseur_lib.config.heads import HeadConfig, HeadKnobs
from poseur_lib.models.baselines.heatmap import HeatmapPoseHead
from poseur_lib.models.pose_model import PoseHead
from poseur_study.report.pages.fixed import fixed_pages

ROOT = Path(__file__).resolve().parents[2]


def test_every_path_is_there() -> None:
    guide = fixed_pages()[-1]
    named = [html.unescape(text) for text in re.findall(r"<code[^>]*>(.*?)</code>", guide.body, re.DOTALL)]
    paths = [text for text in named if re.match(r"(poseur_lib|poseur_study|tests|notebooks)/", text)]
    assert len(paths) >= 18
    assert not [path for path in paths if not list(ROOT.glob(path.rstrip("/")))]
    assert {"build_head", "HeadConfig", "HeadKnobs", "HeatmapPoseHead", "HEADS"} <= set(named)


def test_a_head_writes_what_the_page_says() -> None:
    assert PoseHead.__abstractmethods__ == {"forward", "loss", "merge_flipped", "decode"}
    assert HeatmapPoseHead.__abstractmethods__ == {"forward"}
    assert all(issubclass(member, HeadKnobs) for member in HeadConfig.__origin__.__args__)
