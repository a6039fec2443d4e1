"""Does each method learn the people of 32 generated images by heart?

Every method is scaled as profile mini scales it, and trained from random weights on 32 images with 48 people until it
has seen each of them 400 times, without augmentation. A method that is built right reaches min(90, ceiling - 3) AP on
them (70 for plain L1 and PRTR); the ceiling is what its codec alone allows at that size. It is judged on the training
images, at ground-truth boxes, without flip test, ten times during the training, and the best counts.

Not the last: a quarter shift goes by the sign of the difference of two cells that are equal in the targets, so that a
map learnt by heart is moved by what noise is left. SimpleBaseline's AP falls while its loss goes on falling.
"""

import tempfile
from pathlib import Path

from poseur_lib.checkpoints.checkpoint import load_model
from poseur_lib.config import ExperimentConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.evaluation.ceiling import head_ceiling
from poseur_lib.files import MODEL_FILE
from poseur_lib.keypoints import COCO_17
from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import train
from poseur_study.evidence.evidence import Overfit
from poseur_study.experiments.methods import BACKBONES, TOKENPOSE, method_changes
from poseur_study.experiments.profiles import profile
from synthetic_people.generate import generate
from synthetic_people.settings import PeopleSettings

IMAGES = 32
PASSES = 600
EPOCHS = 10
ENOUGH, ENOUGH_PLAIN = 90.0, 70.0
BELOW_CEILING = 3.0
PLAIN = ("DeepPose", "PRTR")
SLOW = {"PRTR": {"train.learning_rate": 1e-3}}
"""What a method needs to learn at all at this size."""
FIRST = (
    ("Poseur", "ResNet-50"),
    ("SimpleBaseline", "ResNet-50"),
    ("HRNet", "HRNet-W32"),
    ("HRFormer", "HRFormer-T"),
    ("UDP-Pose", "HRNet-W32"),
    ("RLE", "ResNet-50"),
    ("DeepPose", "ResNet-50"),
    ("Integral", "ResNet-101"),
    ("PRTR", "ResNet-50"),
    ("TransPose", "H-A6"),
    ("TokenPose", "B"),
)
PAIRS = (
    *FIRST,
    *(("Poseur", name) for name in BACKBONES if name not in ("ResNet-50", "ResNet-101", "ViT-B")),
    *(("SimpleBaseline", name) for name in ("MobileNet-V2", "ResNet-101", "ResNet-152")),
    ("HRNet", "HRNet-W48"),
    *(("HRFormer", name) for name in ("HRFormer-S", "HRFormer-B")),
    ("UDP-Pose", "HRNet-W48"),
    *(("RLE", name) for name in ("ResNet-152", "HRNet-W32", "HRNet-W48")),
    ("PRTR", "HRNet-W32"),
    ("TransPose", "H-A4"),
    *(("TokenPose", name) for name in TOKENPOSE if name not in ("S-V1", "B")),
)
"""Every method and backbone of the paper's tables that is built here; one of each method comes first."""


def write_people(folder: Path) -> Path:
    """The images."""
    generate(folder, PeopleSettings(train_images=IMAGES, val_images=1, parts=False), workers=1, progress=False)
    return folder


def overfit(method: str, backbone: str, data: Path, threads: int | None) -> Overfit:
    """Trains one method on the images in `data`."""
    config = small_config(method, backbone)
    runtime = Runtime(data=data, device="cpu", threads=threads)
    people = CocoPeople(data, "train", COCO_17)
    with tempfile.TemporaryDirectory() as folder:
        curve = train(config, Path(folder), runtime)
        model, _ = load_model(Path(folder) / MODEL_FILE)
    ceiling = head_ceiling(people, model.head, config.data.input_size).AP
    target = ENOUGH_PLAIN if method in PLAIN else min(ENOUGH, ceiling - BELOW_CEILING)
    return Overfit(
        stand_in=config.model.backbone.name,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        ap=max(point.ap for point in curve),
        ap_at_the_end=curve[-1].ap,
        ceiling=ceiling,
        target=target,
        people_seen=config.train.people_per_epoch * EPOCHS,
    )


def stand_in(method: str, backbone: str) -> ExperimentConfig:
    """A method as profile mini has it, from random weights."""
    mini = profile("mini")
    changes = mini.scaled("", method_changes(method, backbone))
    if "model.backbone" in changes:
        changes["model.backbone"] = {**changes["model.backbone"], "weights": "none"}
    return mini.experiment(0, changes, {"pretext": None}, SLOW.get(method, {}))


def small_config(method: str, backbone: str) -> ExperimentConfig:
    """The stand-in of a method, on plain crops of a few people that it sees often."""
    return stand_in(method, backbone).with_changes(
        **{
            "train.augment": None,
            "train.epochs": EPOCHS,
            "train.people_per_epoch": IMAGES * PASSES // EPOCHS,
            "train.global_batch": 16,
            "evaluation.split": "train",
            "evaluation.flip_test": False,
            "evaluation.curve_every": 1,
        }
    )
