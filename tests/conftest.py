"""Shapes in signatures are checked in every test; data beside the repository is optional."""

import os
from importlib import import_module
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

# Where there is no GPU, Triton interprets its kernels: it asks once, when it is imported.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

# A list of fonts of this checkout's own: the user's cache may have been written by an installation that is gone, and
# every process that draws, kernels too, would complain about fonts that it misses.
FONTS = Path(__file__).resolve().parents[1] / ".pytest_cache" / "matplotlib"
FONTS.mkdir(parents=True, exist_ok=True)
os.environ["MPLCONFIGDIR"] = str(FONTS)

# What is imported under the hook does not find its compiled bytecode (the hook keeps its own beside it), so that
# what is large and not ours comes first: 20 seconds of every process.
for large in ("timm", "torchvision", "lightning.pytorch", "scipy.stats", "pandas", "seaborn", "distributed", "IPython"):
    import_module(large)

# An int is accepted for a float, as PEP 484 has it.
install_import_hook(
    ("poseur_lib", "poseur_study", "synthetic_people"),
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)

# The same examples in every run, and no clock: the machine may be busy.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the repository; tests that need it are skipped where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared, the reference data that are not part of this repository")
    return folder


@pytest.fixture(scope="session")
def coco_tiny(shared: Path) -> Path:
    """Two times 50 images of COCO, in COCO's layout: 57 labelled people to train on, 46 to evaluate."""
    return shared / "data" / "coco_tiny"


@pytest.fixture(scope="session")
def coco4(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four images of COCO with 12 labelled people and 118 detector boxes, laid out as the val split of a data set."""
    source, root = shared / "data" / "coco4", tmp_path_factory.mktemp("coco4")
    for folder in ("annotations", "val2017"):
        (root / folder).mkdir()
    for image in source.glob("*.jpg"):
        (root / "val2017" / image.name).symlink_to(image)
    (root / "annotations" / "person_keypoints_val2017.json").symlink_to(source / "test_coco.json")
    (root / "annotations" / "person_detections_val2017.json").symlink_to(source / "test_coco_det_AP_H_56.json")
    return root
